import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { it } from 'node:test'
import { metricsReference } from './metrics-reference.ts'

const page = new URL('../../docs/reference/metrics.md', import.meta.url)

it('docs/reference/metrics.md says what the definitions say', async () => {
  const expected = metricsReference()
  if (process.env.UPDATE_REFERENCE === '1') await writeFile(page, expected)
  assert.equal(await readFile(page, 'utf8'), expected, 'run UPDATE_REFERENCE=1 npm test')
})
