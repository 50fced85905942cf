import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { SyncError } from '../../kernel/sync-error.ts'
import type { Connection } from './connection.ts'
import type { SqliteTx } from './sqlite-tx.ts'

/** One callback's part of a group commit: access to the connection while it may have it, and its hooks. */
export class WriteTransaction implements SqliteTx {
  readonly #connection: Connection
  readonly #before = new Map<object, () => void>()
  readonly #after: (() => void)[] = []
  readonly #rollback: (() => void)[] = []
  /** False while others of the group run and after its end: nobody writes into a transaction that is not his. */
  #active = true

  constructor(connection: Connection) {
    this.#connection = connection
  }

  get db(): DatabaseSync {
    this.#assertOpen()
    return this.#connection.db
  }

  prepare(sql: string): StatementSync {
    this.#assertOpen()
    return this.#connection.prepare(sql)
  }

  beforeCommit(key: object, work: () => void): void {
    this.#assertActive()
    if (!this.#before.has(key)) this.#before.set(key, work)
  }

  afterCommit(work: () => void): void {
    this.#assertActive()
    this.#after.push(work)
  }

  onRollback(work: () => void): void {
    this.#assertActive()
    this.#rollback.push(work)
  }

  /** Takes away or gives back access. */
  set active(active: boolean) {
    this.#active = active
  }

  /** Grows while it is walked when a hook registers another, which then still runs. */
  get beforeHooks(): ReadonlyMap<object, () => void> {
    return this.#before
  }

  get afterHooks(): readonly (() => void)[] {
    return this.#after
  }

  /** What was staged last is forgotten first. */
  get rollbackHooks(): readonly (() => void)[] {
    return this.#rollback.toReversed()
  }

  /**
   * After some errors (a full disk is one) SQLite has rolled the transaction back by itself. Work that ignores them
   * and goes on would write outside of any transaction.
   */
  #assertOpen(): void {
    this.#assertActive()
    if (!this.#connection.db.isTransaction)
      throw new SyncError(
        'internal/bug',
        'a transaction went on after it was rolled back by an earlier error',
      )
  }

  #assertActive(): void {
    if (!this.#active)
      throw new SyncError('internal/bug', 'a transaction was used after its work had ended or timed out')
  }
}
