import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { it } from 'node:test'
import { createProgram } from './main.ts'
import { cliReference } from './reference.ts'
import { Terminal } from './terminal.ts'

const page = new URL('../../docs/reference/cli.md', import.meta.url)

it('docs/reference/cli.md says what the commands say', async () => {
  using terminal = new Terminal(process.stdout, process.stderr)
  const expected = cliReference(createProgram(terminal))
  if (process.env.UPDATE_REFERENCE === '1') await writeFile(page, expected)
  assert.equal(await readFile(page, 'utf8'), expected, 'run UPDATE_REFERENCE=1 npm test')
})
