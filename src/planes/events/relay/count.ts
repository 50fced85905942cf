import type { Key } from '../../../negentropy/key.ts'
import type { NostrEvent } from '../event.ts'
import type { EventStore, Visibility } from '../event-store.ts'
import type { Filter } from '../filter.ts'
import { HyperLogLog, hllOffset } from './hyperloglog.ts'

export interface CountAnswer {
  /** Distinct events that match any of the filters. */
  readonly count: number
  /**
   * Syncline's extension: 32 hex, the negentropy fingerprint of the counted set. Given where the index knows it: for one
   * filter that is empty or only bounds the time. Two relays with the same count and fingerprint hold the same set
   * (promise K10).
   */
  readonly fingerprint?: string
  /** 512 hex: the authors, for one filter by one tag (NIP-45). */
  readonly hll?: string
}

/** Above this, reading every event for its author costs more than an estimate is worth. */
const maxHllEvents = 10_000
const rowsPerRead = 500
/** Of the events held at once. */
const maxCharacters = 1_048_576

type CountStore = Pick<EventStore<unknown>, 'count' | 'fingerprint' | 'page'>

/** The answer to a COUNT (NIP-45). */
export async function count(
  store: CountStore,
  filters: readonly Filter[],
  visibility: Visibility,
): Promise<CountAnswer> {
  const [filter] = filters
  const { limit: _, ...only } = filter ?? {}
  if (filters.length > 1 || filter === undefined) return { count: await store.count(filters, visibility) }
  if (isTimeRange(only)) return store.fingerprint(only, visibility)
  const answer = { count: await store.count(filters, visibility) }
  const offset = hllOffset(only)
  if (offset === undefined || answer.count > maxHllEvents) return answer
  return { ...answer, hll: await authors(store, only, visibility, offset) }
}

async function authors(
  store: CountStore,
  filter: Filter,
  visibility: Visibility,
  offset: number,
): Promise<string> {
  const hll = new HyperLogLog(offset)
  let after: Key | undefined
  for (let read = 0; read < maxHllEvents; ) {
    const page = await store.page({
      filter,
      order: 'desc',
      after,
      limit: rowsPerRead,
      maxCharacters,
      visibility,
    })
    for (const { raw } of page.events) hll.add((JSON.parse(raw) as NostrEvent).pubkey)
    const last = page.events.at(-1)
    if (page.complete || last === undefined) break
    after = { timestamp: last.created_at, id: last.id }
    read += page.events.length
  }
  return hll.toHex()
}

function isTimeRange(filter: Filter): boolean {
  return Object.keys(filter).every((key) => key === 'since' || key === 'until')
}
