import type { AttemptEnd, AttemptRecord, AttemptStart } from './attempt-record.ts'
import type { HealthRecord } from './health.ts'
import type { Link, LinkId } from './link.ts'
import type { Outbox } from './outbox.ts'
import type { Peer, PeerId } from './peer.ts'
import type { RunRecord } from './run.ts'

/** One step of a schema, applied in its own transaction and recorded by `id`. Never edited once released. */
export interface Migration<Tx> {
  /** Sorts by time of writing, for example `events-0001-create`. */
  readonly id: string
  up(tx: Tx): void | Promise<void>
}

/** Proof of ownership of a link; `fence` grows with every owner, so a write by an expired one can be told apart. */
export interface Lease {
  readonly link: LinkId
  readonly owner: string
  readonly fence: number
}

export interface JobStore<Tx> {
  /**
   * Takes the link for `owner` until `ttlMs` from now, or answers undefined when another owner's lease still runs.
   * At most one owner per link at any time.
   */
  claim(tx: Tx, link: LinkId, owner: string, ttlMs: number): Promise<Lease | undefined>
  /** Extends a lease; false when it was lost. */
  renew(tx: Tx, lease: Lease, ttlMs: number): Promise<boolean>
  /** Throws `lease/lost` unless `lease` is the newest of its link and not expired. Called inside every commit. */
  assertOwned(tx: Tx, lease: Lease): Promise<void>
  /** Frees the link; a lease that was lost already is ignored. */
  release(tx: Tx, lease: Lease): Promise<void>
  /** Voids every lease of `owner`: what a process does at start with its own former id, and never with another's. */
  releaseAll(tx: Tx, owner: string): Promise<void>
}

export interface PeerStore<Tx> {
  get(tx: Tx, id: PeerId): Promise<Peer | undefined>
  /** Sorted by name, then id: several may be reached at one address. */
  findByAddress(tx: Tx, transport: string, value: string): Promise<readonly Peer[]>
  /** Sorted by name, then id; without those that cannot be read. */
  list(tx: Tx): Promise<readonly Peer[]>
  /** Records that cannot be read, by id: one that was damaged must not take the others with it. */
  unreadable(tx: Tx): Promise<readonly Unreadable[]>
  put(tx: Tx, peer: Peer): Promise<void>
  /** Removes the peer, its links, their checkpoints and its health; synced data stays. False when unknown. */
  remove(tx: Tx, id: PeerId): Promise<boolean>
  health(tx: Tx, id: PeerId): Promise<HealthRecord | undefined>
  saveHealth(tx: Tx, id: PeerId, health: HealthRecord): Promise<void>
}

export interface Unreadable {
  readonly id: string
  readonly reason: string
}

export interface LinkStore<Tx> {
  get(tx: Tx, id: LinkId): Promise<Link | undefined>
  find(tx: Tx, peer: PeerId, plane: string, direction: string, scopeKey: string): Promise<Link | undefined>
  /** Without those that cannot be read. */
  list(tx: Tx, peer?: PeerId): Promise<readonly Link[]>
  put(tx: Tx, link: Link): Promise<void>
  remove(tx: Tx, id: LinkId): Promise<boolean>
  /** JSON value as the plane committed it. */
  checkpoint(tx: Tx, id: LinkId): Promise<unknown>
  /** `undefined` deletes it. Only the kernel's commit and rebuild call this. */
  saveCheckpoint(tx: Tx, id: LinkId, checkpoint: unknown): Promise<void>
  /** Undefined also when it cannot be read: what it says can be found out again. */
  run(tx: Tx, id: LinkId): Promise<RunRecord | undefined>
  saveRun(tx: Tx, id: LinkId, run: RunRecord): Promise<void>
  /** Adds an attempt to its link's history and drops the oldest beyond `attemptsKept`; answers its id. */
  beginAttempt(tx: Tx, start: AttemptStart): Promise<number>
  /** Writes how it ended; an attempt that is no longer kept, or ended already, is ignored. */
  endAttempt(tx: Tx, id: number, end: AttemptEnd): Promise<void>
  /** Newest first. */
  attempts(tx: Tx, link: LinkId, limit: number): Promise<readonly AttemptRecord[]>
}

export interface TransactionOptions {
  /** Gives up while the transaction waits for its turn; once its work has begun, it runs to its end. */
  readonly signal?: AbortSignal
  /** Items it writes, about; default 1. A group commit is full at some weight, however many transactions that is. */
  readonly weight?: number
  /**
   * False: it survives the death of the process, and a loss of power once anything durable was written after it. For what
   * nobody outside was told of and what is found out again: how a run goes, leases, how far a comparison got. Default: true.
   */
  readonly durable?: boolean
}

/** The control plane's storage. One implementation per engine, one contract suite for all. */
export interface Store<Tx> extends AsyncDisposable {
  /**
   * Runs `work` in one transaction: all of it becomes durable before the promise resolves, or none of it. What is lost with
   * the power is always the newest: never one transaction of those before another.
   * Transactions of one store run one after the other; several may share one group commit.
   */
  transaction<T>(work: (tx: Tx) => T | Promise<T>, options?: TransactionOptions): Promise<T>
  /** Reads a consistent snapshot without waiting for writers. Writing in it fails. */
  read<T>(work: (tx: Tx) => T | Promise<T>): Promise<T>
  /** Applies what is missing, each in its own transaction; refuses a store that a newer version wrote. */
  migrate(migrations: readonly Migration<Tx>[]): Promise<void>
  readonly peers: PeerStore<Tx>
  readonly links: LinkStore<Tx>
  readonly jobs: JobStore<Tx>
  readonly outbox: Outbox<Tx>
}
