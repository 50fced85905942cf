import { existsSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { SyncError } from '../../kernel/sync-error.ts'
import { Connection } from './connection.ts'
import { storeError } from './sqlite-error.ts'

/** Older versions can damage a WAL database that several connections write or checkpoint (fixed 13 March 2026). */
const minimumSqlite = '3.51.3'

/** `SYNC`, in the header of every file we create: tells our databases from those of other programs. */
const applicationId = 0x53594e43

/** How long a statement waits, blocking this thread, for the lock of another program before `store/busy`. */
const busyTimeoutMs = 1_000
/** The WAL file shrinks to this size after a checkpoint; about what 20,000 pages take. */
const walLimitBytes = 100 * 1024 * 1024

export interface OpenDatabaseOptions {
  readonly readOnly: boolean
  /** Upper bound of the page cache of this connection. */
  readonly cacheMiB: number
}

/**
 * Opens one connection to `file` with the settings that the promises rest on. Creates the file unless read-only.
 *
 * @throws SyncError `config/invalid`, `store/corrupt`, `store/busy`, `store/full`, `store/io`
 */
export function openDatabase(file: string, { readOnly, cacheMiB }: OpenDatabaseOptions): Connection {
  if (readOnly && !existsSync(file))
    throw new SyncError('config/invalid', `there is no store at ${file}; start a node there first`)
  try {
    const options = { readOnly, timeout: busyTimeoutMs, enableForeignKeyConstraints: true, defensive: true }
    const connection = new Connection(new DatabaseSync(file, options))
    try {
      assertSqliteVersion(connection.db)
      const isNew = assertOurs(connection.db, file)
      connection.db.exec(`PRAGMA cache_size = -${cacheMiB * 1024}; PRAGMA mmap_size = 0`)
      if (!readOnly) prepareForWriting(connection.db, isNew)
      return connection
    } catch (error) {
      connection.close()
      throw error
    }
  } catch (error) {
    throw storeError(error)
  }
}

export function assertSqliteVersion(db: DatabaseSync, minimum = minimumSqlite): void {
  const version = String(db.prepare('SELECT sqlite_version() AS version').get()?.version)
  const [have, need] = [parts(version), parts(minimum)]
  const different = need.findIndex((part, index) => have[index] !== part)
  if (different === -1 || have[different]! > need[different]!) return
  throw new SyncError(
    'config/invalid',
    `this Node brings SQLite ${version}, which can damage databases; use one with SQLite ${minimum} or later`,
  )
}

function parts(version: string): number[] {
  return version.split('.').map(Number)
}

/** Answers whether the database is still empty. */
function assertOurs(db: DatabaseSync, file: string): boolean {
  const id = db.prepare('PRAGMA application_id').get()?.application_id
  if (id === applicationId) return false
  const tables = db.prepare('SELECT count(*) AS count FROM sqlite_schema').get()?.count
  if (id === 0 && tables === 0) return true
  throw new SyncError('config/invalid', `${file} is the database of another program; it was left untouched`)
}

/**
 * WAL with FULL survives a loss of power (K1). `mmap_size` 0: a mapped file turns an I/O error into a crash and has
 * spread corruption before. `fullfsync` matters on macOS alone, where a plain fsync does not reach the disk.
 * `temp_store`: savepoints keep the pages they may have to restore in memory instead of a file (a quarter faster).
 */
function prepareForWriting(db: DatabaseSync, isNew: boolean): void {
  const mode = db.prepare('PRAGMA journal_mode = WAL').get()?.journal_mode
  if (mode !== 'wal')
    throw new SyncError('config/invalid', `the store's file system does not support WAL (${mode})`)
  db.exec(`
    PRAGMA synchronous = FULL;
    PRAGMA fullfsync = ON;
    PRAGMA temp_store = MEMORY;
    PRAGMA wal_autocheckpoint = 20000;
    PRAGMA journal_size_limit = ${walLimitBytes};
  `)
  // Opening writes nothing more to a store that exists: it must work on a full disk, if only to read.
  if (isNew) db.exec(`PRAGMA application_id = ${applicationId}`)
}
