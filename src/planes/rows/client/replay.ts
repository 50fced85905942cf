import { canonicalJson } from '../wire/canonical-json.ts'
import { parseJson } from '../wire/json-text.ts'
import { applyTransaction, writeBesideEdits } from './apply.ts'
import type { TableChange } from './change-feed.ts'
import { type Catalog, incomingTable, prepareIncoming } from './incoming.ts'
import type { LocalTable } from './local-table.ts'
import { clearOutbox, type Outbox } from './outbox.ts'
import { keyValue, localJson } from './row-json.ts'
import { sqlNow } from './sql-text.ts'
import type { SqliteDriver } from './sqlite-driver.ts'
import type { SyncCore } from './sync-core.ts'
import { advanceSource, readAttachment, updateAttachment } from './sync-state.ts'

export interface Replayed {
  /**
   * Rows that were pushed and are not in the bundle, although they were not edited since: something on the server dropped
   * them. New ones are removed here too; for others the server's value has to be fetched.
   */
  readonly mustRebuild: boolean
}

/**
 * Takes over what the server made of a push (§8.8), from the push stage: its rows, their versions and the checkpoint, and
 * ends the outbox. Rows that were edited since they were frozen stay as they are and become dirty on the new version.
 */
export function replay(core: SyncCore, outbox: Outbox, bundleSeq: number): Replayed {
  const { db, catalog } = core
  let changes: readonly TableChange[] = []
  const mustRebuild = applyTransaction(db, (mode) => {
    prepareIncoming(db)
    db.run(
      `INSERT INTO ${incomingTable} (row_ordinal, table_name, key_json, op, row_version, payload)
       SELECT row_ordinal, table_name, key_json, op, row_version, payload FROM _sync_push_stage WHERE bundle_seq = ?`,
      bundleSeq,
    )
    for (const table of catalog.tables) holdEdited(db, catalog, table)
    holdEditedOthers(db, catalog)
    const dropped = settleDropped(db, catalog)
    dropReplayedEdits(db, catalog)
    writeBesideEdits(db, catalog, mode)
    changes = core.changes.collect(db)
    advanceSource(db, outbox.sourceId, outbox.sourceBundleId + 1)
    if (readAttachment(db).lastBundleSeqSeen + 1 === bundleSeq)
      updateAttachment(db, { lastBundleSeqSeen: bundleSeq })
    clearOutbox(db)
    return dropped
  })
  core.changes.publish('push', changes)
  return { mustRebuild }
}

/** Finds uploaded rows that changed here since, and makes each dirty again on the version the server gave it. */
function holdEdited(db: SqliteDriver, { schema }: Catalog, table: LocalTable): void {
  const live = `CASE WHEN t.${table.key.sql} IS NULL THEN NULL ELSE ${localJson(table, 't')} END`
  const candidates = db.all(
    `SELECT * FROM (SELECT o.key_json, o.local_payload AS uploaded, ${live} AS live
       FROM _sync_outbox_rows o LEFT JOIN ${table.sql} t ON t.${table.key.sql} = ${keyValue(table, 'o.key_json')}
       WHERE o.schema_name = ? AND o.table_name = ?) WHERE live IS NOT uploaded`,
    schema,
    table.name,
  )
  for (const { key_json, uploaded, live } of candidates) {
    if (uploaded !== null && live !== null && sameJson(String(uploaded), String(live))) continue
    db.run(
      `INSERT INTO _sync_dirty_rows (schema_name, table_name, key_json, op, base_row_version, payload, dirty_ordinal, updated_at)
       SELECT ?, ?, ?, ?, coalesce((SELECT row_version FROM ${incomingTable} WHERE table_name = ? AND key_json = ?),
           (SELECT base_row_version FROM _sync_outbox_rows WHERE table_name = ? AND key_json = ?)), ?,
         coalesce((SELECT max(dirty_ordinal) FROM _sync_dirty_rows), 0) + 1, ${sqlNow}
       WHERE true ON CONFLICT (schema_name, table_name, key_json) DO UPDATE SET op = excluded.op,
         base_row_version = excluded.base_row_version, payload = excluded.payload`,
      schema,
      table.name,
      key_json!,
      live === null ? 'DELETE' : uploaded === null ? 'INSERT' : 'UPDATE',
      table.name,
      key_json!,
      table.name,
      key_json!,
      live!,
    )
    db.run(
      `UPDATE ${incomingTable} SET held = 1 WHERE table_name = ? AND key_json = ?`,
      table.name,
      key_json!,
    )
  }
}

/** Two texts of one row, as different writers of triggers spell it. */
function sameJson(a: string, b: string): boolean {
  return canonicalJson(parseJson(a)) === canonicalJson(parseJson(b))
}

/** Rows of cascades and server triggers that have an edit here: that edit meets the server's row in the next push. */
function holdEditedOthers(db: SqliteDriver, { schema }: Catalog): void {
  db.run(
    `UPDATE ${incomingTable} AS i SET held = 1 WHERE held = 0
       AND EXISTS (SELECT 1 FROM _sync_dirty_rows d WHERE d.schema_name = ? AND d.table_name = i.table_name AND d.key_json = i.key_json)
       AND NOT EXISTS (SELECT 1 FROM _sync_outbox_rows o WHERE o.table_name = i.table_name AND o.key_json = i.key_json)`,
    schema,
  )
}

/** Edits that the bundle says just what they said are done with. */
function dropReplayedEdits(db: SqliteDriver, { schema }: Catalog): void {
  db.run(
    `DELETE FROM _sync_dirty_rows WHERE schema_name = ? AND (table_name, key_json) IN
       (SELECT table_name, key_json FROM ${incomingTable} WHERE held = 0)`,
    schema,
  )
}

/** Uploaded rows that the bundle lacks. Answers whether the server has to be asked what it holds instead. */
function settleDropped(db: SqliteDriver, catalog: Catalog): boolean {
  const dropped = db.all(
    `SELECT o.table_name, o.key_json, o.op FROM _sync_outbox_rows o WHERE NOT EXISTS
         (SELECT 1 FROM ${incomingTable} i WHERE i.table_name = o.table_name AND i.key_json = o.key_json)
       AND NOT EXISTS (SELECT 1 FROM _sync_dirty_rows d WHERE d.schema_name = o.schema_name
         AND d.table_name = o.table_name AND d.key_json = o.key_json)`,
  )
  let mustRebuild = false
  for (const { table_name, key_json, op } of dropped) {
    const table = catalog.byName.get(String(table_name))
    if (op === 'INSERT' && table !== undefined)
      db.run(`DELETE FROM ${table.sql} WHERE ${table.key.sql} = ${keyValue(table, '?')}`, key_json!)
    else mustRebuild = true
  }
  return mustRebuild
}
