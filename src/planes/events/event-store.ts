import type { Key, ReconcileStep } from '../../negentropy/index.ts'
import type { NostrEvent, ParsedEvent, StoredEvent } from './event.ts'
import type { Filter } from './filter.ts'

/**
 * What became of one event. All but `stored` add nothing. A refused event may still rule others out, or the result would
 * depend on the order of arrival: a `deleted` version its predecessors, a `vanished` deletion the ids it names.
 *
 * - `stored`      new and kept
 * - `duplicate`   this id is already stored
 * - `superseded`  a newer version of the replaceable or addressable event is stored
 * - `deleted`     its author asked for its deletion (NIP-09)
 * - `vanished`    its author asked to vanish (NIP-62), or it is a gift wrap to one who did
 * - `banned`      the operator keeps this event, or its author, out
 * - `expired`     its expiration has passed (NIP-40)
 * - `ephemeral`   never stored; pass it on to live readers
 */
export type PutOutcome =
  | 'stored'
  | 'duplicate'
  | 'superseded'
  | 'deleted'
  | 'vanished'
  | 'banned'
  | 'expired'
  | 'ephemeral'

/** Decides event by event what a reader must not see although a request may ask for it. */
export interface Guard {
  /** Only events of these kinds have to be looked at; undefined: all. */
  readonly kinds: ReadonlySet<number> | undefined
  allows(event: NostrEvent): boolean
}

/** Which events a reader may see. */
export interface Visibility {
  /** Kinds that only their author and the people in their `p` tags may read; empty: everything is public. */
  readonly restrictedKinds: readonly number[]
  /** Authenticated public keys of the reader. */
  readonly pubkeys: readonly string[]
  readonly guard?: Guard | undefined
}

/** Everything, for the node's own work (sync, export). */
export const everything: Visibility = { restrictedKinds: [], pubkeys: [] }

export interface PageRequest {
  readonly filter: Filter
  /**
   * `desc`: newest first, ties by id ascending (NIP-01). `asc`: by (created_at, id). `reverse`: the exact reverse of
   * `asc`. `seq`: by arrival.
   */
  readonly order: 'asc' | 'desc' | 'reverse' | 'seq'
  /** Exclusive start in the direction of travel. */
  readonly after?: Key | number | undefined
  /** Inclusive end in the direction of travel. */
  readonly until?: Key | number | undefined
  readonly limit: number
  /** The page ends once its events' texts are this long together, but never before its first event. */
  readonly maxCharacters?: number | undefined
  readonly visibility: Visibility
}

export interface EventPage {
  readonly events: readonly StoredEvent[]
  /** True when nothing matching lies beyond this page. */
  readonly complete: boolean
}

export interface SetFingerprint {
  readonly count: number
  /** 32 hex: the negentropy fingerprint of the whole set. */
  readonly fingerprint: string
}

export interface ReconcilerOptions {
  readonly role: 'initiator' | 'responder'
  /** `limit` is refused: it has no meaning in a set. */
  readonly filter: Filter
  readonly visibility: Visibility
  /** Bytes of one binary message; 0: no limit. */
  readonly frameLimit: number
  /** More records than this: throws TooManyRecords. */
  readonly maxRecords?: number | undefined
}

/** A negentropy session over a snapshot of the stored set. Dispose it: the snapshot costs memory while it lives. */
export interface Reconciler extends AsyncDisposable {
  /** Records in the snapshot. */
  readonly size: number
  /** Of them, those kept in memory, some 40 bytes each; 0 where they are read from the store as needed. */
  readonly heldRecords: number
  /** The first message (initiator only). */
  initiate(): Promise<Uint8Array>
  /** Consumes one message of the peer. Throws NegentropyError on malformed input. */
  step(message: Uint8Array): Promise<ReconcileStep>
}

export class TooManyRecords extends Error {
  override readonly name = 'TooManyRecords'
  readonly max: number
  constructor(max: number) {
    super(`this query matches more than ${max} records`)
    this.max = max
  }
}

/**
 * The stored events of a node, with the rules of NIP-01, 09, 40 and 62: which of two versions stays, what a deletion
 * removes, never depends on the order of arrival. `Tx` is the engine's transaction (see kernel/store.ts).
 */
export interface EventStore<Tx> {
  /** Stores in one group commit; resolves when durable. Verdicts in input order, as if put one after the other. */
  put(events: readonly ParsedEvent[]): Promise<readonly PutOutcome[]>
  /** The same inside the caller's transaction. @param from the peer they came from: see `cameFrom` */
  putIn(tx: Tx, events: readonly ParsedEvent[], from?: string): Promise<readonly PutOutcome[]>
  /** Of `ids`, those stored because this very peer sent them: it is not offered them back. */
  cameFrom(peer: string, ids: readonly string[]): Promise<ReadonlySet<string>>
  /** Of `ids`, those stored now. What duplicates are recognised by before they are hashed. */
  known(ids: readonly string[]): Promise<ReadonlySet<string>>
  /**
   * Remembers for 30 days that the rules refused these ids for good (superseded, deleted, vanished, expired), so that a
   * peer that keeps offering them is not asked for them in every sync. Never for a bad signature: that says something
   * about the copy, not about the event of that id.
   */
  refuseIn(tx: Tx, ids: readonly string[]): Promise<void>
  /** Of `ids`, those refused for good lately. */
  refused(ids: readonly string[]): Promise<ReadonlySet<string>>
  /** Stored events by id, in no particular order; unknown and expired ones are missing. */
  get(ids: readonly string[]): Promise<readonly StoredEvent[]>
  page(request: PageRequest): Promise<EventPage>
  /**
   * The stored phase of a REQ: per filter the newest `limit` (or `defaultLimit`, at most `maxLimit`), merged, newest
   * first, ties by id ascending, nothing twice. `complete` when no filter left anything out.
   */
  query(filters: readonly Filter[], limits: QueryLimits): Promise<EventPage>
  /** Distinct events matching any of the filters. */
  count(filters: readonly Filter[], visibility: Visibility): Promise<number>
  fingerprint(filter: Filter, visibility: Visibility): Promise<SetFingerprint>
  reconciler(options: ReconcilerOptions): Promise<Reconciler>
  /** The highest `seq` given out so far; 0 when empty. */
  lastSeq(): Promise<number>
  /**
   * Calls `listener` after each commit with what was newly accepted, in order, `ephemeral` ones included. `seqs` holds
   * each event's `seq` (0 for an ephemeral one): what a slow reader needs to find its place again in the store.
   */
  onAccepted(
    listener: (events: readonly NostrEvent[], raws: readonly string[], seqs: readonly number[]) => void,
  ): Disposable
  /** Removes what expired up to now (NIP-40); answers how many. Readers never see expired events, swept or not. */
  sweep(): Promise<number>
  /**
   * Keeps an event, or all of an author, out from now on, through every door, and removes what is stored of it. When it
   * resolves, nothing of it is left.
   */
  ban(target: BanTarget, reason: string): Promise<void>
  /** Lets it in again; what was removed comes back when somebody offers it. False when it was not banned. */
  unban(target: BanTarget): Promise<boolean>
  /** By value. */
  bans(by: BanTarget['by']): Promise<readonly Ban[]>
}

export interface BanTarget {
  readonly by: 'id' | 'pubkey'
  /** 64 hex. */
  readonly value: string
}

export interface Ban extends BanTarget {
  readonly reason: string
}

export interface QueryLimits {
  readonly defaultLimit: number
  readonly maxLimit: number
  readonly visibility: Visibility
}
