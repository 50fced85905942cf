import { sqlNow } from './sql-text.ts'
import type { SqliteDriver } from './sqlite-driver.ts'

/**
 * The client's own tables, by the layout of §8.2, so that a database can change hands between this client and go-oversync's.
 * Nothing else starts with these names; other `_sync_` tables are not ours and are left alone.
 */
export const metadataTables = [
  '_sync_source_state',
  '_sync_attachment_state',
  '_sync_operation_state',
  '_sync_apply_state',
  '_sync_row_state',
  '_sync_dirty_rows',
  '_sync_outbox_bundle',
  '_sync_outbox_rows',
  '_sync_push_stage',
  '_sync_snapshot_stage',
  '_sync_managed_tables',
] as const

const singleton = 'singleton_key INTEGER PRIMARY KEY CHECK (singleton_key = 1)'

const schema = `
CREATE TABLE IF NOT EXISTS _sync_source_state (
  source_id TEXT PRIMARY KEY NOT NULL,
  next_source_bundle_id INTEGER NOT NULL DEFAULT 1,
  replaced_by_source_id TEXT NOT NULL DEFAULT '',
  created_at TEXT NOT NULL DEFAULT (${sqlNow})
);
CREATE TABLE IF NOT EXISTS _sync_attachment_state (
  ${singleton},
  current_source_id TEXT NOT NULL DEFAULT '',
  binding_state TEXT NOT NULL DEFAULT 'anonymous',
  attached_user_id TEXT NOT NULL DEFAULT '',
  schema_name TEXT NOT NULL DEFAULT '',
  last_bundle_seq_seen INTEGER NOT NULL DEFAULT 0,
  rebuild_required INTEGER NOT NULL DEFAULT 0,
  pending_initialization_id TEXT NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS _sync_operation_state (
  ${singleton},
  kind TEXT NOT NULL DEFAULT 'none',
  target_user_id TEXT NOT NULL DEFAULT '',
  reason TEXT NOT NULL DEFAULT '',
  replacement_source_id TEXT NOT NULL DEFAULT '',
  staged_snapshot_id TEXT NOT NULL DEFAULT '',
  snapshot_bundle_seq INTEGER NOT NULL DEFAULT 0,
  snapshot_row_count INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS _sync_apply_state (
  ${singleton},
  apply_mode INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS _sync_row_state (
  schema_name TEXT NOT NULL,
  table_name TEXT NOT NULL,
  key_json TEXT NOT NULL,
  row_version INTEGER NOT NULL DEFAULT 0,
  deleted INTEGER NOT NULL DEFAULT 0,
  updated_at TEXT NOT NULL DEFAULT (${sqlNow}),
  PRIMARY KEY (schema_name, table_name, key_json)
);
CREATE TABLE IF NOT EXISTS _sync_dirty_rows (
  schema_name TEXT NOT NULL,
  table_name TEXT NOT NULL,
  key_json TEXT NOT NULL,
  op TEXT NOT NULL,
  base_row_version INTEGER NOT NULL DEFAULT 0,
  payload TEXT,
  dirty_ordinal INTEGER NOT NULL DEFAULT 0,
  updated_at TEXT NOT NULL DEFAULT (${sqlNow}),
  PRIMARY KEY (schema_name, table_name, key_json)
);
-- Every captured edit asks for the highest ordinal; without this it would read all dirty rows for it.
CREATE INDEX IF NOT EXISTS _sync_dirty_rows_ordinal ON _sync_dirty_rows (dirty_ordinal);
CREATE TABLE IF NOT EXISTS _sync_outbox_bundle (
  ${singleton},
  state TEXT NOT NULL DEFAULT 'none',
  source_id TEXT NOT NULL DEFAULT '',
  source_bundle_id INTEGER NOT NULL DEFAULT 0,
  canonical_request_hash TEXT NOT NULL DEFAULT '',
  row_count INTEGER NOT NULL DEFAULT 0,
  initialization_id TEXT NOT NULL DEFAULT '',
  remote_bundle_hash TEXT NOT NULL DEFAULT '',
  remote_bundle_seq INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS _sync_outbox_rows (
  source_bundle_id INTEGER NOT NULL,
  row_ordinal INTEGER NOT NULL,
  schema_name TEXT NOT NULL,
  table_name TEXT NOT NULL,
  key_json TEXT NOT NULL,
  wire_key_json TEXT NOT NULL,
  op TEXT NOT NULL,
  base_row_version INTEGER NOT NULL DEFAULT 0,
  local_payload TEXT,
  wire_payload TEXT,
  PRIMARY KEY (source_bundle_id, row_ordinal)
);
CREATE TABLE IF NOT EXISTS _sync_push_stage (
  bundle_seq INTEGER NOT NULL,
  row_ordinal INTEGER NOT NULL,
  schema_name TEXT NOT NULL,
  table_name TEXT NOT NULL,
  key_json TEXT NOT NULL,
  op TEXT NOT NULL,
  row_version INTEGER NOT NULL,
  payload TEXT,
  PRIMARY KEY (bundle_seq, row_ordinal)
);
CREATE TABLE IF NOT EXISTS _sync_snapshot_stage (
  snapshot_id TEXT NOT NULL,
  row_ordinal INTEGER NOT NULL,
  schema_name TEXT NOT NULL,
  table_name TEXT NOT NULL,
  key_json TEXT NOT NULL,
  row_version INTEGER NOT NULL,
  payload TEXT NOT NULL,
  PRIMARY KEY (snapshot_id, row_ordinal)
);
CREATE TABLE IF NOT EXISTS _sync_managed_tables (
  schema_name TEXT NOT NULL,
  table_name TEXT NOT NULL,
  PRIMARY KEY (schema_name, table_name)
);
INSERT OR IGNORE INTO _sync_attachment_state (singleton_key) VALUES (1);
INSERT OR IGNORE INTO _sync_operation_state (singleton_key) VALUES (1);
INSERT OR IGNORE INTO _sync_apply_state (singleton_key) VALUES (1);
INSERT OR IGNORE INTO _sync_outbox_bundle (singleton_key) VALUES (1);
`

/** Creates what is missing; repeating it changes nothing. */
export function createMetadata(db: SqliteDriver): void {
  db.exec(schema)
}

export function dropMetadata(db: SqliteDriver): void {
  for (const table of metadataTables) db.exec(`DROP TABLE IF EXISTS ${table}`)
}
