import type { Migration } from '../../../kernel/store.ts'
import type { SqliteTx } from '../../../stores/sqlite/sqlite-tx.ts'

/**
 * Ids are the 32 digest bytes, so that every index sorts like `compareIds`. `bytes` is the entry exactly as it was
 * received and as it is served. Status: 0 verified, 1 failed, 2 unverified.
 */
const tables = `
CREATE TABLE document_databases (
  db INTEGER PRIMARY KEY,
  id BLOB NOT NULL UNIQUE,
  verified INTEGER NOT NULL
) STRICT;

CREATE TABLE document_entries (
  seq INTEGER PRIMARY KEY,
  id BLOB NOT NULL,
  db INTEGER NOT NULL,
  height INTEGER NOT NULL,
  status INTEGER NOT NULL,
  bytes BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX document_entry_by_id ON document_entries (id);
CREATE INDEX document_entry_by_order ON document_entries (db, height, id) WHERE status = 0;
CREATE INDEX document_entry_pending ON document_entries (db, status, height, id) WHERE status <> 0;

CREATE TABLE document_tips (
  db INTEGER NOT NULL,
  id BLOB NOT NULL,
  PRIMARY KEY (db, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE document_wants (
  db INTEGER NOT NULL,
  id BLOB NOT NULL,
  child BLOB NOT NULL,
  PRIMARY KEY (id, child)
) STRICT, WITHOUT ROWID;
CREATE INDEX document_want_by_child ON document_wants (child);
CREATE INDEX document_want_by_database ON document_wants (db, id);

CREATE TABLE document_lineages (
  id BLOB PRIMARY KEY NOT NULL,
  body BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE document_states (
  db INTEGER NOT NULL,
  store TEXT NOT NULL,
  tips BLOB NOT NULL,
  count INTEGER NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (db, store, tips)
) STRICT;

CREATE TABLE document_values (
  key TEXT PRIMARY KEY NOT NULL,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
`

export const documentMigrations: readonly Migration<SqliteTx>[] = [
  { id: 'documents-0001-create', up: (tx) => tx.db.exec(tables) },
]
