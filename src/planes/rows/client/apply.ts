import { RowsClientError } from './client-error.ts'
import { type Catalog, incomingTable } from './incoming.ts'
import type { LocalTable } from './local-table.ts'
import { fromWireJson, keyValue } from './row-json.ts'
import { sqlNow } from './sql-text.ts'
import type { SqliteDriver } from './sqlite-driver.ts'
import { countDirty } from './sync-state.ts'
import { transactApplying } from './transaction.ts'

/**
 * How rows are written. `upsert` leaves the children of a row alone. `replace` removes every row before any is written, with
 * foreign keys off until a check at the end: it can swap unique values between rows and move a child away from a parent that
 * RESTRICT protects, which single statements cannot.
 */
export type ApplyMode = 'upsert' | 'replace'

/**
 * Runs `work` as one transaction of the server's rows, and once more in `replace` mode if a constraint stood in the way.
 *
 * @param carriesEdits `work` deals with unsent edits itself; otherwise they are not to be written over
 * @throws RowsClientError `rows/dirty-rows` if unsent edits stand in the way, `rows/cannot-apply` if the rows do not fit
 *   the tables here
 */
export function applyTransaction<T>(
  db: SqliteDriver,
  work: (mode: ApplyMode) => T,
  { carriesEdits = false }: { readonly carriesEdits?: boolean } = {},
): T {
  try {
    return transactApplying(db, () => work('upsert'))
  } catch (error) {
    if (!isConstraintError(error)) throw inapplicable(error)
    if (!carriesEdits && countDirty(db) > 0)
      throw dirtyRows(db, 'an edit made here meanwhile contradicts what the server sent')
  }
  // The setting cannot be changed inside a transaction.
  db.exec('PRAGMA foreign_keys = OFF')
  try {
    return transactApplying(db, () => {
      const result = work('replace')
      const [broken] = db.all('PRAGMA foreign_key_check')
      if (broken !== undefined)
        throw new RowsClientError(
          'rows/cannot-apply',
          `a row of ${broken.table} refers to a row of ${broken.parent} that neither is here nor was sent; nothing was applied`,
        )
      return result
    })
  } catch (error) {
    throw inapplicable(error)
  } finally {
    db.exec('PRAGMA foreign_keys = ON')
  }
}

/**
 * Writes the incoming rows and their versions. Skipped are rows whose version is here already; held back are rows with an
 * unsent edit, which keeps its base version: the next push finds the conflict, and a resolver decides.
 */
export function applyIncoming(db: SqliteDriver, catalog: Catalog, mode: ApplyMode): void {
  db.run(
    `DELETE FROM ${incomingTable} AS i WHERE EXISTS (SELECT 1 FROM _sync_row_state s WHERE s.schema_name = ?
       AND s.table_name = i.table_name AND s.key_json = i.key_json AND s.row_version >= i.row_version)`,
    catalog.schema,
  )
  if (countDirty(db) === 0) return writeIncoming(db, catalog, mode)
  db.run(
    `UPDATE ${incomingTable} AS i SET held = EXISTS (SELECT 1 FROM _sync_dirty_rows d WHERE d.schema_name = ?
       AND d.table_name = i.table_name AND d.key_json = i.key_json)`,
    catalog.schema,
  )
  writeBesideEdits(db, catalog, mode)
}

/** As `writeIncoming`, but refuses to take rows with unsent edits along when a parent goes. */
export function writeBesideEdits(db: SqliteDriver, catalog: Catalog, mode: ApplyMode): void {
  if (countDirty(db) === 0) return writeIncoming(db, catalog, mode)
  const missing = countVanished(db, catalog)
  writeIncoming(db, catalog, mode)
  if (countVanished(db, catalog) > missing)
    throw dirtyRows(db, 'a row that was deleted on the server has children with unsent edits here')
}

/** Writes what is not held, and the versions of all. */
function writeIncoming(db: SqliteDriver, catalog: Catalog, mode: ApplyMode): void {
  const present = new Set(
    db.all(`SELECT DISTINCT table_name AS name FROM ${incomingTable} WHERE held = 0`).map(({ name }) => name),
  )
  const tables = catalog.tables.filter(({ name }) => present.has(name))
  const removed = mode === 'replace' ? '' : `AND op = 'DELETE'`
  for (const table of tables.toReversed())
    db.run(
      `DELETE FROM ${table.sql} WHERE ${table.key.sql} IN
         (SELECT ${keyValue(table, 'key_json')} FROM ${incomingTable} WHERE table_name = ? AND held = 0 ${removed})`,
      table.name,
    )
  for (const table of tables)
    db.run(
      upsert(
        table,
        fromWireJson,
        `${incomingTable} WHERE table_name = ? AND held = 0 AND op <> 'DELETE' ORDER BY row_ordinal`,
      ),
      table.name,
    )
  writeVersions(db, catalog)
}

/** Records the versions of all incoming rows, held or not. */
export function writeVersions(db: SqliteDriver, catalog: Catalog): void {
  db.run(
    `INSERT INTO _sync_row_state (schema_name, table_name, key_json, row_version, deleted, updated_at)
     SELECT ?, table_name, key_json, row_version, op = 'DELETE', ${sqlNow} FROM ${incomingTable} WHERE true
     ON CONFLICT (schema_name, table_name, key_json) DO UPDATE SET row_version = excluded.row_version,
       deleted = excluded.deleted, updated_at = excluded.updated_at`,
    catalog.schema,
  )
}

/** One statement that writes rows given as JSON in a column named `payload`. Never REPLACE: local children would go. */
export function upsert(
  table: LocalTable,
  value: (column: LocalTable['key'], json: string) => string,
  source: string,
): string {
  const columns = table.columns.map(({ sql }) => sql).join(', ')
  const values = table.columns.map((column) => value(column, 'payload')).join(', ')
  const others = table.columns.filter((column) => column !== table.key)
  const update =
    others.length === 0
      ? 'NOTHING'
      : `UPDATE SET ${others.map(({ sql }) => `${sql} = excluded.${sql}`).join(', ')}`
  return `INSERT INTO ${table.sql} (${columns}) SELECT ${values} FROM ${source} ON CONFLICT (${table.key.sql}) DO ${update}`
}

/** Edits whose row is not in its table. */
function countVanished(db: SqliteDriver, { schema, tables }: Catalog): number {
  return tables.reduce(
    (sum, table) =>
      sum +
      Number(
        db.get(
          `SELECT count(*) AS count FROM _sync_dirty_rows d WHERE schema_name = ? AND table_name = ? AND payload IS NOT NULL
             AND NOT EXISTS (SELECT 1 FROM ${table.sql} t WHERE t.${table.key.sql} = ${keyValue(table, 'd.key_json')})`,
          schema,
          table.name,
        )!.count,
      ),
    0,
  )
}

function dirtyRows(db: SqliteDriver, why: string): RowsClientError<'rows/dirty-rows'> {
  const dirtyCount = countDirty(db)
  return new RowsClientError('rows/dirty-rows', `${why}; push first, or call sync()`, { dirtyCount })
}

function isConstraintError(error: unknown): boolean {
  return error instanceof Error && /constraint failed/i.test(error.message)
}

/** What SQLite says about rows that do not fit is for people; anything else is as it is. */
function inapplicable(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof RowsClientError) return error
  if (!isConstraintError(error) && !(error instanceof TypeError)) return error
  return new RowsClientError(
    'rows/cannot-apply',
    `the server's rows do not fit the tables here, and nothing was applied: ${error.message}`,
    undefined,
    error,
  )
}
