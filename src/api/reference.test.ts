import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { it } from 'node:test'
import { apiReference } from './reference.ts'
import { adminRoutes, type RoutedNode } from './routes.ts'

const page = new URL('../../docs/reference/api.md', import.meta.url)

it('docs/reference/api.md says what the routes say', async () => {
  // Routes ask the node for nothing before they are called.
  const expected = apiReference(adminRoutes({} as RoutedNode))
  if (process.env.UPDATE_REFERENCE === '1') await writeFile(page, expected)
  assert.equal(await readFile(page, 'utf8'), expected, 'run UPDATE_REFERENCE=1 npm test')
})
