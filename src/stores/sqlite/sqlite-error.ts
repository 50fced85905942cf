import { SyncError, type SyncErrorCode } from '../../kernel/sync-error.ts'

interface SqliteError extends Error {
  /** Extended result code; the low byte is the primary one. */
  readonly errcode: number
}

interface Meaning {
  readonly code: SyncErrorCode
  readonly message: string
}

const noHandle = 'check that it exists, that this account may write it, and that file handles are left'
const full: Meaning = {
  code: 'store/full',
  message: 'no space is left for the store; free some, nothing acknowledged is lost',
}
const corrupt: Meaning = {
  code: 'store/corrupt',
  message: 'the store is damaged; stop the node and restore a backup',
}
const busy: Meaning = {
  code: 'store/busy',
  message: 'another program holds a lock on the store; close it, then this is tried again',
}

/** By primary result code (https://sqlite.org/rescode.html). What is missing here is a mistake in SQL, not a state of the store. */
const meanings: ReadonlyMap<number, Meaning> = new Map([
  [5, busy],
  [6, busy],
  [7, { code: 'store/io', message: 'the store ran out of memory' }],
  [8, { code: 'config/invalid', message: 'the store cannot be written; check who owns its files' }],
  [10, { code: 'store/io', message: 'the system failed to read or write the store; check the disk' }],
  [11, corrupt],
  [13, full],
  [14, { code: 'store/io', message: `a file of the store could not be opened; ${noHandle}` }],
  [15, busy],
  [26, { code: 'store/corrupt', message: 'the file is no SQLite database; is the path right?' }],
])

/** SQLITE_IOERR_SHMSIZE: growing the index of the write-ahead log failed, which is how a full disk shows there. */
const sharedMemoryFull = 4874

/**
 * What a failure of SQLite means for the store, in words for people. Anything else (a broken constraint, an error of
 * the caller's own) comes back as it is.
 */
export function storeError(error: unknown): unknown {
  if (!isSqliteError(error)) return error
  const meaning = error.errcode === sharedMemoryFull ? full : meanings.get(error.errcode & 0xff)
  if (meaning === undefined) return error
  return new SyncError(meaning.code, `${meaning.message} (SQLite: ${error.message})`, { cause: error })
}

const constraintForeignKey = 787
const constraintUnique = 2067

export function isForeignKeyError(error: unknown): boolean {
  return isSqliteError(error) && error.errcode === constraintForeignKey
}

export function isUniqueError(error: unknown): boolean {
  return isSqliteError(error) && error.errcode === constraintUnique
}

/** SQLITE_BUSY: somebody else holds the lock. */
export function isBusyError(error: unknown): boolean {
  return isSqliteError(error) && (error.errcode & 0xff) === 5
}

function isSqliteError(error: unknown): error is SqliteError {
  return error instanceof Error && typeof (error as Partial<SqliteError>).errcode === 'number'
}
