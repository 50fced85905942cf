import { RowsClientError } from './client-error.ts'
import type { SqliteDriver } from './sqlite-driver.ts'

/** Databases with an active client in this process. */
const owned = new Set<string | object>()

/**
 * At most one client per database (§8.1): two would take turns with one outbox.
 *
 * @returns gives the database up
 */
export function claim({ identity }: SqliteDriver): () => void {
  if (owned.has(identity))
    throw new RowsClientError(
      'rows/already-owned',
      'another rows client of this process uses this database; close it first, or share it',
    )
  owned.add(identity)
  return () => owned.delete(identity)
}
