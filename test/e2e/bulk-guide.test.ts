import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { it } from 'node:test'
import { promisify } from 'node:util'
import { loadConfig } from '../../src/config/load.ts'
import { silentLogger } from '../../src/kernel/logger.ts'
import { openNode } from '../../src/node/create-node.ts'
import { everything } from '../../src/planes/events/event-store.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { newAuthor } from '../peers/author.ts'

const guide = new URL('../../docs/guide/bulk.md', import.meta.url)
const entry = new URL('../../src/node/index.ts', import.meta.url)

it('the example of the guide to bulk reading runs as it stands, and copies between two nodes', async () => {
  await using folder = await temporaryFolder()
  const open = async (name: string) => {
    const config = await loadConfig({ flags: { data: join(folder.path, name) } })
    return await openNode(config, { log: silentLogger })
  }
  const author = newAuthor()
  const notes = [1, 2, 3].map((at) => author.write({ created_at: at, content: `note ${at}` }))
  const lines = [...notes, author.write({ kind: 7 })].map((event) => JSON.stringify(event))
  {
    await using node = await open('data')
    const imported = await node.bulk.importEvents(lines, { context: { caller: 'local' } })
    assert.ok(imported.ok)
    assert.equal(imported.value.accepted, 4)
  }
  const [, example = ''] = /```ts\n([\s\S]*?)```/.exec(await readFile(guide, 'utf8')) ?? []
  assert.match(example, /from 'syncline'/)
  const script = join(folder.path, 'example.ts')
  await writeFile(script, example.replace(`'syncline'`, JSON.stringify(entry.href)))
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [script], { cwd: folder.path })
  assert.match(stdout, new RegExp(`3 \\[\\s*3,\\s*'${notes[2]!.id}'\\s*\\] true`))
  assert.match(stdout, /\nnote 1\nnote 2\nnote 3\n(?:\{.*\n)*copied 3\n/)
  assert.equal(stderr, '')
  await using mirror = await open('mirror')
  const request = { filter: {}, order: 'asc', limit: 10, visibility: everything } as const
  assert.deepEqual(
    (await mirror.events.page(request)).events.map(({ raw }) => raw),
    notes.map((event) => JSON.stringify(event)),
  )
})
