import type { Clock } from '../../kernel/clock.ts'
import { SyncError } from '../../kernel/sync-error.ts'
import type { Connection } from './connection.ts'
import { ReadTransaction } from './read-transaction.ts'
import { storeError } from './sqlite-error.ts'
import type { SqliteTx } from './sqlite-tx.ts'
import { withinTime } from './time-limit.ts'

export interface ReaderLimits {
  readonly maxReaders: number
  /** Reads that wait for a connection; more are refused as `store/busy`. */
  readonly maxWaitingReads: number
  /** How long one snapshot may live, milliseconds of the clock. The write-ahead log only grows meanwhile. */
  readonly readMs: number
}

export interface ReadersOptions {
  readonly open: () => Connection
  readonly clock: Clock
  readonly limits: ReaderLimits
}

class ReadTimeout extends SyncError {
  constructor(ms: number) {
    super(
      'store/busy',
      `a read was ended after ${ms / 1_000} s: its snapshot kept the write-ahead log growing`,
    )
  }
}

/**
 * Read-only connections, opened as needed. In WAL mode a snapshot neither waits for the writer nor makes it wait.
 * A read must not start another read and wait for it: when all connections do so, none is left.
 */
export class Readers implements AsyncDisposable {
  readonly #options: ReadersOptions
  readonly #idle: Connection[] = []
  readonly #waiting: PromiseWithResolvers<void>[] = []
  #busy = 0
  #closed = false
  #drained = Promise.withResolvers<void>()

  constructor(options: ReadersOptions) {
    this.#options = options
  }

  async read<T>(work: (tx: SqliteTx) => T | Promise<T>): Promise<T> {
    await this.#turn()
    let connection: Connection | undefined
    try {
      connection = this.#idle.pop() ?? this.#options.open()
      return await this.#snapshot(connection, work)
    } catch (error) {
      throw readError(error)
    } finally {
      if (connection?.db.isOpen) this.#idle.push(connection)
      this.#done()
    }
  }

  /** Waits for the reads under way and closes the connections. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    for (const waiting of this.#waiting.splice(0)) waiting.reject(closed())
    if (this.#busy > 0) await this.#drained.promise
    for (const connection of this.#idle.splice(0)) connection.close()
  }

  async #snapshot<T>(connection: Connection, work: (tx: SqliteTx) => T | Promise<T>): Promise<T> {
    const { clock, limits } = this.#options
    const tx = new ReadTransaction(connection)
    try {
      connection.prepare('BEGIN').run()
      // BEGIN alone takes no snapshot; without this it would be as of whenever the work first reads.
      connection.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get()
      const returned = work(tx)
      if (!(returned instanceof Promise)) return returned
      return await withinTime(returned, clock, limits.readMs, () => new ReadTimeout(limits.readMs))
    } catch (error) {
      // Work that outlived its snapshot may go on at any moment: it must not find a living statement.
      if (error instanceof ReadTimeout || storeError(error) !== error) connection.close()
      throw error
    } finally {
      tx.end()
      connection.finishLoops()
      if (connection.db.isOpen && connection.db.isTransaction) connection.prepare('ROLLBACK').run()
    }
  }

  async #turn(): Promise<void> {
    if (this.#closed) throw closed()
    const { maxReaders, maxWaitingReads } = this.#options.limits
    if (this.#busy < maxReaders) {
      this.#busy += 1
      return
    }
    if (this.#waiting.length >= maxWaitingReads)
      throw new SyncError('store/busy', `${maxWaitingReads} reads are waiting already`)
    const waiting = Promise.withResolvers<void>()
    this.#waiting.push(waiting)
    await waiting.promise
  }

  /** Hands the turn to the next in line, or gives it back. */
  #done(): void {
    const next = this.#waiting.shift()
    if (next !== undefined) return next.resolve()
    this.#busy -= 1
    if (this.#busy === 0 && this.#closed) this.#drained.resolve()
  }
}

function closed(): SyncError {
  return new SyncError('store/busy', 'the store is closed')
}

function readError(error: unknown): unknown {
  const mapped = storeError(error)
  // SQLITE_READONLY means a wrong file permission everywhere but here.
  if (!(mapped instanceof SyncError) || mapped === error || mapped.code !== 'config/invalid') return mapped
  return new SyncError('internal/bug', 'a read tried to write; use a transaction', { cause: error })
}
