import type { Key } from '../negentropy/index.ts'
import { type EventStore, everything } from '../planes/events/event-store.ts'
import type { Filter } from '../planes/events/filter.ts'

const pageEvents = 1_000

/** Every stored event matching the filter, as received, oldest first, ties by id; one page in memory at a time. */
export function exportEvents<Tx>(
  store: EventStore<Tx>,
  filter: Filter,
  signal?: AbortSignal,
): AsyncGenerator<string, void> {
  return walk(store, filter, 'asc', Number.POSITIVE_INFINITY, signal)
}

/** Newest first, at most the filter's `limit`. */
export function queryEvents<Tx>(
  store: EventStore<Tx>,
  filter: Filter,
  signal?: AbortSignal,
): AsyncGenerator<string, void> {
  return walk(store, filter, 'desc', filter.limit ?? Number.POSITIVE_INFINITY, signal)
}

async function* walk<Tx>(
  store: EventStore<Tx>,
  { limit: _, ...filter }: Filter,
  order: 'asc' | 'desc',
  most: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<string, void> {
  let after: Key | undefined
  let left = most
  while (left > 0) {
    signal?.throwIfAborted()
    const limit = Math.min(pageEvents, left)
    const page = await store.page({ filter, order, after, limit, visibility: everything })
    for (const { raw } of page.events) yield raw
    left -= page.events.length
    const last = page.events.at(-1)
    if (page.complete || last === undefined) return
    after = { timestamp: last.created_at, id: last.id }
  }
}

/** The event that was given this `seq`; undefined when it is gone. */
export async function eventAt<Tx>(store: EventStore<Tx>, seq: number) {
  const request = { filter: {}, order: 'seq', after: seq - 1, until: seq, limit: 1 } as const
  const { events } = await store.page({ ...request, visibility: everything })
  return events[0]
}
