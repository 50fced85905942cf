import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Doc } from '../../src/planes/documents/crdt/doc.ts'
import { mergeDocs } from '../../src/planes/documents/crdt/doc.ts'
import { decodeDoc } from '../../src/planes/documents/crdt/doc-json.ts'
import type { SealedEntry } from '../../src/planes/documents/entry/entry.ts'
import { storeNode } from '../../src/planes/documents/entry/entry.ts'
import { MemoryDocumentStorage } from '../../src/planes/documents/storage/document-storage.memory.ts'
import { docStore } from '../../src/planes/documents/stores/doc-store.ts'
import { table } from '../../src/planes/documents/stores/table.ts'
import { alice, bob, configure, grant, refused } from '../helpers/document-keys.ts'
import { copy, entriesOf, newInstance, notes, opened, put } from '../helpers/document-world.ts'
import { FakeClock } from '../helpers/fake-clock.ts'

interface Task {
  readonly title: string
  readonly done: boolean
}
const tasks = table<Task>({
  parse(json) {
    if (typeof (json as Task).title !== 'string') throw new Error('a task has a title')
    return json as Task
  },
})

describe('DocStore', () => {
  it('D-40 what the transaction deleted is gone for it, also where only the history has it', async () => {
    await using instance = await newInstance()
    const database = await instance.createDatabase({ key: alice })
    await put(database, 'a.b', 'old')
    await database.transact(async (tx) => {
      const doc = await tx.getStore('notes', docStore)
      assert.equal(doc.delete('a.b'), true)
      assert.equal(doc.get('a.b'), undefined)
      assert.equal(doc.has('a.b'), false)
      assert.throws(() => doc.getText('a.b'), refused('document/not-found'))
      assert.equal(doc.delete('a.b'), false)
      assert.equal(doc.delete('never'), false)
      doc.set('a.c', 'new')
      assert.deepEqual(doc.getAll().toJson(), { a: { c: 'new' } })
      assert.equal(doc.delete('a'), true)
      assert.deepEqual(doc.keys(), [])
    })
    assert.deepEqual(await notes(database), {})
  })

  it('D-28 a node that is deleted and made again in one transaction has none of its old children', async () => {
    await using instance = await newInstance()
    const database = await instance.createDatabase({ key: alice })
    await put(database, 'node.old', 'x')
    await database.transact(async (tx) => {
      const doc = await tx.getStore('notes', docStore)
      doc.delete('node')
      doc.set('node.new', 'y')
      assert.deepEqual(doc.getAll().toJson(), { node: { new: 'y' } })
    })
    assert.deepEqual(await notes(database), { node: { new: 'y' } })
    await instance.clearStates()
    assert.deepEqual(await notes(database), { node: { new: 'y' } })
  })

  it('reads and changes values of every kind, and says when one is of another', async () => {
    await using instance = await newInstance()
    const database = await instance.createDatabase({ key: alice })
    await database.transact(async (tx) => {
      const doc = await tx.getStore('notes', docStore)
      doc.set('text', 't')
      doc.set('int', 2n ** 60n)
      doc.set('doc', { x: { y: true }, n: null })
      doc.push('list', 'first')
      doc.setJson('json', { pi: 3.14 })
    })
    await database.transact(async (tx) => {
      const doc = await tx.getStore('notes', docStore)
      assert.equal(doc.getText('text'), 't')
      assert.equal(doc.getInt('int'), 2n ** 60n)
      assert.equal(doc.getDoc('doc').get('x.y'), true)
      assert.equal(doc.get('doc.n'), null)
      assert.deepEqual(doc.getJson('json'), { pi: 3.14 })
      assert.equal(doc.replace('text', 'u'), 't')
      assert.equal(doc.getOrInsert('text', 'v'), 'u')
      assert.equal(doc.getOrInsert('more', 'v'), 'v')
      doc.push('list', 'second')
      doc.modify('list', () => doc.getList('list').remove(0))
      doc.modify('int', (value) => (value as bigint) + 1n)
      assert.equal(doc.get('list.0'), 'second')
      for (const wrong of [
        () => doc.getInt('text'),
        () => doc.getText('doc'),
        () => doc.getList('doc'),
        () => doc.getDoc('list'),
      ])
        assert.throws(wrong, refused('document/bad-value'))
      assert.throws(() => doc.getJson('text'), refused('document/bad-value'))
      assert.throws(() => doc.set('f', 0.5), refused('document/bad-value'))
      assert.throws(() => doc.setJson('u', undefined), refused('document/bad-value'))
    })
    const whole = await notes(database)
    assert.deepEqual(whole.list, ['second'])
    assert.equal(whole.int, String(2n ** 60n + 1n))
  })

  it('D-30 two peers that append to one list keep both items, in one order', async () => {
    await using first = await newInstance()
    await using second = await newInstance()
    const here = await first.createDatabase({ key: alice })
    const append = (database: typeof here, value: string) =>
      database.transact(async (tx) => (await tx.getStore('notes', docStore)).push('list', value))
    await append(here, 'a')
    await copy(here, second)
    const there = await opened(second, here.id, alice)
    await append(here, 'b')
    await append(there, 'c')
    await copy(here, second)
    await copy(there, first)
    const [left, right] = [await notes(here), await notes(there)]
    assert.deepEqual(left, right)
    assert.deepEqual((left.list as string[]).toSorted(), ['a', 'b', 'c'])
  })

  it('what was read does not change under the reader', async () => {
    await using instance = await newInstance()
    const database = await instance.createDatabase({ key: alice })
    await put(database, 'a.b', '1')
    using view = await database.view()
    const doc = await view.getStore('notes', docStore)
    const held = doc.getDoc('a')
    await put(database, 'a.b', '2')
    await put(database, 'a.c', '3')
    assert.deepEqual(await notes(database), { a: { b: '2', c: '3' } })
    assert.deepEqual(held.toJson(), { b: '1' })
    assert.deepEqual(doc.getAll().toJson(), { a: { b: '1' } })
    const later = await database.read(async (now) => (await now.getStore('notes', docStore)).getDoc('a'))
    await put(database, 'a.b', '4')
    await notes(database)
    assert.deepEqual(later.toJson(), { b: '2', c: '3' })
  })
})

describe('Table', () => {
  it('D-36 rows are added under new keys, changed, deleted, found; staged ones too', async () => {
    await using instance = await newInstance()
    const database = await instance.createDatabase({ key: alice })
    let milk = ''
    await database.transact(async (tx) => {
      const list = await tx.getStore('tasks', tasks)
      milk = list.insert({ title: 'milk', done: false })
      const bread = list.insert({ title: 'bread', done: false })
      assert.notEqual(milk, bread)
      assert.match(milk, /^[0-9a-f-]{36}$/)
      list.set('a.dotted/key', { title: 'dotted', done: true })
      assert.equal(list.search(({ done }) => !done).length, 2)
      assert.deepEqual(list.get(milk), { title: 'milk', done: false })
    })
    await database.transact(async (tx) => {
      const list = await tx.getStore('tasks', tasks)
      list.set(milk, { title: 'milk', done: true })
      assert.equal(list.delete('a.dotted/key'), true)
      assert.equal(list.delete('a.dotted/key'), false)
      assert.equal(list.get('a.dotted/key'), undefined)
      list.set('a.dotted/key', { title: 'again', done: false })
      const titles = [...list.rows()].map(([, { title }]) => title).sort()
      assert.deepEqual(titles, ['again', 'bread', 'milk'])
    })
    await database.transact(async (tx) => {
      const list = await tx.getStore('tasks', tasks)
      assert.equal(list.get(milk)?.done, true)
      list.set('bad', { done: true } as Task)
      assert.throws(() => list.get('bad'), refused('document/bad-value'))
    })
  })

  it('D-36 of one row the later version stays whole, and different rows both', async () => {
    await using first = await newInstance()
    await using second = await newInstance()
    const here = await first.createDatabase({ key: alice })
    const set = (database: typeof here, key: string, task: Task) =>
      database.transact(async (tx) => (await tx.getStore('tasks', tasks)).set(key, task))
    await set(here, 'shared', { title: 'x', done: false })
    await copy(here, second)
    const there = await opened(second, here.id, alice)
    await set(here, 'shared', { title: 'here', done: false })
    await set(there, 'shared', { title: 'x', done: true })
    await set(there, 'other', { title: 'other', done: false })
    await copy(here, second)
    await copy(there, first)
    const all = (database: typeof here) =>
      database.read(async (view) => new Map((await view.getStore('tasks', tasks)).rows()))
    const [left, right] = [await all(here), await all(there)]
    assert.deepEqual(left, right)
    assert.equal(left.size, 2)
    const { title, done } = left.get('shared')!
    assert.ok((title === 'here' && !done) || (title === 'x' && done))
  })
})

describe('the index of stores', () => {
  it('D-37 the first use registers a store in the same entry; a view does not; another type is refused', async () => {
    await using instance = await newInstance()
    const database = await instance.createDatabase({ key: alice })
    await database.read((view) => view.getStore('notes', docStore))
    const registered = () => database.read(async (view) => (await view.index()).list())
    assert.deepEqual(await registered(), [])
    const id = await put(database, 'k', 'v')
    const { entry } = await database.entry(id)
    assert.deepEqual(
      entry.stores.map(({ name }) => name),
      ['_index', 'notes'],
    )
    const second = await database.entry(await put(database, 'k', 'w'))
    assert.deepEqual(
      second.entry.stores.map(({ name }) => name),
      ['notes'],
    )
    await assert.rejects(
      database.transact((tx) => tx.getStore('notes', tasks)),
      refused('document/store-type'),
    )
    await assert.rejects(
      database.read((view) => view.getStore('notes', tasks)),
      refused('document/store-type'),
    )
    for (const name of ['_settings', '_root', '_index', ''])
      await assert.rejects(
        database.transact((tx) => tx.getStore(name, docStore)),
        refused('document/store-reserved'),
      )
    assert.deepEqual(await registered(), ['notes'])
    const bare = await database.entry(await database.transact((tx) => tx.getStore('bare', docStore)))
    const node = storeNode(bare.entry, 'bare')
    assert.deepEqual([node?.data, node?.parents], [undefined, []])
  })

  it('stores made with the database come with its first entry; settings and index stay closed, and a failure leaves nothing', async () => {
    await using instance = await newInstance()
    const database = await instance.createDatabase({
      key: alice,
      async init(tx) {
        const doc = await tx.getStore('notes', docStore)
        doc.set('k', 'v')
        await assert.rejects(tx.settings(), refused('document/store-reserved'))
        await assert.rejects(tx.index(), refused('document/store-reserved'))
      },
    })
    assert.equal(await database.count(), 1)
    assert.deepEqual(await notes(database), { k: 'v' })
    const failing = instance.createDatabase({
      key: alice,
      init: async () => {
        throw new Error('no')
      },
    })
    await assert.rejects(failing, /no/)
    assert.deepEqual(await instance.databases(), [database.id])
  })

  it('a view writes nothing', async () => {
    await using instance = await newInstance()
    const database = await instance.createDatabase({ key: alice })
    await put(database, 'k', 'v')
    using view = await database.view()
    const doc = await view.getStore('notes', docStore)
    assert.throws(() => doc.set('k', 'w'), refused('document/read-only'))
    await assert.rejects(view.commit(), refused('document/read-only'))
  })
})

describe('heights', () => {
  it('D-19 D-20 timestamps are the clock, but never below a parent; the setting counts for the entry that makes it', async () => {
    const clock = new FakeClock(1_000_000)
    await using instance = await newInstance({ clock })
    const database = await instance.createDatabase({ key: alice })
    const height = async (id: Awaited<ReturnType<typeof put>>) => (await database.entry(id)).entry.height
    assert.equal(await height(await put(database, 'k', '1')), 1)
    const change = configure(database, (settings) => settings.setHeightStrategy('timestamp'))
    assert.equal(await height(await change), 1_000_000)
    clock.jump(-500)
    assert.equal(await height(await put(database, 'k', '2')), 1_000_001)
    clock.jump(5_000)
    assert.equal(await height(await put(database, 'k', '3')), 1_004_500)
    await using other = await newInstance({ clock })
    assert.ok((await copy(database, other)).outcomes.every(({ kind }) => kind === 'verified'))
    await using early = await newInstance({ clock: new FakeClock(1_000) })
    const { outcomes } = await copy(database, early)
    const codes = outcomes.map((outcome) => (outcome.kind === 'refused' ? outcome.code : outcome.kind))
    assert.deepEqual(codes, ['verified', 'verified', 'document/too-new', 'held', 'held'])
  })

  it('D-20 a store may have heights of its own; others and the system’s inherit', async () => {
    const clock = new FakeClock(5_000)
    await using instance = await newInstance({ clock })
    const database = await instance.createDatabase({ key: alice })
    const write = () =>
      database.transact(async (tx) => {
        const [timed, plain] = [await tx.getStore('timed', docStore), await tx.getStore('plain', docStore)]
        const index = await tx.index()
        if (index.heightStrategy('timed') === undefined) index.setHeightStrategy('timed', 'timestamp')
        timed.set('k', 1)
        plain.set('k', 1)
      })
    const first = (await database.entry(await write())).entry
    clock.jump(-10)
    const second = (await database.entry(await write())).entry
    const heights = (entry: typeof first) => entry.stores.map(({ name, height }) => [name, height])
    assert.deepEqual(heights(first), [
      ['_index', undefined],
      ['plain', undefined],
      ['timed', 5_000],
    ])
    assert.deepEqual(heights(second), [
      ['plain', undefined],
      ['timed', 5_001],
    ])
    assert.deepEqual([first.height, second.height], [1, 2])
    await using other = await newInstance({ clock })
    assert.ok((await copy(database, other)).outcomes.every(({ kind }) => kind === 'verified'))
  })
})

describe('materialised state', () => {
  /** The plain definition: every payload of the store that is held, in canonical order, from empty. */
  const naive = (entries: readonly SealedEntry[], store: string): Doc =>
    entries.reduce(
      (state, { entry }) => {
        const data = storeNode(entry, store)?.data
        return data === undefined ? state : mergeDocs(state, decodeDoc(data))
      },
      decodeDoc(Buffer.from('{"children":{}}')),
    )

  it('D-31 D-32 is the fold of what is held, for any order of arrival, whatever was read and saved before', async () => {
    const step = fc.record({
      node: fc.nat(1),
      key: fc.nat(3),
      kind: fc.constantFrom('set', 'delete', 'deep', 'give', 'read'),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 30 }), async (steps) => {
        await using first = await newInstance()
        await using second = await newInstance()
        const nodes = [first, second] as const
        const origin = await first.createDatabase({ key: alice })
        await copy(origin, second)
        for (const [i, { node, key, kind }] of steps.entries()) {
          const database = await opened(nodes[node]!, origin.id, alice)
          if (kind === 'give') await copy(database, nodes[1 - node]!)
          else if (kind === 'read') await notes(database)
          else
            await database.transact(async (tx) => {
              const doc = await tx.getStore('notes', docStore)
              if (kind === 'set') doc.set(`k${key}`, i)
              else if (kind === 'deep') doc.set(`k${key}.x${i % 3}`, i)
              else doc.delete(`k${key}`)
            })
        }
        await copy(origin, second)
        await copy(await opened(second, origin.id), first)
        const entries = await entriesOf(origin)
        const expected = naive(entries, 'notes').toJson()
        assert.deepEqual(await notes(origin), expected)
        assert.deepEqual(await notes(await opened(second, origin.id)), expected)
        await using third = await newInstance()
        await copy(origin, third)
        assert.deepEqual(await notes(await opened(third, origin.id)), expected)
        for (const { id } of entries) {
          const past = entries.filter((entry) => entry.id === id || isAncestor(entries, entry, id))
          assert.deepEqual(await notes(origin, [id]), naive(past, 'notes').toJson())
        }
      }),
      { numRuns: 40 },
    )
  })

  function isAncestor(entries: readonly SealedEntry[], entry: SealedEntry, of: SealedEntry['id']): boolean {
    const byId = new Map(entries.map((one) => [one.id, one]))
    const stack = [...byId.get(of)!.entry.parents]
    for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
      if (at === entry.id) return true
      stack.push(...byId.get(at)!.entry.parents)
    }
    return false
  }

  it('a long history is read from its saved state after the storage was opened again, not replayed', async () => {
    const storage = new MemoryDocumentStorage()
    await using writer = await newInstance({ storage })
    const database = await writer.createDatabase({ key: alice })
    for (let i = 0; i < 1_200; i++) await put(database, `k${i % 50}`, `${i}`)
    await notes(database)
    await writer[Symbol.asyncDispose]()
    let reads = 0
    const counting = new Proxy(storage, {
      get(target, name) {
        if (name !== 'read') {
          const value = Reflect.get(target, name)
          return typeof value === 'function' ? value.bind(target) : value
        }
        return <T>(work: Parameters<typeof storage.read<T>>[0]) =>
          target.read((view) =>
            work(
              new Proxy(view, {
                get(inner, part) {
                  if (part === 'entry') reads += 1
                  const value = Reflect.get(inner, part)
                  return typeof value === 'function' ? value.bind(inner) : value
                },
              }),
            ),
          )
      },
    })
    await using reader = await newInstance({ storage: counting })
    const again = await reader.database(database.id, { key: alice })
    const before = reads
    const state = await notes(again)
    assert.equal(state.k49, '1199')
    assert.equal(Object.keys(state).length, 50)
    assert.ok(reads - before < 800, `${reads - before} of 1,200 entries were read`)
    await reader.clearStates()
    assert.deepEqual(await notes(again), state)
  })

  it('a payload that cannot be read counts for nothing, and does not stop the others', async () => {
    await using instance = await newInstance()
    const database = await instance.createDatabase({ key: alice })
    await put(database, 'k', 'v')
    const { forge } = await import('../helpers/document-keys.ts')
    const [tip] = await database.tips()
    const stores = [{ name: 'notes', parents: [tip!], data: Buffer.from('garbage'), height: undefined }]
    const bad = await forge(database, alice, () => ({ stores }))
    const { outcomes } = await instance.ingest([bad.bytes])
    assert.deepEqual(outcomes[0]?.kind, 'verified')
    await put(database, 'more', 'w')
    assert.deepEqual(await notes(database), { k: 'v', more: 'w' })
  })
})

describe('write events', () => {
  it('D-63 D-65 each commit is one local event, and the events of a listener follow on each other', async () => {
    await using instance = await newInstance()
    const database = await instance.createDatabase({ key: alice })
    const seen: [readonly string[], readonly string[], string][] = []
    const every: string[] = []
    using _all = instance.onWrite(({ source }) => void every.push(source))
    using _one = await database.onWrite(({ previousTips, postTips, source }) => {
      seen.push([previousTips, postTips, source])
    })
    await put(database, 'k', '1')
    const late: (readonly string[])[] = []
    using _late = await database.onWrite(({ previousTips }) => void late.push(previousTips))
    using _past = await database.onWrite(({ previousTips }) => void late.push(previousTips), [database.id])
    await Promise.all([put(database, 'k', '2'), put(database, 'l', '3'), put(database, 'm', '4')])
    assert.equal(seen.length, 4)
    assert.deepEqual(seen[0]![0], [database.id])
    for (const [i, [previous]] of seen.entries()) if (i > 0) assert.deepEqual(previous, seen[i - 1]![1])
    assert.deepEqual(seen.at(-1)![1], await database.tips())
    assert.deepEqual(late.slice(0, 2), [seen[0]![1], [database.id]])
    assert.deepEqual(every, Array(4).fill('local'))
  })

  it('D-64 a batch from outside is one event when something became readable, and none otherwise', async () => {
    await using writer = await newInstance()
    const database = await writer.createDatabase({ key: alice })
    for (let i = 0; i < 4; i++) await put(database, 'k', `${i}`)
    const [root, ...rest] = await entriesOf(database)
    await using reader = await newInstance()
    const seen: string[] = []
    using _all = reader.onWrite(({ source, postTips }) => void seen.push(`${source} ${postTips.length}`))
    await reader.ingest([root!.bytes])
    await reader.ingest([])
    await reader.ingest(rest.slice(1).map(({ bytes }) => bytes))
    assert.deepEqual(seen, ['remote 1'])
    await reader.ingest([rest[0]!.bytes])
    assert.deepEqual(seen, ['remote 1', 'remote 1'])
    await reader.ingest(rest.map(({ bytes }) => bytes))
    assert.equal(seen.length, 2)
  })

  it('D-66 a listener may write to the same database, may fail, and is gone when it was disposed of', async () => {
    await using instance = await newInstance()
    const database = await instance.createDatabase({ key: alice })
    const calls: string[] = []
    const written = Promise.withResolvers<unknown>()
    using _failing = await database.onWrite(() => {
      calls.push('failing')
      throw new Error('no')
    })
    using _rejecting = await database.onWrite(async () => {
      calls.push('rejecting')
      throw new Error('no')
    })
    const gone = await database.onWrite(() => void calls.push('gone'))
    gone[Symbol.dispose]()
    using _writing = await database.onWrite(async () => {
      calls.push('writing')
      if (calls.filter((call) => call === 'writing').length === 1)
        written.resolve(await put(database, 'by', 'listener'))
    })
    await put(database, 'k', 'v')
    await written.promise
    assert.deepEqual(await notes(database), { k: 'v', by: 'listener' })
    assert.deepEqual(calls, ['failing', 'rejecting', 'writing', 'failing', 'rejecting', 'writing'])
  })

  it('D-67 the ids of a bracket come parents first, without what was there, and none for one that runs backwards', async () => {
    await using instance = await newInstance()
    const database = await instance.createDatabase({ key: alice })
    const first = await put(database, 'k', '1')
    const left = await put(database, 'k', 'l', [first])
    const right = await put(database, 'k', 'r', [first])
    const join = await put(database, 'k', 'j')
    const both = await database.idsAdded([first], [join])
    assert.deepEqual(new Set(both), new Set([left, right, join]))
    assert.equal(both.at(-1), join)
    assert.deepEqual(await database.idsAdded([join], [join]), [])
    assert.deepEqual(await database.idsAdded([join], [first]), [])
    assert.deepEqual(await database.idsAdded([left], [right]), [right])
    assert.deepEqual((await database.idsAdded([], [join])).slice(0, 2), [database.id, first])
  })
})

describe('held entries', () => {
  it('T-MAL-14 are bounded per database, and what is beyond is refused and may come again', async () => {
    await using writer = await newInstance()
    const database = await writer.createDatabase({ key: alice })
    await configure(database, (settings) => settings.setKey(bob.publicKey, grant('write:1')))
    for (let i = 0; i < 6; i++) await put(database, 'k', `${i}`)
    const entries = await entriesOf(database)
    const { defaultDocumentLimits } = await import('../../src/planes/documents/document-limits.ts')
    await using reader = await newInstance({ limits: { ...defaultDocumentLimits, maxHeld: 3 } })
    const { outcomes } = await reader.ingest([entries[0]!, ...entries.slice(2)].map(({ bytes }) => bytes))
    const codes = outcomes.map((outcome) => (outcome.kind === 'refused' ? outcome.code : outcome.kind))
    const over = 'document/too-many-orphans'
    assert.deepEqual(codes, ['verified', 'held', 'held', 'held', over, over, over])
    const { released } = await reader.ingest([entries[1]!.bytes])
    assert.equal(released.length, 3)
    await copy(database, reader)
    assert.deepEqual(await notes(await opened(reader, database.id)), await notes(database))
  })
})
