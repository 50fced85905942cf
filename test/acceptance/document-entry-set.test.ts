import assert from 'node:assert/strict'
import { it } from 'node:test'
import { adaptiveTuning, Initiator, ItemVector, Responder } from '../../src/negentropy/index.ts'
import type { Database } from '../../src/planes/documents/database.ts'
import { digestOf } from '../../src/planes/documents/entry/entry-id.ts'
import { createSqliteDocumentStorage } from '../../src/planes/documents/storage/document-storage.sqlite.ts'
import { createSqliteStore } from '../../src/stores/sqlite/sqlite-store.ts'
import { alice } from '../helpers/document-keys.ts'
import { copy, entriesOf, newInstance, opened, put } from '../helpers/document-world.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

/** The same set the slow way. */
async function vectorOf(database: Database): Promise<ItemVector> {
  const entries = await entriesOf(database)
  return ItemVector.from(entries.map(({ id, entry }) => ({ timestamp: entry.height, id: hex(digestOf(id)) })))
}

/** Ids the first lacks, found by reconciling with a plain set. */
async function need(
  set: ItemVector,
  other: Database,
  at: Awaited<ReturnType<typeof newInstance>>,
): Promise<string[]> {
  using mine = await at.entrySet(other.id)
  const initiator = new Initiator(set, { tuning: adaptiveTuning })
  const found: string[] = []
  for (let message: Uint8Array | undefined = initiator.initiate(); message !== undefined; ) {
    const request: Uint8Array = message
    const { reply } = await mine.use((theirs) =>
      new Responder(theirs, { tuning: adaptiveTuning }).step(request),
    )
    const step = initiator.step(reply!)
    found.push(...step.need)
    message = step.reply
  }
  return found.sort()
}

for (const engine of ['memory', 'SQLite'])
  it(`D-96 ${engine}: the set of a database finds exactly what differs, before and after it grew, unmoved while it is read`, async () => {
    await using stack = new AsyncDisposableStack()
    const folder = stack.use(await temporaryFolder())
    const options =
      engine === 'memory'
        ? {}
        : {
            storage: await createSqliteDocumentStorage({
              store: stack.use(await createSqliteStore({ dir: folder.path })),
            }),
          }
    const here = stack.use(await newInstance(options))
    const there = stack.use(await newInstance())
    const mine = await here.createDatabase({ key: alice })
    for (let i = 0; i < 700; i++) await put(mine, `k${i % 9}`, `${i}`)
    await copy(mine, there)
    const theirs = await opened(there, mine.id, alice)
    const common = await vectorOf(theirs)
    assert.deepEqual(await need(common, mine, here), [])
    using before = await here.entrySet(mine.id)
    const added: string[] = []
    for (let i = 0; i < 30; i++) added.push(hex(digestOf(await put(mine, `new${i}`, `${i}`))))
    for (let i = 0; i < 5; i++) await put(theirs, `theirs${i}`, `${i}`)
    await copy(theirs, here)
    const expected = (await vectorOf(mine)).size
    assert.equal(expected, 701 + 35)
    assert.deepEqual(await need(await vectorOf(theirs), mine, here), added.sort())
    assert.equal(before.size, 701)
    const held = await before.use((set) => {
      const ids = new Uint8Array(set.size * 32)
      set.copyIds(0, set.size, ids, 0)
      return hex(ids)
    })
    assert.equal(held, hex(common.columns.ids))
    using now = await here.entrySet(mine.id)
    assert.equal(now.size, expected)
  })
