import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { defaultDocumentLimits } from '../../src/planes/documents/document-limits.ts'
import type { SealedEntry } from '../../src/planes/documents/entry/entry.ts'
import { sealEntry } from '../../src/planes/documents/entry/entry-encoder.ts'
import { rawIdOf } from '../../src/planes/documents/entry/entry-id.ts'
import { createWorkerSignatureVerifier } from '../../src/planes/documents/ingest/signature-verifier.workers.ts'
import { Instance } from '../../src/planes/documents/instance.ts'
import { MemoryDocumentStorage } from '../../src/planes/documents/storage/document-storage.memory.ts'
import { createSqliteDocumentStorage } from '../../src/planes/documents/storage/document-storage.sqlite.ts'
import { docStore } from '../../src/planes/documents/stores/doc-store.ts'
import { table } from '../../src/planes/documents/stores/table.ts'
import { createSqliteStore } from '../../src/stores/sqlite/sqlite-store.ts'
import {
  copy,
  entriesOf,
  keyNumber,
  kinds,
  newInstance,
  notes,
  opened,
  put,
} from '../helpers/document-world.ts'
import { makeEntry } from '../helpers/entry-maker.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

const alice = keyNumber(1)
const refused = (code: string) => ({ name: 'DocumentError', code })
const rows = table({ parse: (json) => json as { readonly title: string } })

describe('databases', () => {
  it('D-9 two databases with equal settings by one key are two', async () => {
    await using instance = await newInstance()
    const [one, two] = [
      await instance.createDatabase({ key: alice, name: 'x' }),
      await instance.createDatabase({ key: alice, name: 'x' }),
    ]
    assert.notEqual(one.id, two.id)
    assert.equal((await instance.databases()).length, 2)
  })

  it('D-42 the creator is its admin with priority 0, and nobody brings other keys', async () => {
    await using instance = await newInstance()
    const database = await instance.createDatabase({ key: alice, name: 'x', settings: { colour: 'red' } })
    const { keys } = await database.auth()
    assert.deepEqual(
      [...keys],
      [[alice.publicKey, { permission: { type: 'admin', priority: 0 }, status: 'active' }]],
    )
    const settings = { auth: {} }
    await assert.rejects(instance.createDatabase({ key: alice, settings }), refused('document/bad-settings'))
    const [name, colour] = await database.read(async (view) => {
      const store = await view.settings()
      return [store.name, store.get('colour')]
    })
    assert.deepEqual([name, colour], ['x', 'red'])
  })

  it('D-41 changes to several stores are seen together, failing work writes nothing, and a commit is the last', async () => {
    await using instance = await newInstance()
    const database = await instance.createDatabase({ key: alice })
    await database.transact(async (tx) => {
      const doc = await tx.getStore('notes', docStore)
      const list = await tx.getStore('rows', rows)
      doc.set('a', 1)
      list.set('r', { title: 'first' })
      assert.equal(doc.get('a'), 1)
      assert.deepEqual(await notes(database), {})
    })
    assert.equal(await database.count(), 2)
    const failing = database.transact(async (tx) => {
      const doc = await tx.getStore('notes', docStore)
      doc.set('a', 2)
      throw new Error('no')
    })
    await assert.rejects(failing, /no/)
    assert.deepEqual(await notes(database), { a: 1 })
    assert.equal(await database.count(), 2)
    const tx = await database.begin()
    const doc = await tx.getStore('notes', docStore)
    doc.set('a', 3)
    await tx.commit()
    await assert.rejects(tx.commit(), refused('document/transaction-over'))
    assert.throws(() => doc.set('a', 4), refused('document/transaction-over'))
    assert.throws(() => doc.get('a'), refused('document/transaction-over'))
    assert.deepEqual(await notes(database), { a: 3 })
  })

  it('an empty commit makes an entry too', async () => {
    await using instance = await newInstance()
    const database = await instance.createDatabase({ key: alice })
    const id = await database.transact(() => {})
    assert.deepEqual((await database.entry(id)).entry.stores, [])
    assert.deepEqual(await database.tips(), [id])
  })

  it('D-18 a transaction builds on known entries of its own database, and on at least one', async () => {
    await using instance = await newInstance()
    const [one, two] = [
      await instance.createDatabase({ key: alice }),
      await instance.createDatabase({ key: alice }),
    ]
    await assert.rejects(one.begin({ tips: [] }), refused('document/bad-parents'))
    await assert.rejects(one.begin({ tips: [two.id] }), refused('document/foreign'))
    await using other = await newInstance()
    const elsewhere = await other.createDatabase({ key: alice })
    await assert.rejects(one.begin({ tips: [elsewhere.id] }), refused('document/unknown-entry'))
    await assert.rejects(instance.database(elsewhere.id), refused('document/unknown-database'))
    await assert.rejects(one.entry(two.id), refused('document/foreign'))
  })

  it('D-24 entries of one database are not seen through another', async () => {
    await using instance = await newInstance()
    const [one, two] = [
      await instance.createDatabase({ key: alice }),
      await instance.createDatabase({ key: alice }),
    ]
    const id = await put(two, 'k', 'v')
    await assert.rejects(one.entry(id), refused('document/foreign'))
    assert.deepEqual(
      (await entriesOf(one)).map((entry) => entry.id),
      [one.id],
    )
  })

  it('D-32 D-33 D-34 concurrent writes of one key come to one value everywhere, of different keys to both', async () => {
    await using first = await newInstance()
    await using second = await newInstance()
    const here = await first.createDatabase({ key: alice })
    await copy(here, second)
    const there = await opened(second, here.id, alice)
    await put(here, 'same', 'here')
    await put(here, 'only here', 'x')
    await put(there, 'same', 'there')
    await put(there, 'only there', 'y')
    await copy(here, second)
    await copy(there, first)
    const [left, right] = [await notes(here), await notes(there)]
    assert.deepEqual(left, right)
    assert.deepEqual(await here.tips(), await there.tips())
    assert.equal((await here.tips()).length, 2)
    assert.ok(left.same === 'here' || left.same === 'there')
    const tips = await here.tips()
    assert.deepEqual(await notes(here, tips.toReversed()), left, 'D-32 whatever the order of the tips')
    assert.deepEqual(Object.keys(left).sort(), ['only here', 'only there', 'same'])
    await put(here, 'joined', 'z')
    assert.equal((await here.tips()).length, 1)
  })

  it('D-35 a store that two peers made on their own holds what both wrote', async () => {
    await using first = await newInstance()
    await using second = await newInstance()
    const here = await first.createDatabase({ key: alice })
    await copy(here, second)
    const there = await opened(second, here.id, alice)
    await put(here, 'a', '1')
    await put(there, 'b', '2')
    await copy(there, first)
    assert.deepEqual(await notes(here), { a: '1', b: '2' })
    await put(here, 'c', '3')
    assert.deepEqual(await notes(here), { a: '1', b: '2', c: '3' })
  })

  it('D-16 the past reads as it was', async () => {
    await using instance = await newInstance()
    const database = await instance.createDatabase({ key: alice })
    const first = await put(database, 'k', '1')
    const second = await put(database, 'k', '2')
    await put(database, 'k', '3')
    assert.deepEqual(await notes(database, [database.id]), {})
    assert.deepEqual(await notes(database, [first]), { k: '1' })
    assert.deepEqual(await notes(database, [second]), { k: '2' })
    assert.deepEqual(await notes(database), { k: '3' })
  })

  it('D-17 a transaction on older tips builds on the tips its stores had there', async () => {
    await using instance = await newInstance()
    const database = await instance.createDatabase({ key: alice })
    const first = await put(database, 'k', '1')
    await put(database, 'k', '2')
    const fork = await put(database, 'fork', 'x', [first])
    const { entry } = await database.entry(fork)
    assert.deepEqual(entry.parents, [first])
    assert.deepEqual(entry.stores.find(({ name }) => name === 'notes')!.parents, [first])
    assert.deepEqual(await notes(database, [fork]), { k: '1', fork: 'x' })
    assert.equal((await database.tips()).length, 2)
  })
})

describe('received entries', () => {
  it('D-57 D-93 arrive in any order and are all read in the end, checked by worker threads as by this one', async () => {
    await using writer = await newInstance()
    const database = await writer.createDatabase({ key: alice })
    for (let i = 0; i < 20; i++) await put(database, `k${i % 7}`, `${i}`)
    const entries = await entriesOf(database)
    const [root, ...rest] = entries
    await using reader = await newInstance({ verifier: createWorkerSignatureVerifier({ workers: 1 }) })
    assert.deepEqual(await kinds(reader, root!), ['verified'])
    for (const entry of rest.toReversed().slice(0, -1)) assert.deepEqual(await kinds(reader, entry), ['held'])
    const there = await opened(reader, database.id)
    assert.deepEqual(await notes(there), {})
    assert.equal(await there.count(), 1)
    const { outcomes, released, advances } = await reader.ingest([rest[0]!.bytes])
    assert.deepEqual(outcomes, [{ kind: 'verified', id: rest[0]!.id }])
    assert.equal(released.length, 19)
    const [{ verified, ...advance }, ...others] = advances as [(typeof advances)[number]]
    assert.deepEqual(advance, { database: database.id, before: [root!.id], after: await database.tips() })
    assert.deepEqual([others, verified.map(({ id }) => id)], [[], rest.map(({ id }) => id)])
    assert.deepEqual(await notes(there), await notes(database))
    assert.deepEqual(await kinds(reader, ...entries.slice(0, 2)), ['duplicate', 'duplicate'])
  })

  it('D-14 the root may come with everything else, in one call, in any order', async () => {
    await using writer = await newInstance()
    const database = await writer.createDatabase({ key: alice })
    for (let i = 0; i < 5; i++) await put(database, 'k', `${i}`)
    const entries = await entriesOf(database)
    await using reader = await newInstance()
    const seen = await kinds(reader, ...entries.toReversed())
    assert.deepEqual(new Set(seen), new Set(['verified']))
    assert.deepEqual(await notes(await opened(reader, database.id)), { k: '4' })
  })

  it('D-14 of a chain whose middle comes last, the end alone is left, as a tip of the database and of the store', async () => {
    await using writer = await newInstance()
    const database = await writer.createDatabase({ key: alice })
    for (const value of ['a', 'b', 'c']) await put(database, 'k', value)
    const [root, a, b, c] = (await entriesOf(database)) as [
      SealedEntry,
      SealedEntry,
      SealedEntry,
      SealedEntry,
    ]
    await using reader = await newInstance()
    assert.deepEqual(await kinds(reader, root, a), ['verified', 'verified'])
    assert.deepEqual(await kinds(reader, c), ['held'])
    assert.deepEqual(await kinds(reader, b), ['verified'])
    const there = await opened(reader, database.id, alice)
    assert.deepEqual(await there.tips(), [c.id])
    const next = await there.entry(await put(there, 'k', 'd'))
    assert.deepEqual(next.entry.parents, [c.id])
    assert.deepEqual(next.entry.stores.find(({ name }) => name === 'notes')!.parents, [c.id])
  })
})

describe('on SQLite', () => {
  it('K1 D-57 D-73 a database is the same after it was closed and opened again, and so is the device', async () => {
    await using folder = await temporaryFolder()
    const open = async () => {
      await using opening = new AsyncDisposableStack()
      const store = opening.use(await createSqliteStore({ dir: folder.path }))
      const storage = await createSqliteDocumentStorage({ store })
      const instance = opening.use(await newInstance({ storage }))
      const stack = opening.move()
      return { instance, [Symbol.asyncDispose]: () => stack.disposeAsync() }
    }
    let device: string
    let tips: readonly string[]
    let id: Awaited<ReturnType<Instance['createDatabase']>>['id']
    {
      await using world = await open()
      device = world.instance.id
      const database = await world.instance.createDatabase({ key: alice })
      id = database.id
      for (let i = 0; i < 30; i++) await put(database, `k${i}`, `${i}`)
      tips = await database.tips()
    }
    await using world = await open()
    assert.equal(world.instance.id, device)
    const database = await opened(world.instance, id, alice)
    assert.deepEqual(await database.tips(), tips)
    assert.equal(Object.keys(await notes(database)).length, 30)
    await put(database, 'more', 'x')
    assert.equal((await notes(database)).more, 'x')
  })

  it('D-73 an instance is made once, opened by who knows it, and keeps its key', async () => {
    const storage = new MemoryDocumentStorage()
    await assert.rejects(newInstance({ storage, mode: 'open' }), refused('document/instance'))
    await using made = await newInstance({ storage, mode: 'create' })
    await assert.rejects(newInstance({ storage, mode: 'create' }), refused('document/instance'))
    await using again = await newInstance({ storage, mode: 'open' })
    assert.equal(again.id, made.id)
    const system = await made.systemDatabase('_sync')
    assert.equal((await made.systemDatabase('_sync')).id, system.id)
    await using third = await Instance.open({
      storage,
      verifier: createWorkerSignatureVerifier({ workers: 1 }),
    })
    assert.equal(third.system('_sync'), system.id)
  })
})

describe('hostile and broken histories', () => {
  it('D-15 with a gap nothing beyond it is read, and what it lacks is known; when it comes, all is there', async () => {
    await using writer = await newInstance()
    const database = await writer.createDatabase({ key: alice })
    for (const name of ['b', 'c', 'd', 'e']) await put(database, name, name)
    const [a, b, c, d, e] = (await entriesOf(database)) as [
      SealedEntry,
      SealedEntry,
      SealedEntry,
      SealedEntry,
      SealedEntry,
    ]
    await using reader = await newInstance()
    assert.deepEqual(await kinds(reader, a, b, e, d), ['verified', 'verified', 'held', 'held'])
    const there = await opened(reader, database.id)
    assert.deepEqual(await there.tips(), [b.id])
    assert.deepEqual(await reader.read((view) => view.wanted(database.id, 9)), [c.id])
    assert.deepEqual(await kinds(reader, c), ['verified'])
    assert.deepEqual(await there.tips(), [e.id])
    assert.deepEqual(await reader.read((view) => view.wantedDatabases()), [])
  })

  it('T-MAL-14 a chain of thousands that arrives backwards is released without a stack as deep', async () => {
    await using writer = await newInstance()
    const database = await writer.createDatabase()
    const chain: SealedEntry[] = await entriesOf(database)
    for (let i = 0; i < 3_000; i++) chain.push(makeEntry([chain.at(-1)!], [], { pin: [chain[0]!] }))
    const [root, first, ...rest] = chain as [SealedEntry, SealedEntry, ...SealedEntry[]]
    await using reader = await newInstance()
    await kinds(reader, root)
    for (let i = rest.length; i > 0; i -= 500) {
      const part = rest.slice(Math.max(0, i - 500), i)
      assert.deepEqual(new Set(await kinds(reader, ...part.toReversed())), new Set(['held']))
    }
    const { released } = await reader.ingest([first.bytes])
    assert.equal(released.length, rest.length)
    assert.deepEqual(await (await opened(reader, database.id)).tips(), [rest.at(-1)!.id])
  })

  it('T-MAL-14 noise among entries is refused one by one, and the entries beside it are taken', async () => {
    await using writer = await newInstance()
    const database = await writer.createDatabase({ key: alice })
    await put(database, 'k', 'v')
    const [root, child] = await entriesOf(database)
    await using reader = await newInstance()
    const big = new Uint8Array(2 * 1024 * 1024)
    const cut = child!.bytes.subarray(0, 100)
    const { outcomes } = await reader.ingest([
      Uint8Array.of(),
      big,
      child!.bytes,
      cut,
      Uint8Array.of(0xff),
      root!.bytes,
    ])
    const codes = outcomes.map((outcome) => (outcome.kind === 'refused' ? outcome.code : outcome.kind))
    const noise = 'document/bad-encoding'
    assert.deepEqual(codes, [noise, 'document/too-large', 'verified', noise, noise, 'verified'])
  })

  it('T-MAL-14 an entry whose parents are ids no entry can have is refused, not held', async () => {
    await using writer = await newInstance()
    const database = await writer.createDatabase()
    const [root] = await entriesOf(database)
    const entry = makeEntry([root!], [], { pin: [root!] }).entry
    const raw = rawIdOf(Buffer.from('no entry'))
    const wrong = [
      sealEntry({ ...entry, parents: [raw] }),
      sealEntry({ ...entry, stores: [{ name: 'x', parents: [raw], data: undefined, height: undefined }] }),
    ]
    assert.deepEqual(await kinds(writer, ...wrong), ['document/bad-parents', 'document/bad-parents'])
  })

  it('T-MAL-14 a database takes no more stores than its limit, an entry no more than the entry’s', async () => {
    const limits = { ...defaultDocumentLimits, maxStores: 4, maxStoresPerEntry: 3 }
    await using instance = await newInstance({ limits })
    const database = await instance.createDatabase()
    const open = (name: string) => database.transact((tx) => tx.getStore(name, docStore))
    await open('one')
    await assert.rejects(open('two'), refused('document/too-large'))
    assert.equal(await database.count(), 2)
  })

  it('D-73 a device key that somebody brings is not stored, and no other opens the instance', async () => {
    const storage = new MemoryDocumentStorage()
    assert.equal(await Instance.deviceOf(storage), undefined)
    await using made = await newInstance({ storage, device: alice })
    assert.equal(made.id, alice.publicKey)
    assert.equal(await Instance.deviceOf(storage), alice.publicKey)
    await storage.read((view) => assert.equal(view.value('instance-secret'), undefined))
    await assert.rejects(newInstance({ storage, device: keyNumber(2) }), refused('document/instance'))
    await assert.rejects(newInstance({ storage }), refused('document/instance'))
    await using again = await newInstance({ storage, device: alice })
    assert.equal(again.id, made.id)
  })
})
