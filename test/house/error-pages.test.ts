import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { it } from 'node:test'
import { errorStatus } from '../../src/planes/rows/wire/error-code.ts'

const root = new URL('../../', import.meta.url)
const read = (path: string) => readFile(new URL(path, root), 'utf8')

/** The members of a union of string literals, as they stand in its declaration. */
function members(source: string, type: string): string[] {
  const declaration = new RegExp(`export type ${type} =((?:\\s*\\|?\\s*'[^']+')+)`).exec(source)
  assert.ok(declaration !== null, `${type} is no longer a union of string literals`)
  return [...declaration[1]!.matchAll(/'([^']+)'/g)].map((match) => match[1]!)
}

it('every error code has its section in docs/reference/errors.md, and every section its code', async () => {
  const codes = [
    ...members(await read('src/kernel/sync-error.ts'), 'SyncErrorCode'),
    ...members(await read('src/planes/events/event-error.ts'), 'EventErrorCode'),
    ...members(await read('src/planes/rows/client/client-error.ts'), 'RowsClientErrorCode'),
    ...Object.keys(errorStatus),
    ...members(await read('src/planes/rows/server/rows-error.ts'), 'ServiceErrorCode'),
    ...members(await read('src/planes/documents/document-error.ts'), 'DocumentErrorCode'),
  ]
  assert.ok(codes.length > 20)
  const page = await read('docs/reference/errors.md')
  const sections = [...page.matchAll(/^### (.+)\n\n(.*)/gm)]
  assert.deepEqual(
    sections.map((section) => section[1]),
    codes,
  )
  for (const [, code, text] of sections) assert.ok(text!.length > 20, `${code} is not explained`)
})

it('every code that is thrown in the sources is one of the documented', async () => {
  const page = await read('docs/reference/errors.md')
  const documented = new Set([...page.matchAll(/^### (.+)$/gm)].map((match) => match[1]))
  const { glob } = await import('node:fs/promises')
  const unknown: string[] = []
  for await (const path of glob('src/**/*.ts', { cwd: root })) {
    const source = await read(path)
    for (const match of source.matchAll(/new (?:Sync|Event|RowsClient|Rows|Document)Error\(\s*'([^']+)'/g))
      if (!documented.has(match[1])) unknown.push(`${path}: ${match[1]}`)
  }
  assert.deepEqual(unknown, [])
})
