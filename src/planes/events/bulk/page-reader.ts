import { setImmediate } from 'node:timers/promises'
import type { NostrEvent, StoredEvent } from '../event.ts'
import { type EventPage, type EventStore, everything } from '../event-store.ts'
import type { ReadPolicy } from '../policy/read-policy.ts'
import { isVisible } from '../relay/visibility.ts'
import { type BulkResult, failed } from './bulk-result.ts'
import { type Cursor, positionOf } from './cursor.ts'
import type { PageWalk } from './page-options.ts'

export interface BulkPage {
  /** What the caller may see, in the order of the walk. */
  readonly events: readonly NostrEvent[]
  /** The same events' texts as received, for passing them on unchanged. */
  readonly raws: readonly string[]
  /** The last row looked at, hidden or not; null when there was none. */
  readonly nextCursor: Cursor | null
  /** Exactly when no row of the walk lies beyond this page. */
  readonly complete: boolean
  /** Rows of the page before any was hidden. */
  readonly rawCount: number
}

interface Shown extends Pick<BulkPage, 'events' | 'raws'> {
  /** Rows looked at, hidden or not. */
  readonly scanned: number
}

/** A page of large events ends early, with `complete: false`: some 64 MiB of text, however many rows were asked for. */
const maxPageCharacters = 32 * 1_048_576
/** Parsing rests after so much text, to let sockets and timers have their turn: some 5 ms of work. */
const charactersPerTurn = 262_144

/** Reads the pages of one walk, each a consistent moment of the store. */
export class PageReader<Tx> {
  readonly #store: Pick<EventStore<Tx>, 'page'>
  readonly #walk: PageWalk
  readonly #policy: ReadPolicy

  constructor(store: Pick<EventStore<Tx>, 'page'>, walk: PageWalk, policy: ReadPolicy) {
    this.#store = store
    this.#walk = walk
    this.#policy = policy
  }

  async read(after: Cursor | null): Promise<BulkResult<BulkPage>> {
    const { signal } = this.#walk
    if (signal?.aborted) return failed('aborted', signal.reason)
    let rows: EventPage
    try {
      rows = await this.#rows(after)
    } catch (error) {
      return failed('sync_page_error', error)
    }
    const shown = await this.#shown(rows.events)
    if (!shown.ok) return shown
    const { events, raws, scanned } = shown.value
    const last = rows.events[scanned - 1]
    const value: BulkPage = {
      events,
      raws,
      nextCursor: last === undefined ? null : this.#cursorOf(last),
      complete: rows.complete && scanned === rows.events.length,
      rawCount: scanned,
    }
    return { ok: true, value }
  }

  /** Hidden rows too: they are counted, and the walk must move past them. */
  #rows(after: Cursor | null): Promise<EventPage> {
    const { filter, order, limit, maxBytes, until } = this.#walk
    return this.#store.page({
      filter,
      order: order === 'desc' ? 'reverse' : order,
      after: after === null ? undefined : positionOf(after),
      until: until === null ? undefined : positionOf(until),
      limit,
      maxCharacters: Math.min(maxPageCharacters, maxBytes),
      visibility: everything,
    })
  }

  async #shown(rows: readonly StoredEvent[]): Promise<BulkResult<Shown>> {
    const { authorizeEvent, context, maxBytes, signal } = this.#walk
    const visibility = this.#policy.visibility(context.authenticatedPubkeys ?? [])
    const events: NostrEvent[] = []
    const raws: string[] = []
    let [characters, bytes] = [0, 0]
    for (const [scanned, { raw }] of rows.entries()) {
      characters += raw.length
      if (characters >= charactersPerTurn) {
        characters = 0
        await setImmediate()
        if (signal?.aborted) return failed('aborted', signal.reason)
      }
      const event = JSON.parse(raw) as NostrEvent
      if (!isVisible(event, visibility)) continue
      try {
        if (authorizeEvent !== undefined && (await authorizeEvent(event, context)) !== true) continue
      } catch (error) {
        return failed('authorize_event_failed', error)
      }
      // One more for what stands between two of them.
      bytes += Buffer.byteLength(raw) + 1
      if (bytes > maxBytes && scanned > 0) return { ok: true, value: { events, raws, scanned } }
      events.push(event)
      raws.push(raw)
    }
    return { ok: true, value: { events, raws, scanned: rows.length } }
  }

  #cursorOf({ seq, created_at, id }: StoredEvent): Cursor {
    return this.#walk.order === 'seq' ? seq : [created_at, id]
  }
}
