import type { ItemColumns, Key } from '../../../negentropy/index.ts'
import type { SealedEntry } from '../entry/entry.ts'
import type { DatabaseId, EntryId } from '../entry/entry-id.ts'

/**
 * What this node knows of an entry; never sent, never taken from a peer.
 *
 * - `verified`   checked here, like everything it builds on. Only these are read, counted and served.
 * - `unverified` held until what it needs arrives: a parent, or the database its authority comes from.
 * - `failed`     was held and then found to be bad. Kept for a while so that a copy is recognised.
 */
export type Verification = 'verified' | 'unverified' | 'failed'

/** A position in the canonical order: height, then id bytes. Parents come before their children. */
export interface CanonicalKey {
  readonly height: number
  readonly id: EntryId
}

/** What a held entry waits for. */
export interface Want {
  /** The database the missing entry belongs to; not always that of the entry that waits. */
  readonly database: DatabaseId
  readonly id: EntryId
}

export interface HeldEntry {
  readonly sealed: SealedEntry
  readonly database: DatabaseId
  readonly status: Verification
}

/** An entry in its place, with the bytes it is named by. */
export interface ListedBytes {
  readonly key: CanonicalKey
  readonly bytes: Uint8Array
}

export interface ListOptions {
  /** Exclusive start; undefined: from the first. */
  readonly after?: CanonicalKey | undefined
  /** Inclusive lowest height; what `after` says when both are given. */
  readonly fromHeight?: number | undefined
  readonly limit: number
}

/** A materialised store at some tips, as it was saved. */
export interface SavedState {
  /** Store tips, sorted. */
  readonly tips: readonly EntryId[]
  /** Entries folded into it. */
  readonly count: number
}

/** A consistent snapshot of what is stored. Everything is synchronous: it runs inside one transaction. */
export interface DocumentView {
  /** Roots of which at least the root entry is verified, sorted by id bytes. */
  databases(): readonly DatabaseId[]
  /** Undefined when it is not held. */
  status(id: EntryId): Verification | undefined
  /** Of these ids, those that are held with whatever status. */
  present(ids: readonly EntryId[]): ReadonlySet<EntryId>
  /** A held entry of any status. */
  held(id: EntryId): HeldEntry | undefined
  /** A verified entry, the only kind that may influence anything. */
  entry(id: EntryId): SealedEntry | undefined
  /** Verified entries that no verified entry builds on, sorted: the frontier. Empty: nothing is verified. */
  tips(database: DatabaseId): readonly EntryId[]
  /** Number of verified entries. */
  count(database: DatabaseId): number
  /** Verified entries in canonical order, which is topological. */
  list(database: DatabaseId, options: ListOptions): readonly SealedEntry[]
  /** The same as they are served: not decoded. */
  listBytes(database: DatabaseId, options: ListOptions): readonly ListedBytes[]
  /**
   * Height and id digest of the verified entries from one key up to another (exclusive; undefined: up to the last), in
   * canonical order: what range reconciliation works on, with heights for timestamps.
   */
  columns(database: DatabaseId, from: Key, to: Key | undefined): ItemColumns
  /** Entries of one status in canonical order; only `unverified` and `failed` are bounded in number. */
  listByStatus(database: DatabaseId, status: 'unverified' | 'failed'): readonly SealedEntry[]
  /** Whether an unverified entry waits for nothing that is not verified by now: time may have healed it. */
  isReady(database: DatabaseId): boolean
  /** Number of entries of one status, by default of those that wait. */
  heldCount(database: DatabaseId, status?: 'unverified' | 'failed'): number
  /** Missing entries that held ones wait for, sorted by id, at most `limit`. */
  wanted(database: DatabaseId, limit: number): readonly EntryId[]
  /** Databases in which something is wanted. */
  wantedDatabases(): readonly DatabaseId[]
  /** Held entries that wait for this one, in no particular order. */
  waitingFor(id: EntryId): readonly EntryId[]
  /** What `saveLineage` kept of a verified entry. */
  lineage(id: EntryId): Uint8Array | undefined
  /** Saved states of a store, the one with the most entries first. */
  states(database: DatabaseId, store: string): readonly SavedState[]
  /** The body of one of them. */
  state(database: DatabaseId, store: string, tips: readonly EntryId[]): Uint8Array | undefined
  /** A value of the instance: its metadata, its secrets. */
  value(key: string): string | undefined
}

/** A transaction that may change things. Nothing of it is seen by others before it is durable. */
export interface DocumentBatch extends DocumentView {
  /** Stores an entry that is not held; a held one stays as it is. Parents of a verified one must be verified. */
  add(sealed: SealedEntry, status: 'verified' | 'unverified'): void
  /** From unverified to verified or failed, and nothing else. What it waited for is forgotten. */
  decide(id: EntryId, status: 'verified' | 'failed'): void
  /** Replaces what a held, unverified entry waits for. */
  setWants(id: EntryId, wants: readonly Want[]): void
  /** Forgets an entry that is not verified. */
  drop(id: EntryId): void
  saveLineage(id: EntryId, body: Uint8Array): void
  /** Keeps a state and at most `keep` others of the store, those with the most entries. */
  saveState(database: DatabaseId, store: string, state: SavedState, body: Uint8Array, keep: number): void
  /** Forgets all saved states, of one database or of all. */
  clearStates(database?: DatabaseId): void
  /** `undefined` removes it. */
  setValue(key: string, value: string | undefined): void
  /**
   * Writes what the batch has put together so far. Whoever shares a transaction with others calls it when it is done;
   * a commit does so too.
   */
  flush(): void
  /** Runs once the batch is durable. */
  afterCommit(work: () => void): void
  /** Runs when nothing of the batch was kept. */
  onRollback(work: () => void): void
}

export interface BatchOptions {
  /** Gives up while the batch waits for its turn. */
  readonly signal?: AbortSignal
  /** Entries it writes, about. */
  readonly weight?: number
  /** False: it need not outlast a loss of power before something durable was written after it. Default: true. */
  readonly durable?: boolean
}

/** Where databases are kept. One contract suite for every engine; `Tx` is the engine's own transaction. */
export interface DocumentStorage<Tx = unknown> {
  /** Batches run one after the other. All of it becomes durable before the promise resolves, or none of it. */
  write<T>(work: (batch: DocumentBatch, tx: Tx) => T | Promise<T>, options?: BatchOptions): Promise<T>
  read<T>(work: (view: DocumentView) => T | Promise<T>): Promise<T>
  /** A batch inside the caller's own transaction, which decides whether it is kept. */
  batchIn(tx: Tx): DocumentBatch
}

/** The canonical order of entries. */
export function compareKeys(
  a: CanonicalKey,
  b: CanonicalKey,
  compare: (a: EntryId, b: EntryId) => number,
): number {
  return a.height - b.height || compare(a.id, b.id)
}
