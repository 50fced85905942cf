import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import type { NostrEvent } from '../../../src/planes/events/event.ts'
import {
  type EventPage,
  type EventStore,
  everything,
  type PageRequest,
  type Visibility,
} from '../../../src/planes/events/event-store.ts'
import type { Filter } from '../../../src/planes/events/filter.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { authors, ourUrl } from '../event-arbitrary.ts'

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

/** An empty store, with the clock it goes by. */
export interface EventStoreWorld<Tx> extends EventStoreSetup<Tx> {
  readonly config: EventStoreConfig
  readonly clock: FakeClock
}

export type OpenWorld<Tx> = () => Promise<EventStoreWorld<Tx>>

export const restrictedKinds = [4, 1059]
export const stranger: Visibility = { restrictedKinds, pubkeys: [] }
export const [alice = '', bob = '', carol = ''] = authors

/** Starts 100 s after 1970: events at 0 … 12 are past, and expirations at 90 … 130 are near. */
export async function openWorld<Tx>(
  setup: (config: EventStoreConfig) => Promise<EventStoreSetup<Tx>>,
): Promise<EventStoreWorld<Tx>> {
  const clock = new FakeClock(100_000)
  const config = { relayUrls: [ourUrl], restrictedKinds, clock }
  return Object.assign(await setup(config), { config, clock })
}

export const seconds = (clock: FakeClock): number => Math.floor(clock.now() / 1_000)

export const check = <T>(property: fc.IAsyncProperty<T>, numRuns: number): Promise<void> =>
  fc.assert(property, { numRuns })

export const sessionOf = (filter: Filter, visibility: Visibility) =>
  ({ role: 'initiator', filter, visibility, frameLimit: 0 }) as const

export async function idsOf<Tx>(store: EventStore<Tx>): Promise<string[]> {
  return [...(await visible(store, {}, everything))].sort()
}

export async function visible<Tx>(
  store: EventStore<Tx>,
  filter: Filter,
  visibility: Visibility,
): Promise<Set<string>> {
  const { ids } = await walk(store, { filter, order: 'asc', limit: 1_000, visibility })
  return new Set(ids)
}

export const texts = (page: EventPage) => page.events.map(({ raw }) => raw)

export async function walk<Tx>(
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
export function inOrder(live: readonly NostrEvent[], order: PageRequest['order']): readonly NostrEvent[] {
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

export async function reconcile<Tx>(
  a: EventStore<Tx>,
  b: EventStore<Tx>,
  filter: Filter,
  visibility: Visibility,
) {
  await using responder = await b.reconciler({ role: 'responder', filter, visibility, frameLimit: 4_096 })
  return await reconcileWith(a, responder, filter, visibility)
}

export async function reconcileWith<Tx>(
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
