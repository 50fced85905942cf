import type { NostrEvent } from '../event.ts'
import type { Filter } from '../filter.ts'

/** Which of two versions of a declaration is newer (NIP-01): the later `created_at`, of equal ones the lower id. */
export type Revision = readonly [createdAt: number, id: string]

/** What one accepted event says should be mirrored, and from where. */
export interface Declaration {
  /** The key of what is mirrored: an address, a public key, a group. */
  readonly subject: string
  readonly revision: Revision
  /** One of the profile's levels. */
  readonly level: string
  /** Relay URLs as the event spells them; nobody has checked them. */
  readonly peers: readonly string[]
}

/** An event that belongs to subjects, and whose own followers are wanted with it. */
export interface ChildClaim {
  readonly child: string
  readonly subjects: readonly string[]
}

/** One kind of question that is put to a relay, for as long as something wants its answer. */
export interface Layer {
  readonly name: string
  /** What it asks about: the relay as a whole, each wanted subject, or each of their children. */
  readonly per: 'peer' | 'subject' | 'child'
  /** Asked for subjects of this level and above. Default: the lowest. */
  readonly level?: string | undefined
  /** What a filter asks for about a subject or child; several may share one value, which is asked for once. */
  value(key: string): string
  /** The filters that together find everything about these values; a layer per peer is asked with the one value ''. */
  filters(values: readonly string[]): readonly Filter[]
}

/** How much of what strangers publish is believed. What goes beyond is left out and counted. */
export interface ProfileBounds {
  readonly peersPerSubject: number
  readonly subjectsPerAuthor: number
  readonly subjects: number
  readonly childrenPerSubject: number
  /** Children whose subject nobody declared yet; the oldest are forgotten first. */
  readonly unattachedChildren: number
}

/**
 * The rules by which a node finds what it should mirror, as data: the engine knows neither git nor any other use
 * (specs proactive §13.5). Discovery starts from events this node has accepted and from nothing else.
 */
export interface Profile {
  readonly name: string
  /** From the least to the most that can be wanted of a subject. */
  readonly levels: readonly string[]
  /** Kinds that declare a subject. */
  readonly declaringKinds: readonly number[]
  /** Kinds of which an event may be a child. */
  readonly childKinds: readonly number[]
  readonly layers: readonly Layer[]
  readonly bounds: ProfileBounds
  /** Undefined: the event declares nothing. */
  declare(event: NostrEvent): Declaration | undefined
  /** Undefined: the event belongs to nothing. */
  claim(event: NostrEvent): ChildClaim | undefined
}

/** True when `a` replaces `b`. */
export function isNewer(a: Revision, b: Revision): boolean {
  return a[0] !== b[0] ? a[0] > b[0] : a[1] < b[1]
}
