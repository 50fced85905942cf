import type { Key } from '../../../negentropy/key.ts'
import type { StoredEvent } from '../event.ts'
import type { EventPage, EventStore, Visibility } from '../event-store.ts'
import type { Filter } from '../filter.ts'
import { isEmptyFilter } from '../filter-match.ts'

/** NIP-67: `finish` all stored matches were sent, `more` there are more, undefined nothing can be said. */
export type EoseHint = 'finish' | 'more' | undefined

export interface StoredPhaseLimits {
  /** For a filter without `limit`. */
  readonly defaultLimit: number
  /** What a larger `limit` is lowered to. */
  readonly maxLimit: number
}

/** Where the events go. `send` answers whether there is room for another one. */
export interface StoredSink {
  send(event: StoredEvent): boolean
  /** Runs `read` for the bytes that may be sent now. */
  reading<T>(read: (bytes: number) => Promise<T>): Promise<T>
}

interface Cursor {
  readonly filter: Filter
  readonly limit: number
  remaining: number
  /** Nothing stored lies beyond `after`. */
  complete: boolean
}

/** Rows of one read: enough for the usual limit of one filter, little enough for many filters at once. */
const rowsPerRead = 500

/**
 * The stored part of one REQ: per filter the newest `limit`, merged newest first, ties by id ascending, nothing twice.
 *
 * Between two calls of `advance` it holds one key per filter and no event: a reader that takes a day for its answer
 * costs a few hundred bytes meanwhile (promises K7, K8). What was read and found no room is read again later.
 */
export class StoredPhase {
  readonly #store: Pick<EventStore<unknown>, 'page'>
  readonly #cursors: readonly Cursor[]
  /** The last event sent. All filters go on from here, so that the order holds even if one is stored meanwhile. */
  #after: Key | undefined

  constructor(
    store: Pick<EventStore<unknown>, 'page'>,
    filters: readonly Filter[],
    limits: StoredPhaseLimits,
  ) {
    this.#store = store
    this.#cursors = filters.map((filter) => {
      const limit = Math.min(filter.limit ?? limits.defaultLimit, limits.maxLimit)
      return { filter, limit, remaining: limit, complete: isEmptyFilter(filter) }
    })
  }

  get done(): boolean {
    return this.#cursors.every((cursor) => cursor.complete || cursor.remaining === 0)
  }

  get hint(): EoseHint {
    const open = this.#cursors.filter((cursor) => !cursor.complete)
    if (open.length === 0) return 'finish'
    // With `limit: 0` nothing was read, so whether there is more is not known.
    return open.some((cursor) => cursor.limit > 0) ? 'more' : undefined
  }

  /** Sends until done or out of room. */
  async advance(sink: StoredSink, visibility: Visibility): Promise<void> {
    const heads = new Map<Cursor, { events: readonly StoredEvent[]; at: number; complete: boolean }>()
    while (!this.done) {
      for (const cursor of this.#cursors) {
        if (cursor.complete || cursor.remaining === 0 || heads.has(cursor)) continue
        const { events, complete } = await sink.reading((bytes) => this.#read(cursor, bytes, visibility))
        if (events.length === 0) cursor.complete = true
        else heads.set(cursor, { events, at: 0, complete })
      }
      // Merging stops where a page ends, because what follows it may belong before the heads of the other pages.
      let exhausted = false
      while (!exhausted && heads.size > 0) {
        const next = newest([...heads.values()].map((head) => head.events[head.at]!))
        this.#after = { timestamp: next.created_at, id: next.id }
        for (const [cursor, head] of heads) {
          if (head.events[head.at]!.id !== next.id) continue
          cursor.remaining -= 1
          head.at += 1
          if (head.at < head.events.length && cursor.remaining > 0) continue
          if (head.at === head.events.length) cursor.complete = head.complete
          heads.delete(cursor)
          exhausted ||= !cursor.complete && cursor.remaining > 0
        }
        if (!sink.send(next)) return
      }
    }
  }

  #read(cursor: Cursor, bytes: number, visibility: Visibility): Promise<EventPage> {
    const filters = this.#cursors.length
    return this.#store.page({
      filter: withoutLimit(cursor.filter),
      order: 'desc',
      after: this.#after,
      limit: Math.min(cursor.remaining, Math.max(16, Math.floor(rowsPerRead / filters))),
      maxCharacters: Math.ceil(bytes / filters),
      visibility,
    })
  }
}

/** `limit` bounds the stored phase only, and is counted here. */
export function withoutLimit(filter: Filter): Filter {
  const { limit: _, ...rest } = filter
  return rest
}

function newest(events: readonly StoredEvent[]): StoredEvent {
  return events.reduce((best, event) => (isBefore(event, best) ? event : best))
}

function isBefore(a: StoredEvent, b: StoredEvent): boolean {
  return a.created_at > b.created_at || (a.created_at === b.created_at && a.id < b.id)
}
