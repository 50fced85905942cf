import { upsert } from './apply.ts'
import type { RowName } from './client-error.ts'
import { type Catalog, keyText } from './incoming.ts'
import type { LocalTable } from './local-table.ts'
import { clearOutbox, readOutbox, thaw } from './outbox.ts'
import { fromLocalJson, fromWireJson, keyValue } from './row-json.ts'
import type { SqliteDriver } from './sqlite-driver.ts'
import type { StagedSnapshot } from './sync-state.ts'

/**
 * Edits that were not sent yet, carried over a replacement of all rows (§12 no. 5): those in the outbox and those made since.
 * They keep the version they were made on, so that the server finds every conflict.
 */

/** Makes all unsent edits dirty rows. A push that was committed is part of the snapshot, and no longer an edit. */
export function gatherIntents(db: SqliteDriver): void {
  const outbox = readOutbox(db)
  if (outbox?.state === 'prepared') thaw(db)
  else clearOutbox(db)
}

/**
 * Puts the dirty rows on top of the rows of a snapshot. An edit that contradicts those (its parent is gone, its unique value
 * taken) cannot be kept: it is dropped.
 *
 * @returns the dropped edits
 */
export function reapplyIntents(
  db: SqliteDriver,
  catalog: Catalog,
  snapshot: StagedSnapshot,
): readonly RowName[] {
  const dropped: RowName[] = []
  const drop = (table: LocalTable, key: string) => {
    db.run('DELETE FROM _sync_dirty_rows WHERE table_name = ? AND key_json = ?', table.name, key)
    db.run(`DELETE FROM ${table.sql} WHERE ${table.key.sql} = ${keyValue(table, '?')}`, key)
    restore(db, table, key, snapshot)
    dropped.push({ table: table.name, key: keyText(table, key) })
  }
  for (const { table_name, key_json, payload } of db.all(
    'SELECT * FROM _sync_dirty_rows ORDER BY payload IS NULL, dirty_ordinal',
  )) {
    const table = catalog.byName.get(String(table_name))
    if (table === undefined) continue
    try {
      if (payload === null)
        db.run(`DELETE FROM ${table.sql} WHERE ${table.key.sql} = ${keyValue(table, '?')}`, key_json!)
      else db.run(upsert(table, fromLocalJson, '(SELECT ? AS payload) WHERE true'), payload!)
    } catch (error) {
      if (!(error instanceof Error) || !/constraint failed/i.test(error.message)) throw error
      drop(table, String(key_json))
    }
  }
  // Ends: each round drops at least one edit.
  for (let broken = findBroken(db, catalog); broken !== undefined; broken = findBroken(db, catalog))
    for (const { table, key } of broken) drop(table, key)
  return dropped
}

/** The row as the snapshot has it, if it does. */
function restore(db: SqliteDriver, table: LocalTable, key: string, snapshot: StagedSnapshot): void {
  db.run(
    upsert(
      table,
      fromWireJson,
      '_sync_snapshot_stage WHERE snapshot_id = ? AND table_name = ? AND key_json = ?',
    ),
    snapshot.id,
    table.name,
    key,
  )
}

interface Edit {
  readonly table: LocalTable
  readonly key: string
}

/**
 * Edits to blame for references that lead nowhere: of the first broken one either the row that refers, if it was edited, or
 * the deletions in the table it refers to. Undefined when all references hold, or when no edit is to blame, which the check
 * at the end of the transaction then reports.
 */
function findBroken(db: SqliteDriver, catalog: Catalog): readonly Edit[] | undefined {
  if (db.get('SELECT 1 FROM _sync_dirty_rows LIMIT 1') === undefined) return undefined
  for (const violation of db.all('PRAGMA foreign_key_check')) {
    const child = catalog.byName.get(String(violation.table).toLowerCase())
    const parent = catalog.byName.get(String(violation.parent).toLowerCase())
    if (child === undefined || parent === undefined) continue
    const referring = editsOf(
      db,
      child,
      violation.rowid === null
        ? ''
        : `AND EXISTS (SELECT 1 FROM ${child.sql} t
      WHERE t.rowid = ${Number(violation.rowid)} AND t.${child.key.sql} = ${keyValue(child, 'd.key_json')})`,
      false,
    )
    const edits = referring.length > 0 ? referring : editsOf(db, parent, '', true)
    if (edits.length > 0) return edits
  }
  return undefined
}

function editsOf(db: SqliteDriver, table: LocalTable, and: string, deletions: boolean): readonly Edit[] {
  return db
    .all(
      `SELECT key_json FROM _sync_dirty_rows d WHERE table_name = ? AND payload IS ${deletions ? '' : 'NOT'} NULL ${and}`,
      table.name,
    )
    .map(({ key_json }) => ({ table, key: String(key_json) }))
}
