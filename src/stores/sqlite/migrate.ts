import type { Migration } from '../../kernel/store.ts'
import { SyncError } from '../../kernel/sync-error.ts'
import type { Connection } from './connection.ts'
import type { SqliteTx } from './sqlite-tx.ts'

const tableSql = 'CREATE TABLE IF NOT EXISTS migrations (id TEXT PRIMARY KEY NOT NULL) STRICT, WITHOUT ROWID'

/**
 * Applies what is missing, in the order of their ids, one transaction after the other. A migration and the record of it
 * share one (K12), so a crash leaves the store before or after it, never between.
 *
 * @param transact runs its argument in a transaction; undefined where the store is open for reading only
 * @throws SyncError `store/newer` before anything is changed; `config/invalid` when something is missing and
 *   cannot be applied
 */
export async function migrate(
  applied: ReadonlySet<string>,
  migrations: readonly Migration<SqliteTx>[],
  transact: ((work: (tx: SqliteTx) => Promise<void>) => Promise<void>) | undefined,
): Promise<void> {
  assertNotNewer(applied, migrations)
  const missing = migrations
    .filter(({ id }) => !applied.has(id))
    .toSorted((a, b) => (a.id < b.id ? -1 : Number(a.id > b.id)))
  const first = missing[0]
  if (first === undefined) return
  if (transact === undefined)
    throw new SyncError(
      'config/invalid',
      `the store lacks ${first.id}; start a node on it once to bring it up to date`,
    )
  for (const migration of missing)
    await transact(async (tx) => {
      tx.db.exec(tableSql)
      // Two callers may have found the same migration missing.
      if (tx.prepare('SELECT 1 FROM migrations WHERE id = ?').get(migration.id) !== undefined) return
      await migration.up(tx)
      tx.prepare('INSERT INTO migrations (id) VALUES (?)').run(migration.id)
    })
}

/** What was applied to the database so far; nothing for an empty one. */
export function appliedMigrations(source: Pick<Connection, 'prepare'>): ReadonlySet<string> {
  const table = source
    .prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'migrations'")
    .get()
  if (table === undefined) return new Set()
  return new Set(
    source
      .prepare('SELECT id FROM migrations')
      .all()
      .map(({ id }) => String(id)),
  )
}

/**
 * A record of the same family (`events-…`) that this version does not know was written by a newer one, whose tables it
 * would misread. Families it knows nothing of belong to planes that are not loaded.
 */
export function assertNotNewer(
  applied: ReadonlySet<string>,
  migrations: readonly Migration<SqliteTx>[],
): void {
  const known = new Set(migrations.map(({ id }) => id))
  const families = new Set(migrations.map(({ id }) => familyOf(id)))
  for (const id of applied)
    if (families.has(familyOf(id)) && !known.has(id))
      throw new SyncError(
        'store/newer',
        `a newer version of Syncline wrote this store (${id}); it was left untouched. Use that version.`,
      )
}

function familyOf(id: string): string {
  return id.replace(/-\d.*$/, '')
}
