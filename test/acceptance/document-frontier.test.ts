import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Database } from '../../src/planes/documents/database.ts'
import type { SealedEntry } from '../../src/planes/documents/entry/entry.ts'
import type { Instance } from '../../src/planes/documents/instance.ts'
import { MemoryDocumentStorage } from '../../src/planes/documents/storage/document-storage.memory.ts'
import { createSqliteDocumentStorage } from '../../src/planes/documents/storage/document-storage.sqlite.ts'
import type { DocumentStorage } from '../../src/planes/documents/storage/document-storage.ts'
import { createSqliteStore } from '../../src/stores/sqlite/sqlite-store.ts'
import { alice, bob, configure, forge } from '../helpers/document-keys.ts'
import { entriesOf, kinds, newInstance, notes, opened, put } from '../helpers/document-world.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

const idsOf = (entries: readonly SealedEntry[]) => entries.map(({ id }) => id)

/** A database in which two sides went on into the future of a reader, whose entries of the past come last. */
async function ahead(clock: FakeClock) {
  const writer = await newInstance({ clock })
  const database = await writer.createDatabase({ key: alice })
  await configure(database, (settings) => settings.setHeightStrategy('timestamp'))
  const base = await put(database, 'base', '1')
  clock.jump(3_600_000)
  await put(database, 'left', '1', [base])
  await put(database, 'right', '1', [base])
  return { writer, database, entries: await entriesOf(database) }
}

async function frontier(storage: DocumentStorage): Promise<void> {
  await using stack = new AsyncDisposableStack()
  const { writer, database, entries } = await ahead(new FakeClock(1_000_000_000_000))
  stack.use(writer)
  const clock = new FakeClock(1_000_000_000_000)
  const reader: Instance = stack.use(await newInstance({ storage, clock }))
  const [root, settings, base, ...sides] = entries as [
    SealedEntry,
    SealedEntry,
    SealedEntry,
    ...SealedEntry[],
  ]
  assert.deepEqual(await kinds(reader, root, settings, ...sides), ['verified', 'verified', 'held', 'held'])
  const bad = await forge(database, bob, () => ({ parents: [base.id], height: base.entry.height + 1 }))
  assert.deepEqual(await kinds(reader, bad), ['held'])
  const there: Database = await opened(reader, database.id)
  assert.deepEqual(await there.tips(), [settings.id], 'what is held is no part of the frontier')
  assert.deepEqual(await notes(there), {})
  assert.deepEqual(new Set(idsOf(await there.held())), new Set(idsOf([...sides, bad])))

  await kinds(reader, base)
  assert.deepEqual(await notes(there), { base: '1' }, 'the future is not read')
  assert.deepEqual(idsOf(await there.held()), idsOf(sides), 'what failed is not among the rest')
  assert.equal(await reader.read((view) => view.status(bad.id)), 'failed')

  clock.jump(3_600_000)
  await clock.advance(1_000)
  assert.deepEqual(await notes(there), { base: '1', left: '1', right: '1' }, 'reading judges both of them')
  assert.deepEqual(await there.held(), [])
  assert.deepEqual(await there.tips(), await database.tips())
}

describe('what a read shows', () => {
  it('D-58 the verified frontier; the rest is told apart, without what failed; a read first judges what it can by now', async () => {
    await frontier(new MemoryDocumentStorage())
  })

  it('D-58 the same on SQLite', async () => {
    await using folder = await temporaryFolder()
    await using store = await createSqliteStore({ dir: folder.path })
    await frontier(await createSqliteDocumentStorage({ store }))
  })

  it('D-58 an entry of a distant future does not make every read judge again', async () => {
    await using stack = new AsyncDisposableStack()
    const { writer, database, entries } = await ahead(new FakeClock(1_000_000_000_000))
    stack.use(writer)
    const clock = new FakeClock(1_000_000_000_000)
    const storage = new MemoryDocumentStorage()
    let writes = 0
    const counting: DocumentStorage = {
      write: (...parts) => {
        writes += 1
        return storage.write(...parts)
      },
      read: (work) => storage.read(work),
      batchIn: (tx) => storage.batchIn(tx as never),
    }
    const reader = stack.use(await newInstance({ storage: counting, clock }))
    const [root, settings, base, ...sides] = entries as [
      SealedEntry,
      SealedEntry,
      SealedEntry,
      ...SealedEntry[],
    ]
    await kinds(reader, root, settings, ...sides)
    await kinds(reader, base)
    const there = await opened(reader, database.id)
    await there.tips()
    const before = writes
    for (let i = 0; i < 5; i++) await notes(there)
    assert.equal(writes, before)
  })

  it('D-57 D-58 what was held before a restart is judged when the rest comes, every one of it', async () => {
    await using folder = await temporaryFolder()
    await using writer = await newInstance()
    const database = await writer.createDatabase({ key: alice })
    for (let i = 0; i < 12; i++) await put(database, `k${i}`, `${i}`)
    const [root, first, ...rest] = (await entriesOf(database)) as [SealedEntry, SealedEntry, ...SealedEntry[]]
    const open = async () => {
      await using opening = new AsyncDisposableStack()
      const store = opening.use(await createSqliteStore({ dir: folder.path }))
      const instance = opening.use(
        await newInstance({ storage: await createSqliteDocumentStorage({ store }) }),
      )
      const stack = opening.move()
      return { instance, [Symbol.asyncDispose]: () => stack.disposeAsync() }
    }
    {
      await using world = await open()
      const seen = await kinds(world.instance, root, ...rest)
      assert.deepEqual(seen, ['verified', ...rest.map(() => 'held')])
    }
    await using world = await open()
    const there = await opened(world.instance, database.id)
    assert.equal((await there.held()).length, rest.length)
    const { outcomes, released, failed } = await world.instance.ingest([first.bytes])
    assert.deepEqual([outcomes[0]!.kind, released.length, failed.length], ['verified', rest.length, 0])
    const again = await there.verify()
    assert.deepEqual([again.released, again.failed, again.advances], [[], [], []])
    assert.deepEqual(await notes(there), await notes(database))
  })
})
