import type { Logger } from '../../kernel/logger.ts'
import { SyncError } from '../../kernel/sync-error.ts'
import type { Connection } from './connection.ts'
import { storeError } from './sqlite-error.ts'
import type { QueuedTransaction } from './transaction-queue.ts'
import { WriteTransaction } from './write-transaction.ts'

/** The work did not settle in time. */
export class TransactionTimeout extends SyncError {
  constructor(ms: number) {
    const why = 'does it wait for another transaction of the same store, or for the network?'
    super('internal/bug', `a transaction was rolled back as it did not end within ${ms / 1_000} s; ${why}`)
  }
}

export interface GroupCommitOptions {
  readonly log: Logger
  /** Bounds how long the work of a transaction may take, by a `TransactionTimeout`. */
  readonly settle: (work: Promise<unknown>) => Promise<unknown>
  /** Runs just before the COMMIT of a group that changes something. */
  readonly countCommit: (connection: Connection) => void
}

interface Member {
  readonly queued: QueuedTransaction
  readonly tx: WriteTransaction
  readonly result: unknown
}

/**
 * One BEGIN … COMMIT around several transactions, each in a savepoint.
 *
 * A member that throws is rolled back alone. A fault of the store itself (full, I/O, damaged, a failing COMMIT) ends
 * the whole group: SQLite may have rolled all of it back already, and nothing after that would be certain.
 */
export class GroupCommit {
  readonly #connection: Connection
  readonly #options: GroupCommitOptions
  readonly #members: Member[] = []
  readonly #changesBefore: number
  #over = false
  #committed = 0

  /** @throws SyncError `store/busy` when another program writes */
  constructor(connection: Connection, options: GroupCommitOptions) {
    this.#connection = connection
    this.#options = options
    connection.prepare('BEGIN IMMEDIATE').run()
    this.#changesBefore = this.#totalChanges()
  }

  /** It takes no more members: committed, or rolled back as a whole. */
  get over(): boolean {
    return this.#over
  }

  /** Transactions made durable. */
  get committed(): number {
    return this.#committed
  }

  /** Runs one transaction to its end; never rejects. */
  async add(queued: QueuedTransaction): Promise<void> {
    const tx = new WriteTransaction(this.#connection)
    try {
      this.#connection.prepare('SAVEPOINT member').run()
      const returned = queued.work(tx)
      const result = returned instanceof Promise ? await this.#options.settle(returned) : returned
      tx.active = false
      this.#connection.finishLoops()
      this.#assertIntact()
      this.#connection.prepare('RELEASE member').run()
      this.#members.push({ queued, tx, result })
    } catch (thrown) {
      tx.active = false
      const error = storeError(thrown)
      this.#rollBack(tx)
      if (isFault(error) || !this.#connection.db.isTransaction) this.#abandon(error)
      else this.#leave(error)
      if (thrown instanceof TransactionTimeout) {
        // Its work may go on at any moment. It must find neither an open transaction nor a living statement.
        this.commit()
        this.#connection.close()
      }
      queued.reject(error)
    }
  }

  /** Makes durable what was not rolled back. */
  commit(): void {
    if (this.#over) return
    try {
      this.#runBeforeHooks()
      const changed = this.#totalChanges() !== this.#changesBefore
      if (changed && this.#members.length > 0) this.#options.countCommit(this.#connection)
      this.#connection.finishLoops()
      this.#connection.prepare(this.#members.length === 0 ? 'ROLLBACK' : 'COMMIT').run()
    } catch (error) {
      return this.#abandon(storeError(error))
    }
    this.#over = true
    this.#committed = this.#members.length
    for (const { tx } of this.#members) {
      tx.active = false
      for (const hook of tx.afterHooks) this.#guarded(hook)
    }
    for (const { queued, result } of this.#members) queued.resolve(result)
  }

  #runBeforeHooks(): void {
    const done = new Set<object>()
    for (const { tx } of this.#members) {
      tx.active = true
      for (const [key, hook] of tx.beforeHooks) {
        if (done.has(key)) continue
        done.add(key)
        hook()
      }
    }
  }

  /** The savepoint of a failed member goes, the others stay. */
  #leave(error: unknown): void {
    try {
      this.#connection.finishLoops()
      this.#connection.prepare('ROLLBACK TO member').run()
      this.#connection.prepare('RELEASE member').run()
    } catch {
      this.#abandon(error)
    }
  }

  /** All or nothing is now nothing: every member so far is rolled back and told why. */
  #abandon(error: unknown): void {
    this.#over = true
    try {
      this.#connection.finishLoops()
      if (this.#connection.db.isTransaction) this.#connection.prepare('ROLLBACK').run()
      // After a failed read or write SQLite's own state is beyond our knowledge; a full disk it handles well.
      if (isFault(error) && (error as SyncError).code !== 'store/full') this.#connection.close()
    } catch {
      this.#connection.close()
    }
    for (const { tx } of this.#members.toReversed()) {
      tx.active = false
      this.#rollBack(tx)
    }
    for (const { queued } of this.#members) queued.reject(error)
  }

  #rollBack(tx: WriteTransaction): void {
    for (const hook of tx.rollbackHooks) this.#guarded(hook)
  }

  /** Whatever the outcome of the transaction is, a broken hook must not change it. */
  #guarded(hook: () => void): void {
    try {
      hook()
    } catch (error) {
      this.#options.log.error('a hook of a transaction failed', { error: String(error) })
    }
  }

  /** Work that swallows a storage error goes on without the transaction SQLite rolled back under it. */
  #assertIntact(): void {
    if (!this.#connection.db.isTransaction)
      throw new SyncError(
        'internal/bug',
        'a transaction was ended by its own work, or ignored a storage error',
      )
  }

  #totalChanges(): number {
    return Number(this.#connection.prepare('SELECT total_changes() AS changes').get()?.changes)
  }
}

function isFault(error: unknown): boolean {
  return (
    error instanceof SyncError &&
    (error.code === 'store/full' || error.code === 'store/io' || error.code === 'store/corrupt')
  )
}
