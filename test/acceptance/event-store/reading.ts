import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { NostrEvent } from '../../../src/planes/events/event.ts'
import { everything, type PageRequest } from '../../../src/planes/events/event-store.ts'
import * as arbitrary from '../event-arbitrary.ts'
import { asParsed, authors, craft, hexId, ourUrl } from '../event-arbitrary.ts'
import { DumbRelay, matches, maySee } from '../event-oracle.ts'
import {
  alice,
  check,
  type EventStoreConfig,
  type EventStoreSetup,
  inOrder,
  naiveFingerprint,
  type OpenWorld,
  restrictedKinds,
  seconds,
  stranger,
  texts,
  walk,
} from './world.ts'

export function reading<Tx>(name: string, open: OpenWorld<Tx>): void {
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
        80,
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
        60,
      )
    })

    it('E-78 E-79 an end key is the last of the walk, itself included, and pages up to it are complete there', async () => {
      const orders = fc.constantFrom<PageRequest['order']>('asc', 'desc', 'reverse', 'seq')
      const sizes = fc.integer({ min: 1, max: 4 })
      await check(
        fc.asyncProperty(world, orders, sizes, fc.nat(23), async (input, order, size, at) => {
          await using opened = await prepared(input.events, input.wait)
          const { store, oracle, now } = opened
          const { limit: _, ...filter } = input.filters[0]!
          const inFull = { filter: {}, order, limit: 100, visibility: everything }
          const { events } = await store.page(inFull)
          const end = events[at % Math.max(1, events.length)]
          if (end === undefined) return
          const until = order === 'seq' ? end.seq : { timestamp: end.created_at, id: end.id }
          const all = inOrder(oracle.live(now), order)
          const upTo = all.slice(0, all.findIndex(({ id }) => id === end.id) + 1)
          const expected = upTo.filter((event) => matches(event, filter))
          const walked = await walk(store, { filter, order, until, limit: size, visibility: everything })
          assert.deepEqual(
            walked.ids,
            expected.map((event) => event.id),
          )
          assert.equal(walked.pages, Math.max(1, Math.ceil(expected.length / size)))
        }),
        60,
      )
    })

    it('K7 a page ends by the length of its texts, but not before its first event', async () => {
      await using world = await open()
      const list = [10, 10, 500, 10, 10, 10].map((length, at) => {
        return craft({ id: hexId(at), created_at: 1_000 - at, content: 'x'.repeat(length) })
      })
      await world.store.put(list.map(asParsed))
      const short = JSON.stringify(list[0]).length
      for (const order of ['desc', 'seq'] as const) {
        const request = { filter: {}, order, limit: 100, visibility: everything }
        const { ids, pages } = await walk(world.store, { ...request, maxCharacters: short + 1 })
        assert.deepEqual(
          ids,
          list.map(({ id }) => id),
        )
        // Two short ones, the long one, two short ones, the last.
        assert.equal(pages, 4)
        assert.equal((await walk(world.store, { ...request, maxCharacters: 0 })).pages, list.length)
      }
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
