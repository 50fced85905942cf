import { createHash } from 'node:crypto'
import { DatabaseSync } from 'node:sqlite'
import type { RowsClientConfig } from '../../src/planes/rows/client/client-config.ts'
import { nodeDriver } from '../../src/planes/rows/client/node-driver.sqlite.ts'
import { RowsClient } from '../../src/planes/rows/client/rows-client.ts'

/** The SQLite side of the business schema that clients and servers are tested with (specification, appendix B). */
export const businessSqlite = `
CREATE TABLE users (id TEXT PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL, created_at TEXT, updated_at TEXT);
CREATE TABLE posts (id TEXT PRIMARY KEY, title TEXT NOT NULL, content TEXT NOT NULL,
  author_id TEXT REFERENCES users (id) DEFERRABLE INITIALLY DEFERRED, created_at TEXT, updated_at TEXT);
CREATE TABLE categories (id TEXT PRIMARY KEY, name TEXT NOT NULL,
  parent_id TEXT REFERENCES categories (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE teams (id TEXT PRIMARY KEY, name TEXT NOT NULL,
  captain_member_id TEXT REFERENCES team_members (id) DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE team_members (id TEXT PRIMARY KEY, name TEXT NOT NULL,
  team_id TEXT NOT NULL REFERENCES teams (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE files (id BLOB PRIMARY KEY, name TEXT NOT NULL, data BLOB NOT NULL);
CREATE TABLE file_reviews (id BLOB PRIMARY KEY, review TEXT NOT NULL,
  file_id BLOB NOT NULL REFERENCES files (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE typed_rows (id TEXT PRIMARY KEY, name TEXT NOT NULL, note TEXT, count_value INTEGER, enabled_flag INTEGER NOT NULL,
  rating REAL, data BLOB, created_at TEXT);
CREATE TABLE notes (id TEXT PRIMARY KEY, title TEXT, amount TEXT, done INTEGER NOT NULL DEFAULT 0, tags JSON, due TEXT,
  length INTEGER);
CREATE UNIQUE INDEX notes_title ON notes (title);
`

export const businessTables = [
  'users',
  'posts',
  'categories',
  'teams',
  'team_members',
  'files',
  'file_reviews',
  'typed_rows',
  'notes',
].map((tableName) => ({ tableName, syncKeyColumnName: 'id' }))

/** One device: a database file with the business tables, and its client. */
export interface Device extends Disposable {
  readonly db: DatabaseSync
  readonly client: RowsClient
}

export type DeviceConfig = Partial<RowsClientConfig> & { readonly ddl?: string }

/** Opens, or opens again, the database at `path` and puts a client on it. Nothing is sent before `open` and `attach`. */
export function openDevice(path: string, { ddl = businessSqlite, ...config }: DeviceConfig = {}): Device {
  const db = new DatabaseSync(path)
  db.exec('PRAGMA synchronous = OFF')
  if (db.prepare('SELECT count(*) AS count FROM sqlite_schema').get()!.count === 0) db.exec(ddl)
  const client = new RowsClient({
    db: nodeDriver(db),
    baseUrl: 'http://127.0.0.1:9',
    token: () => 'token',
    schema: 'business',
    tables: businessTables,
    sha256: () => createHash('sha256'),
    ...config,
  })
  return {
    db,
    client,
    [Symbol.dispose]() {
      client.close()
      if (db.isOpen) db.close()
    },
  }
}

/** Rows as plain objects, to be compared. */
export function rowsOf(db: DatabaseSync, sql: string, ...parameters: (string | number | null)[]): unknown[] {
  return db
    .prepare(sql)
    .all(...parameters)
    .map((row) => ({ ...row }))
}
