import type { NostrEvent } from '../event.ts'
import type { Filter } from '../filter.ts'
import type { StoredPhase } from './stored-phase.ts'

/** How far the reading from one position to the next has come. */
export interface Refill {
  /** The new position once every filter has been read up to here. */
  readonly target: number
  /** Index of the filter being read. */
  filter: number
  /** `seq` of the last event read with it. */
  cursor: number
}

/**
 * One REQ of one connection.
 *
 *     stored ──EOSE──▶ behind ──caught up──▶ live
 *                        ▲                    │
 *                        └────── no room ─────┘
 *
 * Nothing accepted while `stored` or `behind` is kept in memory: `position` says up to where everything was sent, and
 * what lies beyond is read from the store by `seq` once there is room. So a subscription costs the same however far its
 * reader falls behind, and nothing is lost or sent twice (invariant E-146, promises K7, K8). A version that was
 * replaced or deleted meanwhile is not sent any more.
 */
export class Subscription {
  readonly id: string
  /** The id as JSON. */
  readonly quotedId: string
  readonly filters: readonly Filter[]
  /** One per filter; time bounds included, `limit` not. */
  readonly matchers: readonly ((event: NostrEvent) => boolean)[]
  readonly stored: StoredPhase
  state: 'stored' | 'behind' | 'live' = 'stored'
  closed = false
  /** Of everything accepted up to this `seq`, nothing remains to be sent. Meaningless while `live`. */
  position: number
  /** Sent in the stored phase although beyond `position`; skipped when the position reaches them. */
  readonly ahead = new Set<number>()
  refill: Refill | undefined
  /** Ephemeral events that came before the subscription was live; no store holds them. */
  readonly waiting: string[] = []

  constructor(
    id: string,
    filters: readonly Filter[],
    matchers: readonly ((event: NostrEvent) => boolean)[],
    stored: StoredPhase,
    position: number,
  ) {
    this.id = id
    this.quotedId = JSON.stringify(id)
    this.filters = filters
    this.matchers = matchers
    this.stored = stored
    this.position = position
  }

  matches(event: NostrEvent): boolean {
    return this.matchers.some((matches) => matches(event))
  }
}

/** `["EVENT",…]` around the stored text, which is neither parsed nor written again on its way out. */
export function eventFrame(quotedId: string, raw: string): string {
  return `["EVENT",${quotedId},${raw}]`
}
