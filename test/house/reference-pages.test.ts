import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { it } from 'node:test'
import { apiReference } from '../../src/api/reference.ts'
import { adminRoutes, type RoutedNode } from '../../src/api/routes.ts'
import { createProgram } from '../../src/cli/main.ts'
import { cliReference } from '../../src/cli/reference.ts'
import { Terminal } from '../../src/cli/terminal.ts'
import { metricsReference } from '../../src/telemetry/metrics-reference.ts'

const folder = new URL('../../docs/reference/', import.meta.url)

function commandLine(): string {
  using terminal = new Terminal(process)
  return cliReference(createProgram(terminal))
}

const pages: Readonly<Record<string, () => string>> = {
  'cli.md': commandLine,
  // Routes ask the node for nothing before they are called.
  'api.md': () => apiReference(adminRoutes({} as RoutedNode)),
  'metrics.md': metricsReference,
}

for (const [name, text] of Object.entries(pages))
  it(`docs/reference/${name} says what the sources say`, async () => {
    const page = new URL(name, folder)
    const expected = text()
    if (process.env.UPDATE_REFERENCE === '1') await writeFile(page, expected)
    assert.equal(await readFile(page, 'utf8'), expected, 'run UPDATE_REFERENCE=1 npm test')
  })
