import type { Channel } from './channel.ts'
import type { Clock, Random } from './clock.ts'
import type { Link } from './link.ts'
import type { Logger } from './logger.ts'
import type { Outbox } from './outbox.ts'
import type { Peer } from './peer.ts'
import type { Outcome, Progress } from './progress.ts'
import type { Migration, TransactionOptions } from './store.ts'
import type { Triggers } from './triggers.ts'

/** Turns untrusted input into a value or throws an error that names the field. */
export interface Schema<T> {
  parse(input: unknown): T
}

export type CommitOptions = Pick<TransactionOptions, 'durable'>

/** What a commit moves besides its data. */
export interface Commit<Checkpoint> {
  readonly checkpoint: Checkpoint
}

export interface SharedDial {
  /** Ends the dial, and later the channel; the attempt's own signal does neither. */
  readonly signal: AbortSignal
  /** Milliseconds to connect; default: the transport's. */
  readonly timeoutMs?: number | undefined
}

/** What the kernel hands a plane for one attempt. */
export interface Session<Scope, Checkpoint, Tx> {
  readonly link: Link<Scope>
  readonly peer: Peer
  /** Where the last committed attempt got to; undefined on the first. */
  readonly checkpoint: Checkpoint | undefined
  /** Aborts on stop, on the idle watchdog and on a lost lease. Every wait in a plane takes it. */
  readonly signal: AbortSignal
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly outbox: Outbox<Tx>
  /** What was asked beyond coming up to date, at the start and meanwhile; a live attempt looks again when woken. */
  readonly triggers: Triggers
  /** Dials the peer's addresses in order. The attempt owns the channel: it is closed when the attempt ends. */
  open(protocol: string): Promise<Channel>
  /** The same for a channel that several attempts share: the caller owns it, and says `alive` for those it serves. */
  dial(protocol: string, options: SharedDial): Promise<Channel>
  /** Says "something came from the peer" to the idle watchdog between two progress reports. */
  alive(): void
  /** Reads a consistent snapshot of the store. */
  read<T>(work: (tx: Tx) => Promise<T>): Promise<T>
  /**
   * Runs `write` and saves the checkpoint it returns in one transaction, after checking that this attempt still
   * owns the link. Nothing else moves a checkpoint, so it can never run ahead of its data. `durable`: see `Store`.
   */
  commit(write: (tx: Tx) => Promise<Commit<Checkpoint>>, options?: CommitOptions): Promise<void>
}

/** One kind of data. A plane knows nothing of schedules, retries, leases or other planes. */
export interface Plane<Scope, Checkpoint, Tx> {
  readonly name: string
  readonly scope: Schema<Scope>
  readonly checkpoint: Schema<Checkpoint>
  readonly migrations: readonly Migration<Tx>[]
  /** Initiator. "Live" is the same call that does not return after catching up. */
  sync(session: Session<Scope, Checkpoint, Tx>): AsyncGenerator<Progress, Outcome>
}
