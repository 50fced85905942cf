import type { Migration } from '../../kernel/store.ts'
import type { SqliteTx } from '../../stores/sqlite/sqlite-tx.ts'

/**
 * `created_at DESC, id` is the order of a REQ (NIP-01), so newest-first reads never sort. `kind` rides along where the
 * index does not lead with it: kinds and restricted kinds are then decided without touching the row.
 */
const tables = `
CREATE TABLE events (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id BLOB NOT NULL,
  pubkey BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  d BLOB,
  expiration INTEGER,
  raw TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX event_by_id ON events (id);
CREATE INDEX event_by_time ON events (created_at DESC, id, kind);
CREATE INDEX event_by_author ON events (pubkey, kind, created_at DESC, id);
CREATE INDEX event_by_kind ON events (kind, created_at DESC, id);
CREATE UNIQUE INDEX event_by_address ON events (kind, pubkey, d) WHERE d IS NOT NULL;
CREATE INDEX event_by_expiration ON events (expiration) WHERE expiration IS NOT NULL;

CREATE TABLE event_tags (
  tag BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  id BLOB NOT NULL,
  kind INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  PRIMARY KEY (tag, created_at DESC, id)
) STRICT, WITHOUT ROWID;
`

/**
 * What must not come back. None of these rows is ever removed: an event that was deleted here is still offered by
 * peers that never saw the deletion.
 */
const tombstones = `
CREATE TABLE event_deletions (
  id BLOB NOT NULL,
  author BLOB NOT NULL,
  PRIMARY KEY (id, author)
) STRICT, WITHOUT ROWID;

CREATE TABLE event_floors (
  kind INTEGER NOT NULL,
  pubkey BLOB NOT NULL,
  d BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  id BLOB NOT NULL,
  PRIMARY KEY (kind, pubkey, d)
) STRICT, WITHOUT ROWID;

CREATE TABLE event_vanished (
  pubkey BLOB PRIMARY KEY NOT NULL,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`

/**
 * What fingerprints are computed from: one row per leaf of some hundred events, one tree per set of hidden kinds.
 * `event_trees` says which events the leaves were last in step with.
 */
const trees = `
CREATE TABLE event_leaves (
  tree INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  id BLOB NOT NULL,
  count INTEGER NOT NULL,
  sum BLOB NOT NULL,
  PRIMARY KEY (tree, created_at, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE event_trees (
  tree INTEGER PRIMARY KEY,
  hidden TEXT NOT NULL,
  count INTEGER NOT NULL,
  seq INTEGER NOT NULL
) STRICT;
`

/** Ids that peers keep offering although the rules refuse them for good; see `EventStore.refuseIn`. */
const refused = `
CREATE TABLE event_refusals (
  id BLOB PRIMARY KEY NOT NULL,
  until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX event_refusal_by_end ON event_refusals (until);
`

/** Which peer an event first came from; NULL: a client, an import, or an older version that did not ask. */
const sources = `
CREATE TABLE event_sources (
  number INTEGER PRIMARY KEY,
  peer TEXT NOT NULL UNIQUE
) STRICT;
ALTER TABLE events ADD COLUMN source INTEGER;
`

export const eventMigrations: readonly Migration<SqliteTx>[] = [
  {
    id: 'events-0001-create',
    up(tx) {
      tx.db.exec(tables)
      tx.db.exec(tombstones)
      tx.db.exec(trees)
    },
  },
  {
    id: 'events-0002-refused',
    up(tx) {
      tx.db.exec(refused)
    },
  },
  {
    id: 'events-0003-source',
    up(tx) {
      tx.db.exec(sources)
    },
  },
]
