import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { asParsed, craft, hexId } from '../../../../test/acceptance/event-arbitrary.ts'
import { settle } from '../../../../test/helpers/fake-clock.ts'
import { realRelay } from '../../../../test/peers/real-relay.ts'
import { systemClock } from '../../../kernel/clock.ts'
import type { NostrEvent } from '../event.ts'
import { everything, type Visibility } from '../event-store.ts'
import type { Filter } from '../filter.ts'
import { matcher, matchFilter } from '../filter-match.ts'
import { Delivery } from './delivery.ts'
import { LiveFanOut } from './live-fan-out.ts'
import { StoredPhase } from './stored-phase.ts'
import { Subscription } from './subscription.ts'
import { Turns } from './turns.ts'

/** A socket whose reader takes what the test lets it take. */
class Reader {
  readonly frames: unknown[][] = []
  #room: number
  #waiting: ((open: boolean) => void)[] = []

  constructor(room: number) {
    this.#room = room
  }

  get hasRoom(): boolean {
    return this.#room > 0
  }

  reading<T>(read: (bytes: number) => Promise<T>): Promise<T> {
    return read(Math.max(0, this.#room))
  }

  room(): Promise<boolean> {
    if (this.hasRoom) return Promise.resolve(true)
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  send(text: string): void {
    this.frames.push(JSON.parse(text) as unknown[])
    this.#room -= text.length
  }

  take(bytes: number): void {
    this.#room += bytes
    if (!this.hasRoom) return
    for (const resolve of this.#waiting.splice(0)) resolve(true)
  }
}

type Step = { readonly put: number } | { readonly take: number } | { readonly turn: true }

const kinds = [1, 7, 20_001]
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ put: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ take: fc.integer({ min: 1, max: 3_000 }) }),
  fc.constant({ turn: true } as const),
)
const filter: fc.Arbitrary<Filter> = fc.record(
  {
    kinds: fc.subarray(kinds, { minLength: 1 }),
    since: fc.integer({ min: 1_000, max: 1_004 }),
    until: fc.integer({ min: 1_006, max: 1_010 }),
    limit: fc.nat(12),
  },
  { requiredKeys: [] },
)
const world = fc.record({
  before: fc.nat(25),
  room: fc.integer({ min: -500, max: 6_000 }),
  filters: fc.array(filter, { minLength: 1, maxLength: 3 }),
  steps: fc.array(step, { minLength: 5, maxLength: 30 }),
  random: fc.array(fc.nat(1_000), { minLength: 20, maxLength: 20 }),
})

describe('delivery', { timeout: 60_000 }, () => {
  it('E-146 sends the stored events in order and each accepted one once, however its reader reads', async () => {
    await using peer = await realRelay()
    const { store } = peer
    let serial = 0
    await fc.assert(
      fc.asyncProperty(world, async ({ before, room, filters: drawn, steps, random }) => {
        // Each run has an author of its own, and so a store of its own as far as its filters can see.
        const pubkey = hexId(`author ${serial}`)
        const filters = drawn.map((filter): Filter => ({ ...filter, authors: [pubkey] }))
        const next = (): NostrEvent => {
          const at = serial++
          const dice = random[at % random.length]!
          return craft({ id: hexId(at), kind: kinds[dice % 3]!, created_at: 1_000 + (dice % 11), pubkey })
        }
        const put = (count: number) => store.put(Array.from({ length: count }, () => asParsed(next())))
        await put(before)
        const expected = (
          await store.query(filters, { defaultLimit: 9, maxLimit: 10, visibility: everything })
        ).events
        using live = new LiveFanOut(store)
        await live.ready
        const reader = new Reader(room)
        let dropped = 0
        const delivery = new Delivery({
          store,
          outbound: reader,
          turns: new Turns(systemClock),
          visibility: (): Visibility => everything,
          lastSeq: () => live.lastSeq,
          onFailure: (_, error) => assert.fail(String(error)),
          onDropped: (count) => {
            dropped += count
          },
        })
        const accepted: NostrEvent[] = []
        using _ = store.onAccepted((events) => accepted.push(...events))
        const stored = new StoredPhase(store, filters, { defaultLimit: 9, maxLimit: 10 })
        const subscription = new Subscription('s', filters, filters.map(matcher), stored, live.lastSeq)
        live.add({ filters, subscription, delivery, visibility: () => everything })
        delivery.start(subscription)
        for (const one of steps) {
          if ('put' in one) await put(one.put)
          else if ('take' in one) reader.take(one.take)
          else await settle()
        }
        reader.take(1e9)
        while (subscription.state !== 'live') await settle()

        const got = reader.frames.map(([verb, , event]) =>
          verb === 'EOSE' ? 'EOSE' : (event as NostrEvent).id,
        )
        assert.equal(new Set(got).size, got.length, 'nothing twice')
        assert.equal(got.filter((id) => id === 'EOSE').length, 1)
        const wanted = accepted.filter((event) => filters.some((filter) => matchFilter(filter, event)))
        const early = got.slice(0, got.indexOf('EOSE'))
        // The stored phase may show what was accepted while it was being sent, in place of what no longer fits.
        const isNew = new Set(wanted.map(({ id }) => id))
        const old = early.filter((id) => !isNew.has(id))
        const rest = new Set(old)
        assert.deepEqual(
          old,
          expected.map(({ id }) => id).filter((id) => rest.has(id)),
        )
        if (early.length === old.length) assert.equal(old.length, expected.length)
        const durable = wanted.filter(({ kind }) => kind < 20_000).map(({ id }) => id)
        const ephemeral = wanted.filter(({ kind }) => kind >= 20_000).map(({ id }) => id)
        assert.deepEqual(new Set(got.filter((id) => durable.includes(id))), new Set(durable), 'nothing lost')
        assert.equal(got.filter((id) => ephemeral.includes(id)).length + dropped, ephemeral.length)
        delivery.close()
      }),
      { numRuns: 120 },
    )
  })
})
