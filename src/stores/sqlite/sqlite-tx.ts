import type { DatabaseSync, StatementSync } from 'node:sqlite'

/**
 * One transaction on a SQLite connection. Several may share one group commit: each runs in its own savepoint, and
 * its hooks only run when it was not rolled back.
 */
export interface SqliteTx {
  readonly db: DatabaseSync
  /** A prepared statement, cached per connection and SQL text. */
  prepare(sql: string): StatementSync
  /** Runs inside the transaction, just before the group's COMMIT; registered twice with one key, it runs once. */
  beforeCommit(key: object, work: () => void): void
  /** Runs after the group's COMMIT became durable, in order of registration. */
  afterCommit(work: () => void): void
  /** Runs when this transaction, or the whole group, was rolled back: forget what was staged for it. */
  onRollback(work: () => void): void
}
