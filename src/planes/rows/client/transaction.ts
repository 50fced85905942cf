import { RowsClientError } from './client-error.ts'
import type { SqliteDriver } from './sqlite-driver.ts'

/** Runs `work` in one transaction: all of it, or none. Synchronous, so that nothing of the application comes between. */
export function transact<T>(db: SqliteDriver, work: () => T): T {
  if (db.inTransaction)
    throw new RowsClientError(
      'rows/database-busy',
      'the application has a transaction open on the connection it shares with sync; end it, then this is tried again',
    )
  db.exec('BEGIN IMMEDIATE')
  try {
    const result = work()
    db.exec('COMMIT')
    return result
  } catch (error) {
    // Some failures (a full disk) have rolled back by themselves.
    if (db.inTransaction) db.exec('ROLLBACK')
    throw error
  }
}

/**
 * A transaction that writes business tables on behalf of the server: capture is off, and foreign keys need to hold at its
 * end only, so that rows may come in any order (§8.3).
 */
export function transactApplying<T>(db: SqliteDriver, work: () => T): T {
  return transact(db, () => {
    db.exec('PRAGMA defer_foreign_keys = ON; UPDATE _sync_apply_state SET apply_mode = 1')
    const result = work()
    db.exec('UPDATE _sync_apply_state SET apply_mode = 0')
    return result
  })
}
