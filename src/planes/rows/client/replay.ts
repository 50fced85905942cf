import { canonicalJson } from '../wire/canonical-json.ts'
import { parseJson } from '../wire/json-text.ts'
import { applyTransaction, writeBesideEdits, writeVersions } from './apply.ts'
import type { TableChange } from './change-feed.ts'
import type { CommittedRows } from './committed-bundle.ts'
import { type Catalog, incomingTable, keyText, prepareIncoming } from './incoming.ts'
import type { LocalTable } from './local-table.ts'
import { clearOutbox, type Outbox } from './outbox.ts'
import { keyValue, localJson } from './row-json.ts'
import { sqlNow } from './sql-text.ts'
import type { SqliteDriver, SqlValue } from './sqlite-driver.ts'
import type { SyncCore } from './sync-core.ts'
import { advanceSource, countDirty, readAttachment, updateAttachment } from './sync-state.ts'

export interface Replayed {
  /**
   * Rows that were pushed and are not in the bundle, although they were not edited since: something on the server dropped
   * them. New ones are removed here too; for others the server's value has to be fetched.
   */
  readonly mustRebuild: boolean
}

/**
 * Takes over what the server made of a push (§8.8): its rows, their versions and the checkpoint, and ends the outbox. Rows that
 * were edited since they were frozen stay as they are and become dirty on the new version.
 */
export function replay(core: SyncCore, outbox: Outbox, bundleSeq: number, rows: CommittedRows): Replayed {
  const { db, catalog } = core
  let changes: readonly TableChange[] = []
  const mustRebuild = applyTransaction(db, (mode) => {
    let dropped: Dropped = { mustRebuild: false, removed: [] }
    // What the server stored as it was sent, and was not edited since, is here already.
    if (rows === 'as-sent' && countDirty(db) === 0) takeAsSent(db, catalog, outbox, bundleSeq)
    else {
      prepareIncoming(db)
      load(db, bundleSeq, rows)
      holdEdited(db, catalog, outbox)
      if (rows === 'staged') {
        holdEditedOthers(db, catalog)
        dropped = settleDropped(db, catalog)
      }
      dropReplayedEdits(db, catalog)
      if (rows === 'as-sent') writeVersions(db, catalog)
      else {
        writeBesideEdits(db, catalog, mode)
        changes = [...core.changes.collect(db, catalog), ...dropped.removed]
      }
    }
    advanceSource(db, outbox.sourceId, outbox.sourceBundleId + 1)
    updateAttachment(db, { initializationId: '' })
    if (readAttachment(db).lastBundleSeqSeen + 1 === bundleSeq)
      updateAttachment(db, { lastBundleSeqSeen: bundleSeq })
    clearOutbox(db)
    return dropped.mustRebuild
  })
  core.changes.publish('push', changes)
  return { mustRebuild }
}

function load(db: SqliteDriver, bundleSeq: number, rows: CommittedRows): void {
  const into = `INSERT INTO ${incomingTable} (row_ordinal, table_name, key_json, op, row_version, payload)`
  if (rows === 'as-sent')
    db.run(`${into} SELECT row_ordinal, table_name, key_json, op, ?, NULL FROM _sync_outbox_rows`, bundleSeq)
  else
    db.run(
      `${into} SELECT row_ordinal, table_name, key_json, op, row_version, payload FROM _sync_push_stage WHERE bundle_seq = ?`,
      bundleSeq,
    )
}

/** Nothing was captured since the outbox was frozen, so its rows get their versions without being gone through one by one. */
function takeAsSent(db: SqliteDriver, catalog: Catalog, outbox: Outbox, bundleSeq: number): void {
  db.run(
    `INSERT INTO _sync_row_state (schema_name, table_name, key_json, row_version, deleted, updated_at)
     SELECT schema_name, table_name, key_json, ?, op = 'DELETE', ${sqlNow} FROM _sync_outbox_rows WHERE true
     ON CONFLICT (schema_name, table_name, key_json) DO UPDATE SET row_version = excluded.row_version,
       deleted = excluded.deleted, updated_at = excluded.updated_at`,
    bundleSeq,
  )
  for (const edited of findEdited(db, catalog, outbox)) requeue(db, catalog, edited, bundleSeq)
}

/** Makes uploaded rows that changed here since dirty again, on the version the server gave them. */
function holdEdited(db: SqliteDriver, catalog: Catalog, outbox: Outbox): void {
  for (const edited of findEdited(db, catalog, outbox)) {
    const name = [edited.table.name, edited.keyJson]
    const [incoming] = db.all(
      `UPDATE ${incomingTable} SET held = 1 WHERE table_name = ? AND key_json = ? RETURNING row_version`,
      ...name,
    )
    requeue(db, catalog, edited, incoming?.row_version)
  }
}

interface EditedRow {
  readonly table: LocalTable
  readonly keyJson: string
  /** Whether its deletion was uploaded. */
  readonly wasDeletion: boolean
  /** Local JSON of what is here now; null if it is gone. */
  readonly live: string | null
}

/**
 * Finds uploaded rows that changed here since. A change that was captured left a dirty row; one that was not (a row that INSERT
 * OR REPLACE removed) shows by its absence.
 */
function findEdited(db: SqliteDriver, catalog: Catalog, outbox: Outbox): readonly EditedRow[] {
  // The rows of a table lie together in the outbox, but for its deletions.
  const ranges = db.all(
    `SELECT table_name, min(row_ordinal) AS first, max(row_ordinal) AS last FROM _sync_outbox_rows
     WHERE source_bundle_id = ? AND schema_name = ? GROUP BY table_name`,
    outbox.sourceBundleId,
    catalog.schema,
  )
  return ranges.flatMap(({ table_name, first, last }) => {
    const table = catalog.byName.get(String(table_name))
    if (table === undefined) return []
    return findEditedOf(db, catalog, table, [outbox.sourceBundleId, Number(first), Number(last)])
  })
}

function findEditedOf(
  db: SqliteDriver,
  { schema }: Catalog,
  table: LocalTable,
  range: readonly number[],
): readonly EditedRow[] {
  const candidates = db.all(
    `SELECT o.key_json, o.local_payload AS uploaded, CASE WHEN t.${table.key.sql} IS NULL THEN NULL ELSE ${localJson(table, 't')} END AS live
     FROM _sync_outbox_rows o LEFT JOIN ${table.sql} t ON t.${table.key.sql} = ${keyValue(table, 'o.key_json')}
     WHERE o.source_bundle_id = ? AND o.row_ordinal BETWEEN ? AND ? AND o.schema_name = ? AND o.table_name = ? AND ((t.${table.key.sql} IS NULL) <> (o.local_payload IS NULL)
       OR EXISTS (SELECT 1 FROM _sync_dirty_rows d
         WHERE d.schema_name = o.schema_name AND d.table_name = o.table_name AND d.key_json = o.key_json))`,
    ...range,
    schema,
    table.name,
  )
  return candidates.flatMap(({ key_json, uploaded, live }) => {
    if (uploaded === live) return []
    if (uploaded !== null && live !== null && sameJson(String(uploaded), String(live))) return []
    const wasDeletion = uploaded === null
    return [{ table, keyJson: String(key_json), wasDeletion, live: live === null ? null : String(live) }]
  })
}

/** @param version of the row on the server; undefined if the bundle does not have it: it stays on the one it was made on */
function requeue(
  db: SqliteDriver,
  { schema }: Catalog,
  { table, keyJson, wasDeletion, live }: EditedRow,
  version: SqlValue | undefined,
): void {
  db.run(
    `INSERT INTO _sync_dirty_rows (schema_name, table_name, key_json, op, base_row_version, payload, dirty_ordinal, updated_at)
     SELECT ?, ?, ?, ?, coalesce(?, (SELECT base_row_version FROM _sync_outbox_rows WHERE table_name = ? AND key_json = ?)), ?,
       coalesce((SELECT max(dirty_ordinal) FROM _sync_dirty_rows), 0) + 1, ${sqlNow}
     WHERE true ON CONFLICT (schema_name, table_name, key_json) DO UPDATE SET op = excluded.op,
       base_row_version = excluded.base_row_version, payload = excluded.payload`,
    schema,
    table.name,
    keyJson,
    live === null ? 'DELETE' : wasDeletion ? 'INSERT' : 'UPDATE',
    version ?? null,
    table.name,
    keyJson,
    live,
  )
}

/** Two texts of one row, as different writers of triggers spell it. */
function sameJson(a: string, b: string): boolean {
  return canonicalJson(parseJson(a)) === canonicalJson(parseJson(b))
}

/** Rows of cascades and server triggers that have an edit here: that edit meets the server's row in the next push. */
function holdEditedOthers(db: SqliteDriver, { schema }: Catalog): void {
  if (countDirty(db) === 0) return
  db.run(
    `UPDATE ${incomingTable} SET held = 1 WHERE held = 0
       AND (table_name, key_json) IN (SELECT table_name, key_json FROM _sync_dirty_rows WHERE schema_name = ?)
       AND (table_name, key_json) NOT IN (SELECT table_name, key_json FROM _sync_outbox_rows)`,
    schema,
  )
}

/** Edits that the bundle says just what they said are done with. */
function dropReplayedEdits(db: SqliteDriver, { schema }: Catalog): void {
  if (countDirty(db) === 0) return
  db.run(
    `DELETE FROM _sync_dirty_rows WHERE schema_name = ? AND (table_name, key_json) IN
       (SELECT table_name, key_json FROM ${incomingTable} WHERE held = 0)`,
    schema,
  )
}

interface Dropped {
  readonly mustRebuild: boolean
  readonly removed: readonly TableChange[]
}

/** Uploaded rows that the bundle lacks: new ones go here too, of others the server has to be asked what it holds instead. */
function settleDropped(db: SqliteDriver, catalog: Catalog): Dropped {
  const dropped = db.all(
    `SELECT table_name, key_json, op FROM _sync_outbox_rows
     WHERE (table_name, key_json) NOT IN (SELECT table_name, key_json FROM ${incomingTable})
       AND (table_name, key_json) NOT IN (SELECT table_name, key_json FROM _sync_dirty_rows)`,
  )
  const removed: TableChange[] = []
  for (const { table_name, key_json, op } of dropped) {
    const table = catalog.byName.get(String(table_name))
    if (op !== 'INSERT' || table === undefined) continue
    db.run(`DELETE FROM ${table.sql} WHERE ${table.key.sql} = ${keyValue(table, '?')}`, key_json!)
    removed.push({ table: table.name, keys: [keyText(table, String(key_json))] })
  }
  return { mustRebuild: removed.length < dropped.length, removed }
}
