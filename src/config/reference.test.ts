import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { it } from 'node:test'
import { configurationReference } from './reference.ts'

const page = new URL('../../docs/reference/configuration.md', import.meta.url)

it('docs/reference/configuration.md says what the schema says', async () => {
  const expected = configurationReference()
  if (process.env.UPDATE_REFERENCE === '1') await writeFile(page, expected)
  assert.equal(await readFile(page, 'utf8'), expected, 'run UPDATE_REFERENCE=1 npm test')
})
