import type { PeerId } from './peer.ts'

declare const brand: unique symbol
export type LinkId = string & { readonly [brand]: 'LinkId' }

export type Direction = 'down' | 'up' | 'both'

/**
 * "This data set, this way, with this peer": the one thing an operator creates.
 *
 * A Link is brought up to date by attempts; each attempt moves data and checkpoint together.
 */
export interface Link<Scope = unknown> {
  /** Assigned, never derived from the scope: two spellings of one filter must not become two identities. */
  readonly id: LinkId
  readonly peer: PeerId
  readonly plane: string
  /** A filter, a tree, a user's tables: the plane's business. */
  readonly scope: Scope
  /** The plane's canonical text of the scope. Unique per (peer, plane, direction). */
  readonly scopeKey: string
  readonly direction: Direction
  /** Stay connected after catching up. */
  readonly live: boolean
  readonly enabled: boolean
  /**
   * When a link that is caught up and not live is due again: an interval (`5m`), a daily time (`03:00`) or five cron
   * fields, UTC. Undefined: only on demand. What the text means is up to `SchedulerOptions.nextRun`.
   */
  readonly schedule: string | undefined
  /** Wall ms since when nobody asks for this link any more. It does not run, and its checkpoint waits for a second thought. */
  readonly retiredAt?: number | undefined
}

export const linkId = (value: string): LinkId => value as LinkId
