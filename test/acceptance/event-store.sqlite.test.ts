import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, describe, it } from 'node:test'
import { systemClock } from '../../src/kernel/clock.ts'
import { silentLogger } from '../../src/kernel/logger.ts'
import type { Store } from '../../src/kernel/store.ts'
import { createSqliteEventStore } from '../../src/planes/events/event-store.sqlite.ts'
import { everything } from '../../src/planes/events/event-store.ts'
import type { Filter } from '../../src/planes/events/filter.ts'
import { createSqliteStore } from '../../src/stores/sqlite/sqlite-store.ts'
import type { SqliteTx } from '../../src/stores/sqlite/sqlite-tx.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { asParsed, authors, craft, hexId } from './event-arbitrary.ts'
import { type EventStoreConfig, type EventStoreSetup, naiveFingerprint } from './event-store/world.ts'
import { eventStoreSuite } from './event-store-suite.ts'

let directory: string
let stores = 0

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'syncline-events-'))
})
after(() => rm(directory, { recursive: true, force: true }))

const newDir = () => join(directory, `store-${stores++}`)

async function openAt(dir: string, config: EventStoreConfig): Promise<EventStoreSetup<SqliteTx>> {
  await using opening = new AsyncDisposableStack()
  const store = opening.use(await createSqliteStore({ dir }))
  const events = opening.use(await createSqliteEventStore({ store, ...config, log: silentLogger }))
  const stack = opening.move()
  return {
    store: events,
    transaction: (work) => store.transaction(work),
    async reopen(next) {
      await stack.disposeAsync()
      return await openAt(dir, next)
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

eventStoreSuite('on SQLite', (config) => openAt(newDir(), config))

const config = () => ({ relayUrls: [], restrictedKinds: [4, 1059], clock: new FakeClock(100_000) })

/** Hands every statement that is prepared through `store` to `seen`. */
function spying(store: Store<SqliteTx>, seen: Set<string>): Store<SqliteTx> {
  const spyOn = (tx: SqliteTx): SqliteTx => ({
    db: tx.db,
    prepare(sql) {
      seen.add(sql)
      return tx.prepare(sql)
    },
    beforeCommit: (key, work) => tx.beforeCommit(key, work),
    afterCommit: (work) => tx.afterCommit(work),
    onRollback: (work) => tx.onRollback(work),
  })
  return {
    transaction: (work, options) => store.transaction((tx) => work(spyOn(tx)), options),
    read: (work) => store.read((tx) => work(spyOn(tx))),
    migrate: (migrations) => store.migrate(migrations),
    peers: store.peers,
    links: store.links,
    jobs: store.jobs,
    outbox: store.outbox,
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  }
}

describe('event store on SQLite: plans', () => {
  const [alice = '', bob = ''] = authors
  const times = { since: 1, until: 5_000 }
  const filters: readonly Filter[] = [
    {},
    times,
    { ids: [hexId(1), hexId(2)] },
    { authors: [alice, bob] },
    { authors: [alice, bob], ...times },
    { authors: [alice], kinds: [1, 7] },
    { kinds: [1, 7], ...times },
    { '#p': [bob] },
    { '#p': [bob, alice], kinds: [1], ...times },
    { '#p': [bob], '#t': ['x'], authors: [alice] },
    { ids: [hexId(1)], '#t': ['x'], kinds: [1], authors: [alice] },
  ]

  it('every shape of filter is answered through an index, and nothing but ties is ever sorted', async () => {
    const seen = new Set<string>()
    await using real = await createSqliteStore({ dir: newDir() })
    const store = spying(real, seen)
    const clock = new FakeClock(100_000)
    await using events = await createSqliteEventStore({ store, ...config(), clock, log: silentLogger })
    const list = Array.from({ length: 600 }, (_, at) =>
      craft({
        id: hexId(at),
        pubkey: [alice, bob][at % 2]!,
        kind: [1, 7, 0, 30_000][at % 4]!,
        created_at: at,
        tags: [
          ['p', bob],
          ['t', 'x'],
          ['d', `${at}`],
        ],
      }),
    )
    const deletion = craft({
      id: hexId('d'),
      kind: 5,
      created_at: 700,
      tags: [
        ['e', hexId(1)],
        ['a', `30000:${alice}:2`],
      ],
    })
    const request = craft({
      id: hexId('v'),
      kind: 62,
      pubkey: bob,
      created_at: 300,
      tags: [['relay', 'ALL_RELAYS']],
    })
    const fading = craft({ id: hexId('x'), tags: [['expiration', '101']] })
    await events.put([...list, deletion, request, fading].map(asParsed))
    for (const filter of filters) {
      for (const pubkeys of [[], [alice]]) {
        const visibility = { restrictedKinds: [4, 1059], pubkeys }
        for (const order of ['asc', 'desc', 'reverse', 'seq'] as const) {
          const first = await events.page({ filter, order, limit: 2, visibility })
          const last = first.events.at(-1)
          if (last === undefined) continue
          const after = order === 'seq' ? last.seq : { timestamp: last.created_at, id: last.id }
          await events.page({ filter, order, limit: 2, visibility, after })
        }
        await events.query([filter, {}], { defaultLimit: 5, maxLimit: 5, visibility })
        await events.count([filter], visibility)
        await events.count([filter, { kinds: [1] }], visibility)
        await events.fingerprint(filter, visibility)
      }
    }
    await events.known([hexId(1)])
    await events.get([hexId(1)])
    clock.jump(2_000)
    assert.equal(await events.sweep(), 1)

    const bad = await real.read(({ db }) => {
      return [...seen].flatMap((sql) => {
        const parameters = Array.from(sql.matchAll(/\?/g), () => null)
        const plan = db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...parameters)
        return plan.map(({ detail }) => `${detail} in ${sql}`).filter((step) => isWhole(step))
      })
    })
    assert.deepEqual(bad, [])
    for (const index of ['event_by_time', 'event_by_kind', 'event_by_author', 'event_tags WHERE tag']) {
      assert.ok(
        [...seen].some((sql) => sql.includes(index)),
        `nothing was read through ${index}`,
      )
    }
  })

  /** Reads a whole table, or sorts more than the events of one second. */
  function isWhole(step: string): boolean {
    if (step.startsWith('SCAN')) return !/^SCAN (\(subquery-\d+\)|sqlite_sequence|event_meta)/.test(step)
    return step.startsWith('USE TEMP B-TREE') && !step.startsWith('USE TEMP B-TREE FOR LAST TERM OF ORDER BY')
  }
})

describe('event store on SQLite: fingerprint index', () => {
  const list = Array.from({ length: 900 }, (_, at) =>
    craft({ id: hexId(at), kind: at % 9 ? 1 : 4, created_at: at % 7 }),
  )
  const all = naiveFingerprint(list)
  const open = naiveFingerprint(list.filter(({ kind }) => kind !== 4))
  const stranger = { restrictedKinds: [4, 1059], pubkeys: [] }

  /** A store with the list in it, closed, then opened again with its index damaged by `sql`. */
  async function damaged(sql: string): Promise<EventStoreSetup<SqliteTx>> {
    const dir = newDir()
    const first = await openAt(dir, config())
    await first.store.put(list.map(asParsed))
    await first[Symbol.asyncDispose]()
    const store = await createSqliteStore({ dir })
    await store.transaction(({ db }) => db.exec(sql))
    await store[Symbol.asyncDispose]()
    return await openAt(dir, config())
  }

  for (const sql of [
    'DELETE FROM event_trees',
    'UPDATE event_trees SET count = count + 1',
    'UPDATE event_trees SET seq = seq - 1',
    'DELETE FROM event_leaves WHERE id = zeroblob(32)',
    'DELETE FROM event_leaves',
    "UPDATE event_trees SET hidden = '[7]' WHERE tree = 1",
  ]) {
    it(`is built anew when the store opens after ${sql}`, async () => {
      await using world = await damaged(sql)
      assert.deepEqual(await world.store.fingerprint({}, everything), all)
      assert.deepEqual(await world.store.fingerprint({}, stranger), open)
    })
  }

  it('costs the session that finds it damaged, and no later one', async () => {
    await using world = await damaged('UPDATE event_leaves SET sum = zeroblob(32)')
    const window = { since: 1, until: 3 }
    await assert.rejects(world.store.fingerprint(window, everything), { code: 'negentropy/corrupt-index' })
    const expected = naiveFingerprint(list.filter(({ created_at }) => created_at >= 1 && created_at <= 3))
    assert.deepEqual(await world.store.fingerprint(window, everything), expected)
    assert.deepEqual(await world.store.fingerprint({}, everything), all)
  })

  it('never fails a write when it is found damaged in it', async () => {
    await using world = await damaged('UPDATE event_leaves SET sum = zeroblob(32)')
    const more = list.map(({ id, ...event }) => craft({ ...event, id: hexId(`more ${id}`), created_at: 3 }))
    await world.store.put(more.map(asParsed))
    assert.deepEqual(await world.store.fingerprint({}, everything), naiveFingerprint([...list, ...more]))
  })

  it('E-129 lets other work run while a set is read', async () => {
    await using store = await createSqliteStore({ dir: newDir() })
    let elapsed = 0
    const clock = {
      ...systemClock,
      monotonic() {
        elapsed += 10
        return elapsed
      },
    }
    await using events = await createSqliteEventStore({ store, ...config(), clock, log: silentLogger })
    await events.put(Array.from({ length: 4_000 }, (_, at) => asParsed(craft({ id: hexId(at) }))))
    let turns = 0
    let reading = true
    const count = () => {
      turns += 1
      if (reading) setImmediate(count)
    }
    setImmediate(count)
    const { count: found } = await events.fingerprint({ kinds: [1] }, everything)
    reading = false
    assert.equal(found, 4_000)
    assert.ok(turns >= 4, `other work ran ${turns} times`)
  })
})

describe('event store on SQLite: killed', () => {
  it('K1 everything put resolved for is there after SIGKILL, and the fingerprint fits it', async () => {
    const dir = newDir()
    const writer = new URL('./event-store-writer.ts', import.meta.url)
    const child = spawn(process.execPath, [writer.pathname, dir], { stdio: ['ignore', 'pipe', 'inherit'] })
    let acknowledged = 0
    for await (const line of createInterface({ input: child.stdout })) {
      acknowledged = Number(line)
      if (acknowledged >= 2_000) break
    }
    child.kill('SIGKILL')
    await once(child, 'exit')
    await using world = await openAt(dir, config())
    const expected = Array.from({ length: acknowledged }, (_, at) => hexId(at))
    const known = await world.store.known(expected)
    assert.ok(acknowledged >= 2_000)
    assert.deepEqual(
      expected.filter((id) => !known.has(id)),
      [],
    )
    const stored: { id: string }[] = []
    for (let at = 0; ; ) {
      const page = await world.store.page({
        filter: {},
        order: 'seq',
        after: at,
        limit: 5_000,
        visibility: everything,
      })
      stored.push(...page.events)
      if (page.complete) break
      at = page.events.at(-1)!.seq
    }
    assert.deepEqual(await world.store.fingerprint({}, everything), naiveFingerprint(stored))
  })
})
