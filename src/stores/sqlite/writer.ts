import type { Clock } from '../../kernel/clock.ts'
import type { Logger } from '../../kernel/logger.ts'
import type { TransactionOptions } from '../../kernel/store.ts'
import { SyncError } from '../../kernel/sync-error.ts'
import type { Connection } from './connection.ts'
import { GroupCommit, TransactionTimeout } from './group-commit.ts'
import { storeError } from './sqlite-error.ts'
import type { SqliteTx } from './sqlite-tx.ts'
import { withinTime } from './time-limit.ts'
import { type QueueLimits, TransactionQueue } from './transaction-queue.ts'

export interface WriterLimits extends QueueLimits {
  /** How long a group waits at most for as many transactions as the last one had, milliseconds. */
  readonly gatherMs: number
  /** How long one transaction may keep all others waiting, milliseconds of the clock. */
  readonly transactionMs: number
}

export interface WriterOptions {
  readonly open: () => Connection
  readonly clock: Clock
  readonly log: Logger
  readonly limits: WriterLimits
  /** Runs inside every group that changes something, just before its COMMIT. */
  readonly countCommit: (connection: Connection) => void
}

/** What the writer has done since it was opened. */
export interface WriterStats {
  readonly commits: number
  /** Commits that were made durable at once, with a flush of the disk. */
  readonly flushes: number
  /** Transactions in them. */
  readonly committed: number
  /** Transactions that wait for their turn. */
  readonly waiting: number
}

/** After this long in a group, other work of the thread gets a turn before the next transaction. */
const sliceMs = 8

/**
 * The one writing connection of a store. Transactions run one after the other; those that wait at the same moment
 * share a commit, and thereby its flush of the disk.
 */
export class Writer implements AsyncDisposable {
  readonly #options: WriterOptions
  readonly #queue: TransactionQueue
  #connection: Connection
  #draining: Promise<void> | undefined
  /** Ends the wait for a fuller group. */
  #hurry = () => {}
  #lastGroup = 0
  /** How long the last commit with a flush took; a disk that is not known yet may be slow. */
  #flushMs = Number.POSITIVE_INFINITY
  #closed = false
  #commits = 0
  #committed = 0
  #flushes = 0
  /** How the connection commits: FULL, as it was opened, or NORMAL. */
  #flushing = true

  constructor(options: WriterOptions) {
    this.#options = options
    this.#queue = new TransactionQueue(options.limits)
    this.#connection = options.open()
  }

  get stats(): WriterStats {
    return {
      commits: this.#commits,
      flushes: this.#flushes,
      committed: this.#committed,
      waiting: this.#queue.size,
    }
  }

  transaction<T>(work: (tx: SqliteTx) => T | Promise<T>, options?: TransactionOptions): Promise<T> {
    if (this.#closed) return Promise.reject(new SyncError('store/busy', 'the store is closed'))
    const done = this.#queue.add(work, options)
    if (this.#queue.fillsGroup || this.#queue.size >= this.#lastGroup) this.#hurry()
    this.#draining ??= this.#drain()
    return done
  }

  /** Finishes what waits, moves the write-ahead log into the database and closes it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    this.#hurry()
    await this.#draining
    if (!this.#connection.db.isOpen) return
    try {
      this.#connection.db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    } catch (error) {
      // The log stays valid beside the database and is read on the next start.
      this.#options.log.warn('the write-ahead log could not be checkpointed', { error: String(error) })
    } finally {
      this.#connection.close()
    }
  }

  async #drain(): Promise<void> {
    while (this.#queue.size > 0) {
      await this.#gather()
      await this.#runGroup()
    }
    this.#draining = undefined
  }

  /**
   * Everything that arrives in the same turn of the event loop shares a group. Callers that come one at a time never
   * wait longer than that; where the last group had several, the next waits a little for their successors: no longer than a
   * flush takes, which is all there is to gain, and not at all where nothing is flushed. The wait is about throughput and
   * changes no outcome, so it uses the machine's timer even under a test's clock.
   */
  async #gather(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve))
    if (this.#closed || this.#queue.fillsGroup || this.#queue.size >= this.#lastGroup) return
    const waitMs = Math.min(this.#options.limits.gatherMs, this.#flushMs)
    // Timers count whole milliseconds: a wait of less would be one of a millisecond.
    if (waitMs < 1 || this.#queue.nextIsDurable === false) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, waitMs)
      this.#hurry = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    this.#hurry = () => {}
  }

  /** Never rejects: every failure belongs to transactions and is theirs to hear of. */
  async #runGroup(): Promise<void> {
    const { clock } = this.#options
    // What need not be durable waits for no disk; a group that is flushed anyway takes it along.
    const durable = this.#queue.nextIsDurable !== false
    const group = this.#begin(durable)
    if (group === undefined) return
    let weight = 0
    let count = 0
    let sliceEnd = clock.monotonic() + sliceMs
    while (!group.over) {
      if (!durable && this.#queue.nextIsDurable) break
      const queued = this.#queue.next(count, weight)
      if (queued === undefined) break
      await group.add(queued)
      count += 1
      weight += queued.weight
      if (clock.monotonic() < sliceEnd) continue
      await new Promise((resolve) => setImmediate(resolve))
      sliceEnd = clock.monotonic() + sliceMs
    }
    const began = performance.now()
    group.commit()
    if (durable) this.#flushMs = performance.now() - began
    this.#lastGroup = count
    this.#committed += group.committed
    if (group.committed === 0) return
    this.#commits += 1
    if (durable) this.#flushes += 1
  }

  /** A connection that was closed by a fault is opened anew; when that fails, those who wait are told. */
  #begin(durable: boolean): GroupCommit | undefined {
    const { open, log, countCommit } = this.#options
    try {
      if (!this.#connection.db.isOpen) {
        this.#connection = open()
        this.#flushing = true
      }
      if (durable !== this.#flushing) {
        this.#connection.db.exec(`PRAGMA synchronous = ${durable ? 'FULL' : 'NORMAL'}`)
        this.#flushing = durable
      }
      return new GroupCommit(this.#connection, { log, countCommit, settle: (work) => this.#settled(work) })
    } catch (error) {
      const reason = storeError(error)
      for (let count = this.#queue.size; count > 0; count -= 1) this.#queue.next(0, 0)?.reject(reason)
      return undefined
    }
  }

  #settled(work: Promise<unknown>): Promise<unknown> {
    const { clock, limits } = this.#options
    const { transactionMs } = limits
    return withinTime(work, clock, transactionMs, () => new TransactionTimeout(transactionMs))
  }
}
