import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { NostrEvent } from '../../src/planes/events/event.ts'
import {
  type EventPage,
  type EventStore,
  everything,
  type PageRequest,
  TooManyRecords,
  type Visibility,
} from '../../src/planes/events/event-store.ts'
import type { Filter } from '../../src/planes/events/filter.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import * as arbitrary from './event-arbitrary.ts'
import { asParsed, authors, craft, hexId, ourUrl } from './event-arbitrary.ts'
import { DumbRelay, matches, maySee } from './event-oracle.ts'

export interface EventStoreConfig {
  readonly relayUrls: readonly string[]
  readonly restrictedKinds: readonly number[]
  readonly clock: FakeClock
}

export interface EventStoreSetup<Tx> extends AsyncDisposable {
  readonly store: EventStore<Tx>
  transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T>
  /** Closes the store and opens its data anew. Disposing of the old setup is then without effect. */
  reopen(config: EventStoreConfig): Promise<EventStoreSetup<Tx>>
}

const restrictedKinds = [4, 1059]
const stranger: Visibility = { restrictedKinds, pubkeys: [] }
const [alice = '', bob = '', carol = ''] = authors

/** What every event store promises, run against one implementation. */
export function eventStoreSuite<Tx>(
  name: string,
  setup: (config: EventStoreConfig) => Promise<EventStoreSetup<Tx>>,
): void {
  /** 100 s after 1970, so that events at 0 … 12 are past and expirations at 90 … 130 are near. */
  const open = () => {
    const config = { relayUrls: [ourUrl], restrictedKinds, clock: new FakeClock(100_000) }
    return setup(config).then((world) => Object.assign(world, { config, clock: config.clock }))
  }
  const seconds = (clock: FakeClock) => Math.floor(clock.now() / 1_000)
  const check = <T>(property: fc.IAsyncProperty<T>, numRuns: number) => fc.assert(property, { numRuns })

  describe(`event store ${name}: order of arrival`, () => {
    it('P-N-2 stores the same set for any order of arrival, with duplicates', async () => {
      const orders = arbitrary.events.chain((list) =>
        fc.tuple(arbitrary.arrivals(list), arbitrary.arrivals(list)),
      )
      await check(
        fc.asyncProperty(orders, async ([one, other]) => {
          await using a = await open()
          await using b = await open()
          await a.store.put(one.map(asParsed))
          for (const event of other) await b.store.put([asParsed(event)])
          assert.deepEqual(await idsOf(a.store), await idsOf(b.store))
          assert.deepEqual(
            await a.store.fingerprint({}, everything),
            await b.store.fingerprint({}, everything),
          )
        }),
        40,
      )
    })

    it('P-N-4 expiry, deletion and vanish commute with arrival and sweeping', async () => {
      const orders = arbitrary.events.chain((list) =>
        fc.tuple(arbitrary.arrivals(list), arbitrary.arrivals(list), fc.integer({ min: 0, max: 40 })),
      )
      await check(
        fc.asyncProperty(orders, async ([one, other, wait]) => {
          await using a = await open()
          await using b = await open()
          await a.store.put(one.map(asParsed))
          await b.store.put(other.map(asParsed))
          for (const world of [a, b]) world.clock.jump(wait * 1_000)
          await b.store.sweep()
          assert.deepEqual(await idsOf(a.store), await idsOf(b.store))
          await a.store.sweep()
          assert.deepEqual(await idsOf(a.store), await idsOf(b.store))
          assert.deepEqual(
            await a.store.fingerprint({}, everything),
            await b.store.fingerprint({}, everything),
          )
        }),
        40,
      )
    })

    it('answers every event as if it had come alone, also inside one batch', async () => {
      const batches = arbitrary.events.chain((list) =>
        fc.tuple(arbitrary.arrivals(list), fc.integer({ min: 1, max: 8 })),
      )
      await check(
        fc.asyncProperty(batches, async ([list, size]) => {
          await using world = await open()
          const oracle = new DumbRelay([ourUrl])
          for (let at = 0; at < list.length; at += size) {
            const batch = list.slice(at, at + size)
            const expected = batch.map((event) => oracle.put(event, seconds(world.clock)))
            assert.deepEqual(await world.store.put(batch.map(asParsed)), expected)
          }
        }),
        60,
      )
    })
  })

  describe(`event store ${name}: reading`, () => {
    const world = fc.record({
      events: arbitrary.events,
      filters: fc.array(arbitrary.filter, { minLength: 1, maxLength: 3 }),
      wait: fc.integer({ min: 0, max: 40 }),
      restricted: fc.boolean(),
      pubkeys: fc.subarray([...authors]),
    })

    async function prepared(events: readonly NostrEvent[], wait: number) {
      const opened = await open()
      const oracle = new DumbRelay([ourUrl])
      for (const event of events) oracle.put(event, seconds(opened.clock))
      await opened.store.put(events.map(asParsed))
      opened.clock.jump(wait * 1_000)
      return Object.assign(opened, { oracle, now: seconds(opened.clock) })
    }

    it('P-N-1 E-152 query and count equal the oracle', async () => {
      await check(
        fc.asyncProperty(world, async ({ events, filters, wait, restricted, pubkeys }) => {
          await using opened = await prepared(events, wait)
          const { store, oracle, now } = opened
          const visibility = restricted ? { restrictedKinds, pubkeys } : everything
          const expected = oracle.query(filters, now, visibility, 500)
          const page = await store.query(filters, { defaultLimit: 500, maxLimit: 500, visibility })
          assert.deepEqual(
            texts(page),
            expected.map((event) => JSON.stringify(event)),
          )
          const unlimited = filters.map(({ limit: _, ...filter }) => filter)
          const all = oracle.query(unlimited, now, visibility, 500)
          assert.equal(await store.count(filters, visibility), all.length)
          const cut = filters.some((filter) => {
            const { limit, ...rest } = filter
            return limit !== undefined && oracle.query([rest], now, visibility, 500).length > limit
          })
          assert.equal(page.complete, !cut)
        }),
        120,
      )
    })

    it('E-75 E-78 E-79 pages put together are the sorted list, in every order, for any size', async () => {
      const orders = fc.constantFrom<PageRequest['order']>('asc', 'desc', 'reverse', 'seq')
      await check(
        fc.asyncProperty(world, orders, fc.integer({ min: 1, max: 4 }), async (input, order, size) => {
          await using opened = await prepared(input.events, input.wait)
          const { store, oracle, now } = opened
          const visibility = input.restricted ? { restrictedKinds, pubkeys: input.pubkeys } : everything
          const { limit: _, ...filter } = input.filters[0]!
          const live = oracle.live(now).filter((event) => matches(event, filter) && maySee(event, visibility))
          const expected = inOrder(live, order)
          const walked = await walk(store, { filter, order, limit: size, visibility })
          assert.deepEqual(
            walked.ids,
            expected.map((event) => event.id),
          )
          assert.equal(walked.pages, Math.max(1, Math.ceil(expected.length / size)))
        }),
        100,
      )
    })

    it('E-76 pages of one over a thousand events of the same second', async () => {
      await using world = await open()
      const list = Array.from({ length: 1_000 }, (_, at) => craft({ id: hexId(at), kind: at % 2 }))
      await world.store.put(list.map((event) => asParsed({ ...event, kind: 1 })))
      for (const order of ['desc', 'reverse'] as const) {
        const { ids } = await walk(world.store, { filter: {}, order, limit: 1, visibility: everything })
        const expected = list.map((event) => event.id).sort()
        assert.deepEqual(ids, order === 'desc' ? expected : expected.reverse())
      }
    })

    it('P-NEG-4 fingerprints equal the naive sum after any sequence of puts, expiries, sweeps and reopenings', async () => {
      const histories = arbitrary.events.chain((list) =>
        fc.tuple(fc.array(stepOf(list), { maxLength: 12 }), arbitrary.filter),
      )
      await check(
        fc.asyncProperty(histories, async ([steps, { limit: _, ...filter }]) => {
          let world: EventStoreSetup<Tx> & { config: EventStoreConfig } = await open()
          const { clock } = world.config
          const oracle = new DumbRelay([ourUrl])
          try {
            for (const step of steps) {
              if (step.kind === 'wait') clock.jump(step.seconds * 1_000)
              if (step.kind === 'sweep') await world.store.sweep()
              if (step.kind === 'reopen') {
                const config = { ...world.config, restrictedKinds: step.restrictedKinds }
                world = Object.assign(await world.reopen(config), { config })
              }
              if (step.kind === 'put') {
                for (const event of step.events) oracle.put(event, seconds(clock))
                await world.store.put(step.events.map(asParsed))
              }
              const hidden = { restrictedKinds: world.config.restrictedKinds, pubkeys: [] }
              for (const visibility of [everything, stranger, hidden, { ...hidden, pubkeys: [alice] }]) {
                for (const asked of [{}, { since: 3, until: 9 }, filter]) {
                  const expected = oracle.query([asked], seconds(clock), visibility, Number.POSITIVE_INFINITY)
                  assert.deepEqual(
                    await world.store.fingerprint(asked, visibility),
                    naiveFingerprint(expected),
                  )
                }
              }
            }
          } finally {
            await world[Symbol.asyncDispose]()
          }
        }),
        30,
      )
    })

    it('known and get tell what is stored, without what has expired', async () => {
      await using world = await open()
      const fading = craft({ id: hexId(2), tags: [['expiration', '105']] })
      await world.store.put([craft({ id: hexId(1) }), fading].map(asParsed))
      const asked = [hexId(1), hexId(2), hexId(3), hexId(1)]
      assert.deepEqual(await world.store.known(asked), new Set([hexId(1), hexId(2)]))
      assert.equal((await world.store.get(asked)).length, 2)
      world.clock.jump(5_000)
      assert.deepEqual(await world.store.known(asked), new Set([hexId(1)]))
      assert.deepEqual(
        (await world.store.get(asked)).map(({ id }) => id),
        [hexId(1)],
      )
    })

    it('hands the text out byte for byte as it came', async () => {
      await using world = await open()
      const event = craft({ id: hexId(1), content: 'ü\u0000🫶' })
      const raw = `{ "sig":"${event.sig}",  "id" : "${event.id}", "content":"ü\\u0000\\ud83e\\udef6", "tags": [ ] }`
      await world.store.put([{ event, raw }])
      assert.equal((await world.store.get([event.id]))[0]?.raw, raw)
    })

    it('merges a thousand authors in order', async () => {
      await using world = await open()
      const many = Array.from({ length: 1_000 }, (_, at) => hexId(`author ${at}`))
      const list = many.flatMap((pubkey, at) =>
        [1, 7].map((kind) =>
          craft({ id: hexId(`${at}/${kind}`), pubkey, kind, created_at: (at * 7_919) % 500 }),
        ),
      )
      await world.store.put(list.map(asParsed))
      for (const filter of [
        { authors: many },
        { authors: many, kinds: [7, 1] },
        { authors: many.slice(0, 500), kinds: [7] },
      ]) {
        const expected = inOrder(
          list.filter((event) => matches(event, filter)),
          'desc',
        ).slice(0, 300)
        const page = await world.store.query([filter], {
          defaultLimit: 300,
          maxLimit: 300,
          visibility: everything,
        })
        assert.deepEqual(
          page.events.map(({ id }) => id),
          expected.map(({ id }) => id),
        )
        assert.equal(page.complete, false)
      }
    })
  })

  describe(`event store ${name}: rules`, () => {
    it('E-140 a duplicate is told apart and changes nothing', async () => {
      await using world = await open()
      const event = asParsed(craft({ id: hexId(1) }))
      assert.deepEqual(await world.store.put([event, event]), ['stored', 'duplicate'])
      assert.deepEqual(await world.store.put([event]), ['duplicate'])
      assert.equal(await world.store.lastSeq(), 1)
    })

    it('E-141 the newest version of a replaceable stays, of equals the lowest id, a missing d is an empty one', async () => {
      await using world = await open()
      const [low = '', high = ''] = [hexId(1), hexId(2)].sort()
      const first = craft({ id: high, kind: 30_023, tags: [['d', '']] })
      const tie = craft({ id: low, kind: 30_023, tags: [['t', 'no d']] })
      const older = craft({ id: hexId(3), kind: 30_023, created_at: 999 })
      const other = craft({ id: hexId(4), kind: 30_023, tags: [['d', 'other']] })
      const outcomes = await world.store.put([first, tie, first, older, other].map(asParsed))
      assert.deepEqual(outcomes, ['stored', 'stored', 'superseded', 'superseded', 'stored'])
      assert.deepEqual(await idsOf(world.store), [low, hexId(4)].sort())
      assert.equal(await world.store.count([{ '#d': [''] }], everything), 0)
    })

    it('E-142 only its author deletes an event, before or after it comes; the deletion itself stays', async () => {
      await using world = await open()
      const target = craft({ id: hexId(1) })
      const byStranger = craft({ id: hexId(2), kind: 5, pubkey: bob, tags: [['e', target.id]] })
      const byAuthor = craft({ id: hexId(3), kind: 5, tags: [['e', target.id]] })
      const ofDeletion = craft({ id: hexId(4), kind: 5, tags: [['e', byAuthor.id]] })
      assert.deepEqual(await world.store.put([byStranger, target].map(asParsed)), ['stored', 'stored'])
      assert.deepEqual(await world.store.put([byAuthor, target].map(asParsed)), ['stored', 'deleted'])
      assert.deepEqual(await world.store.put([ofDeletion, target].map(asParsed)), ['stored', 'deleted'])
      assert.deepEqual(await idsOf(world.store), [hexId(2), hexId(3), hexId(4)].sort())
    })

    it('E-142 deleting an address spares newer versions and other addresses', async () => {
      await using world = await open()
      const version = (id: number, created_at: number, d: string) =>
        craft({ id: hexId(id), kind: 30_023, created_at, tags: [['d', d]] })
      const deletion = craft({ id: hexId(9), kind: 5, created_at: 20, tags: [['a', `30023:${alice}:x:y`]] })
      const list = [
        version(1, 20, 'x:y'),
        version(2, 10, 'z'),
        deletion,
        version(3, 19, 'x:y'),
        version(4, 21, 'x:y'),
      ]
      assert.deepEqual(await world.store.put(list.map(asParsed)), [
        'stored',
        'stored',
        'stored',
        'deleted',
        'stored',
      ])
      assert.deepEqual(await idsOf(world.store), [hexId(2), hexId(9), hexId(4)].sort())
    })

    it('an old version does not come back when its successor is deleted by id', async () => {
      await using world = await open()
      const old = craft({ id: hexId(1), kind: 0, created_at: 10 })
      const successor = craft({ id: hexId(2), kind: 0, created_at: 20 })
      const deletion = craft({ id: hexId(3), kind: 5, created_at: 30, tags: [['e', successor.id]] })
      const outcomes = await world.store.put([old, successor, deletion, old].map(asParsed))
      assert.deepEqual(outcomes, ['stored', 'stored', 'stored', 'deleted'])
      assert.deepEqual(await idsOf(world.store), [deletion.id])
    })

    it('E-143 what has expired is refused, and gone from every read at that second, swept or not', async () => {
      await using world = await open()
      const { store, clock } = world
      const late = craft({ id: hexId(1), tags: [['expiration', '100']] })
      const soon = craft({
        id: hexId(2),
        tags: [
          ['expiration', '101'],
          ['t', 'x'],
        ],
      })
      const never = craft({ id: hexId(3), tags: [['expiration', 'tomorrow']] })
      assert.deepEqual(await store.put([late, soon, never].map(asParsed)), ['expired', 'stored', 'stored'])
      assert.equal(await store.count([{}], everything), 2)
      clock.jump(1_000)
      for (const filter of [
        {},
        { '#t': ['x'] },
        { ids: [soon.id] },
        { authors: [alice] },
        { kinds: [1], until: 2_000 },
      ]) {
        const expected = '#t' in filter || 'ids' in filter ? 0 : 1
        assert.equal(await store.count([filter], everything), expected)
        assert.equal(
          (await walk(store, { filter, order: 'seq', limit: 9, visibility: everything })).ids.length,
          expected,
        )
      }
      assert.deepEqual(await store.put([asParsed(soon)]), ['expired'])
      assert.equal(await store.sweep(), 1)
      assert.equal(await store.sweep(), 0)
      await using session = await store.reconciler(sessionOf({}, everything))
      assert.equal(session.size, 1)
    })

    it('E-144 a request to vanish removes everything up to its time, for ever', async () => {
      await using world = await open()
      const { store } = world
      const at = (id: number, fields: Partial<NostrEvent>) =>
        craft({ id: hexId(id), created_at: 50, ...fields })
      const before = [at(1, {}), at(2, { kind: 5 }), at(3, { kind: 1059, pubkey: bob, tags: [['p', alice]] })]
      const spared = [at(4, { created_at: 51 }), at(5, { pubkey: bob, tags: [['p', alice]] })]
      const elsewhere = at(6, { kind: 62, pubkey: bob, tags: [['relay', 'wss://elsewhere.example']] })
      const request = at(7, { kind: 62, tags: [['relay', 'wss://Relay.Example']] })
      await store.put([...before, ...spared, elsewhere, request].map(asParsed))
      assert.deepEqual(await idsOf(store), [...spared, elsewhere, request].map(({ id }) => id).sort())
      assert.deepEqual(await store.put(before.map(asParsed)), ['vanished', 'vanished', 'vanished'])
      const undo = at(8, { kind: 5, created_at: 60, tags: [['e', request.id]] })
      assert.deepEqual(await store.put([undo, request, at(9, {})].map(asParsed)), [
        'stored',
        'duplicate',
        'vanished',
      ])
      const reopened = await world.reopen(world.config)
      assert.deepEqual(await reopened.store.put([asParsed(at(10, {}))]), ['vanished'])
      await reopened[Symbol.asyncDispose]()
    })

    it('E-149 E-123 restricted kinds are read by their author and recipients only, by every way of reading', async () => {
      await using world = await open()
      const { store } = world
      const letter = craft({ id: hexId(1), kind: 4, tags: [['p', bob]] })
      await store.put([letter, craft({ id: hexId(2), kind: 1 })].map(asParsed))
      const readers: [readonly string[], number][] = [
        [[], 0],
        [[carol], 0],
        [[carol, bob], 1],
        [[alice], 1],
      ]
      for (const [pubkeys, letters] of readers) {
        const visibility = { restrictedKinds, pubkeys }
        for (const filter of [
          {},
          { kinds: [4, 1] },
          { authors: [alice] },
          { ids: [hexId(1), hexId(2)] },
          { since: 1 },
        ]) {
          const page = await store.query([filter], { defaultLimit: 9, maxLimit: 9, visibility })
          assert.equal(page.events.length, 1 + letters)
          assert.equal(await store.count([filter, filter], visibility), 1 + letters)
          for (const order of ['asc', 'desc', 'seq'] as const) {
            assert.equal((await walk(store, { filter, order, limit: 9, visibility })).ids.length, 1 + letters)
          }
          assert.equal((await store.fingerprint(filter, visibility)).count, 1 + letters)
          await using session = await store.reconciler(sessionOf(filter, visibility))
          assert.equal(session.size, 1 + letters)
        }
      }
    })

    it('E-153 ephemeral events are told to listeners and kept nowhere', async () => {
      await using world = await open()
      const heard: string[] = []
      using _ = world.store.onAccepted((events) => void heard.push(...events.map(({ id }) => id)))
      const passing = craft({ id: hexId(1), kind: 20_001, tags: [['expiration', '1']] })
      assert.deepEqual(await world.store.put([asParsed(passing)]), ['ephemeral'])
      assert.deepEqual(heard, [passing.id])
      assert.deepEqual(await idsOf(world.store), [])
      assert.equal((await world.store.fingerprint({}, everything)).count, 0)
    })
  })

  describe(`event store ${name}: transactions`, () => {
    it('tells listeners after the commit what was accepted, in order, with its seq', async () => {
      await using world = await open()
      const heard: [string, string, number][] = []
      const listening = world.store.onAccepted((events, raws, seqs) => {
        for (const [at, event] of events.entries()) heard.push([event.id, raws[at]!, seqs[at]!])
      })
      world.store.onAccepted(() => {
        throw new Error('a broken listener')
      })
      const list = [craft({ id: hexId(1) }), craft({ id: hexId(2), kind: 20_000 }), craft({ id: hexId(3) })]
      await world.transaction(async (tx) => {
        await world.store.putIn(tx, list.slice(0, 2).map(asParsed))
        await world.store.putIn(tx, list.map(asParsed))
        assert.deepEqual(heard, [])
      })
      const seqs = new Map((await world.store.get(list.map(({ id }) => id))).map(({ id, seq }) => [id, seq]))
      const expected = [list[0]!, list[1]!, list[1]!, list[2]!]
      assert.deepEqual(
        heard,
        expected.map((event) => [event.id, JSON.stringify(event), seqs.get(event.id) ?? 0]),
      )
      listening[Symbol.dispose]()
      await world.store.put([asParsed(craft({ id: hexId(4) }))])
      assert.equal(heard.length, 4)
    })

    it('a transaction that fails leaves no event, no word to listeners and no trace in the fingerprint', async () => {
      await using world = await open()
      const { store } = world
      let heard = 0
      using _ = store.onAccepted((events) => {
        heard += events.length
      })
      await store.put([asParsed(craft({ id: hexId(1), kind: 0 }))])
      const before = await store.fingerprint({}, everything)
      const failing = world.transaction(async (tx) => {
        await store.putIn(tx, [asParsed(craft({ id: hexId(2), kind: 0, created_at: 2_000 }))])
        throw new Error('changed my mind')
      })
      const other = store.put([asParsed(craft({ id: hexId(3) }))])
      await assert.rejects(failing, /changed my mind/)
      await other
      assert.equal(heard, 2)
      assert.deepEqual(await idsOf(store), [hexId(1), hexId(3)].sort())
      const now = await store.fingerprint({}, everything)
      assert.notDeepEqual(now, before)
      assert.deepEqual(now, naiveFingerprint([{ id: hexId(1) }, { id: hexId(3) }]))
    })

    it('never gives a seq twice, also after the newest event was removed', async () => {
      await using world = await open()
      await world.store.put([
        asParsed(craft({ id: hexId(1) })),
        asParsed(craft({ id: hexId(2), tags: [['expiration', '101']] })),
      ])
      assert.equal(await world.store.lastSeq(), 2)
      world.clock.jump(2_000)
      assert.equal(await world.store.sweep(), 1)
      const reopened = await world.reopen(world.config)
      await reopened.store.put([asParsed(craft({ id: hexId(3) }))])
      assert.equal((await reopened.store.get([hexId(3)]))[0]?.seq, 3)
      await reopened[Symbol.asyncDispose]()
    })

    it('K1 what put resolved for is there when the store is opened again', async () => {
      await using world = await open()
      const list = Array.from({ length: 50 }, (_, at) => craft({ id: hexId(at), created_at: at }))
      await world.store.put(list.map(asParsed))
      const reopened = await world.reopen(world.config)
      assert.deepEqual(await idsOf(reopened.store), list.map(({ id }) => id).sort())
      assert.deepEqual(await reopened.store.fingerprint({}, everything), naiveFingerprint(list))
      await reopened[Symbol.asyncDispose]()
    })
  })

  describe(`event store ${name}: reconciling`, () => {
    it('finds exactly what either side lacks, for any filter and visibility', async () => {
      const sides = arbitrary.events.chain((list) => fc.tuple(fc.subarray(list), fc.subarray(list)))
      const readers = fc.constantFrom(everything, stranger, { restrictedKinds, pubkeys: [bob] })
      await check(
        fc.asyncProperty(
          sides,
          arbitrary.filter,
          readers,
          async ([ours, theirs], { limit: _, ...filter }, visibility) => {
            await using a = await open()
            await using b = await open()
            await a.store.put(ours.map(asParsed))
            await b.store.put(theirs.map(asParsed))
            const expected = {
              have: await visible(a.store, filter, visibility),
              need: await visible(b.store, filter, visibility),
            }
            const found = await reconcile(a.store, b.store, filter, visibility)
            assert.deepEqual(
              found.have.sort(),
              [...expected.have].filter((id) => !expected.need.has(id)).sort(),
            )
            assert.deepEqual(
              found.need.sort(),
              [...expected.need].filter((id) => !expected.have.has(id)).sort(),
            )
          },
        ),
        30,
      )
    })

    it('a session keeps to its moment while events come and go', async () => {
      await using a = await open()
      await using b = await open()
      const list = Array.from({ length: 3_000 }, (_, at) =>
        craft({ id: hexId(at), created_at: at, kind: at % 2 ? 10_000 + at : 1 }),
      )
      await a.store.put(list.map(asParsed))
      await b.store.put(list.slice(0, 2_990).map(asParsed))
      await using session = await b.store.reconciler({ ...sessionOf({}, everything), role: 'responder' })
      await b.store.put(
        list.map(({ id, ...event }) =>
          asParsed({ ...event, id: hexId(`new ${id}`), created_at: event.created_at + 1 }),
        ),
      )
      const found = await reconcileWith(a.store, session, {}, everything)
      assert.deepEqual(
        found.have.sort(),
        list
          .slice(2_990)
          .map(({ id }) => id)
          .sort(),
      )
      assert.deepEqual(found.need, [])
    })

    it('refuses a limit, and sets larger than the maximum', async () => {
      await using world = await open()
      await world.store.put(Array.from({ length: 5 }, (_, at) => asParsed(craft({ id: hexId(at), kind: 1 }))))
      await assert.rejects(world.store.reconciler(sessionOf({ limit: 5 }, everything)))
      for (const filter of [{}, { kinds: [1] }]) {
        const options = { ...sessionOf(filter, everything), maxRecords: 4 }
        await assert.rejects(
          world.store.reconciler(options),
          (error) => error instanceof TooManyRecords && error.max === 4,
        )
        await using session = await world.store.reconciler({ ...options, maxRecords: 5 })
        assert.equal(session.size, 5)
      }
    })
  })
}

/** One thing that happens to a store in the course of its life. */
function stepOf(events: readonly NostrEvent[]) {
  return fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({ kind: fc.constant('put' as const), events: fc.shuffledSubarray([...events]) }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('wait' as const), seconds: fc.nat(15) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('sweep' as const) }) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('reopen' as const),
        restrictedKinds: fc.constantFrom([4, 1059], [4], []),
      }),
    },
  )
}

const sessionOf = (filter: Filter, visibility: Visibility) =>
  ({ role: 'initiator', filter, visibility, frameLimit: 0 }) as const

async function idsOf<Tx>(store: EventStore<Tx>): Promise<string[]> {
  return [...(await visible(store, {}, everything))].sort()
}

async function visible<Tx>(
  store: EventStore<Tx>,
  filter: Filter,
  visibility: Visibility,
): Promise<Set<string>> {
  const { ids } = await walk(store, { filter, order: 'asc', limit: 1_000, visibility })
  return new Set(ids)
}

const texts = (page: EventPage) => page.events.map(({ raw }) => raw)

async function walk<Tx>(
  store: EventStore<Tx>,
  request: PageRequest,
): Promise<{ ids: string[]; pages: number }> {
  const ids: string[] = []
  let after = request.after
  for (let pages = 1; ; pages++) {
    const { events, complete } = await store.page({ ...request, after })
    ids.push(...events.map(({ id }) => id))
    const last = events.at(-1)
    if (complete || last === undefined) return { ids, pages }
    after = request.order === 'seq' ? last.seq : { timestamp: last.created_at, id: last.id }
  }
}

/** `live` comes in order of arrival. */
function inOrder(live: readonly NostrEvent[], order: PageRequest['order']): readonly NostrEvent[] {
  if (order === 'seq') return live
  const byId = (a: NostrEvent, b: NostrEvent) => (a.id < b.id ? -1 : 1)
  if (order === 'desc') return live.toSorted((a, b) => b.created_at - a.created_at || byId(a, b))
  const ascending = live.toSorted((a, b) => a.created_at - b.created_at || byId(a, b))
  return order === 'asc' ? ascending : ascending.reverse()
}

/** Negentropy V1: the ids added up as little-endian numbers modulo 2^256, with the count, hashed. */
export function naiveFingerprint(events: readonly { readonly id: string }[]) {
  let sum = 0n
  for (const { id } of events) sum += BigInt(`0x${Buffer.from(id, 'hex').reverse().toString('hex')}`)
  const bytes = Buffer.from((sum % (1n << 256n)).toString(16).padStart(64, '0'), 'hex').reverse()
  const count: number[] = [events.length % 128]
  for (let rest = Math.floor(events.length / 128); rest > 0; rest = Math.floor(rest / 128))
    count.unshift((rest % 128) | 128)
  const digest = createHash('sha256').update(bytes).update(Buffer.from(count)).digest('hex')
  return { count: events.length, fingerprint: digest.slice(0, 32) }
}

async function reconcile<Tx>(a: EventStore<Tx>, b: EventStore<Tx>, filter: Filter, visibility: Visibility) {
  await using responder = await b.reconciler({ role: 'responder', filter, visibility, frameLimit: 4_096 })
  return await reconcileWith(a, responder, filter, visibility)
}

async function reconcileWith<Tx>(
  store: EventStore<Tx>,
  responder: Awaited<ReturnType<EventStore<Tx>['reconciler']>>,
  filter: Filter,
  visibility: Visibility,
): Promise<{ have: string[]; need: string[] }> {
  await using initiator = await store.reconciler({ role: 'initiator', filter, visibility, frameLimit: 4_096 })
  const found = { have: [] as string[], need: [] as string[] }
  for (let message: Uint8Array | undefined = await initiator.initiate(); message !== undefined; ) {
    const { reply } = await responder.step(message)
    assert.ok(reply !== undefined, 'a responder always answers')
    const { have, need, reply: next } = await initiator.step(reply)
    found.have.push(...have)
    found.need.push(...need)
    message = next
  }
  return found
}
