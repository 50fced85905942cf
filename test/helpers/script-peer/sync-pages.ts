import type { NostrEvent } from '../../../src/planes/events/event.ts'
import type { Personality } from './behaviour.ts'
import type { AskedFilter } from './filter.ts'

type Key = readonly [createdAt: number, id: string]

/** The one response to a SYNC-PAGE request. */
export interface SyncPage {
  readonly events: readonly NostrEvent[]
  readonly next: Key | null
  readonly complete: boolean
  readonly raw_count: number
}

interface PageRequest {
  readonly limit?: number
  readonly order?: 'asc' | 'desc'
  readonly after?: Key | null
  readonly until?: Key | null
}

export interface SyncPageOptions {
  readonly maxLimit?: number
  /** What becomes of an honest page. */
  readonly bend?: (page: SyncPage, request: PageRequest) => SyncPage
}

/** Serves SYNC-PAGE and says so. */
export function syncPages({ maxLimit = 500, bend = (page) => page }: SyncPageOptions = {}): Personality {
  return {
    info: { sync_page: { version: 1, max_limit: maxLimit, max_bytes: 1_000_000 } },
    connect: ({ set }) => ({
      answer: (frame) => {
        if (frame[0] !== 'SYNC-PAGE') return undefined
        const [, id, filter, request = {}] = frame as readonly [string, string, AskedFilter, PageRequest?]
        const page = pageOf(set.matching(filter), request, maxLimit)
        return [['SYNC-PAGE', id, bend(page, request)]]
      },
    }),
  }
}

/** Serves its pages in the wrong order. */
export const unsortedSyncPages = (maxLimit?: number): Personality =>
  syncPages({
    ...(maxLimit && { maxLimit }),
    bend: (page) => ({ ...page, events: page.events.toReversed() }),
  })

/** Serves the same page again and again: its `next` never moves on. */
export const stuckSyncPages = (maxLimit = 10): Personality =>
  syncPages({
    maxLimit,
    bend: (page, { after }) => ({ ...page, next: after ?? page.next, complete: false }),
  })

/** Slips an event from before the cursor among its pages. */
export const outOfRangeSyncPages = (stray: NostrEvent, maxLimit?: number): Personality =>
  syncPages({
    ...(maxLimit && { maxLimit }),
    bend: (page, { after }) =>
      after == null ? page : { ...page, events: [stray, ...page.events], raw_count: page.raw_count + 1 },
  })

function pageOf(newestFirst: readonly NostrEvent[], request: PageRequest, maxLimit: number): SyncPage {
  const { order = 'asc', after = null, until = null } = request
  const along = order === 'asc' ? 1 : -1
  const rows = newestFirst
    .toSorted((a, b) => along * compare(keyOf(a), keyOf(b)))
    .filter((event) => after === null || along * compare(keyOf(event), after) > 0)
    .filter((event) => until === null || along * compare(keyOf(event), until) <= 0)
  const events = rows.slice(0, Math.min(request.limit ?? 500, maxLimit))
  const last = events.at(-1)
  return {
    events,
    next: last === undefined ? null : keyOf(last),
    complete: events.length === rows.length,
    raw_count: events.length,
  }
}

const keyOf = ({ created_at, id }: NostrEvent): Key => [created_at, id]

const compare = (a: Key, b: Key): number => a[0] - b[0] || (a[1] < b[1] ? -1 : a[1] > b[1] ? 1 : 0)
