import type { Migration } from '../../kernel/store.ts'
import type { SqliteTx } from './sqlite-tx.ts'

/**
 * Who we exchange data with, what, and how far we got. Removing a peer removes its links, and a link everything that
 * belongs to it, its lease too: an attempt under way can then not commit any more.
 *
 * `leases` counts the leases ever given. Fences come from it and so are never given twice, not even for a link that
 * was removed and made again.
 */
const tables = `
CREATE TABLE store (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  epoch TEXT NOT NULL,
  commits INTEGER NOT NULL,
  leases INTEGER NOT NULL
) STRICT;
INSERT INTO store VALUES (1, lower(hex(randomblob(16))), 0, 0);

CREATE TABLE peers (
  id TEXT PRIMARY KEY NOT NULL,
  name TEXT NOT NULL,
  enabled INTEGER NOT NULL,
  metadata TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE peer_addresses (
  peer TEXT NOT NULL REFERENCES peers ON DELETE CASCADE,
  position INTEGER NOT NULL,
  transport TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (peer, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX peer_by_address ON peer_addresses (transport, value);

CREATE TABLE peer_health (
  peer TEXT PRIMARY KEY NOT NULL REFERENCES peers ON DELETE CASCADE,
  health TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE links (
  id TEXT PRIMARY KEY NOT NULL,
  peer TEXT NOT NULL REFERENCES peers ON DELETE CASCADE,
  plane TEXT NOT NULL,
  direction TEXT NOT NULL,
  scope_key TEXT NOT NULL,
  scope TEXT,
  live INTEGER NOT NULL,
  enabled INTEGER NOT NULL,
  schedule TEXT,
  UNIQUE (peer, plane, direction, scope_key)
) STRICT, WITHOUT ROWID;

CREATE TABLE link_checkpoints (
  link TEXT PRIMARY KEY NOT NULL REFERENCES links ON DELETE CASCADE,
  checkpoint TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE link_runs (
  link TEXT PRIMARY KEY NOT NULL REFERENCES links ON DELETE CASCADE,
  run TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE link_leases (
  link TEXT PRIMARY KEY NOT NULL REFERENCES links ON DELETE CASCADE,
  owner TEXT NOT NULL,
  fence INTEGER NOT NULL,
  session TEXT NOT NULL,
  expires_at REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE outbox (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  link TEXT NOT NULL REFERENCES links ON DELETE CASCADE,
  key TEXT NOT NULL,
  dead INTEGER NOT NULL DEFAULT 0,
  attempts INTEGER NOT NULL DEFAULT 0,
  not_before INTEGER NOT NULL DEFAULT 0,
  reason TEXT,
  UNIQUE (link, key)
) STRICT;
CREATE INDEX outbox_by_state ON outbox (link, dead, seq);
`

const attempts = `
CREATE TABLE link_attempts (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  link TEXT NOT NULL REFERENCES links ON DELETE CASCADE,
  trigger_word TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  ended TEXT
) STRICT;
CREATE INDEX attempt_by_link ON link_attempts (link, id);
`

const admin = `
CREATE TABLE api_keys (
  id TEXT PRIMARY KEY NOT NULL,
  name TEXT NOT NULL,
  digest TEXT NOT NULL UNIQUE,
  prefix TEXT NOT NULL,
  scopes TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER,
  last_used_at INTEGER,
  revoked_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE admin_audit (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at INTEGER NOT NULL,
  actor TEXT NOT NULL,
  method TEXT NOT NULL,
  params TEXT,
  result TEXT NOT NULL
) STRICT;
`

export const controlMigrations: readonly Migration<SqliteTx>[] = [
  { id: 'control-0001-create', up: (tx) => tx.db.exec(tables) },
  {
    id: 'control-0002-address-tls',
    up: (tx) => tx.db.exec('ALTER TABLE peer_addresses ADD COLUMN tls TEXT'),
  },
  { id: 'control-0003-attempts', up: (tx) => tx.db.exec(attempts) },
  {
    id: 'control-0004-public-only',
    up: (tx) => tx.db.exec('ALTER TABLE peer_addresses ADD COLUMN public_only INTEGER NOT NULL DEFAULT 0'),
  },
  { id: 'control-0005-admin', up: (tx) => tx.db.exec(admin) },
  {
    id: 'control-0006-retired-links',
    up: (tx) => tx.db.exec('ALTER TABLE links ADD COLUMN retired_at INTEGER'),
  },
]
