import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type Clock, systemClock } from '../../kernel/clock.ts'
import { type Logger, silentLogger } from '../../kernel/logger.ts'
import type { Migration, Store, TransactionOptions } from '../../kernel/store.ts'
import { SyncError } from '../../kernel/sync-error.ts'
import { ApiKeyTable } from './api-key-table.ts'
import { AuditTable } from './audit-table.ts'
import type { Connection } from './connection.ts'
import { controlMigrations } from './control-schema.ts'
import { makeDataDirectory } from './data-directory.ts'
import { openDatabase } from './database.ts'
import { LeaseTable } from './lease-table.ts'
import { LinkTable } from './link-table.ts'
import { appliedMigrations, assertNotNewer, migrate } from './migrate.ts'
import { OutboxTable } from './outbox-table.ts'
import { OwnerLock } from './owner-lock.ts'
import { PeerTable } from './peer-table.ts'
import { type ReaderLimits, Readers } from './readers.ts'
import { storeError } from './sqlite-error.ts'
import type { SqliteTx } from './sqlite-tx.ts'
import { Writer, type WriterLimits, type WriterStats } from './writer.ts'

/** The database's name inside a data directory. */
export const databaseName = 'syncline.db'

export interface StoreLimits extends WriterLimits, ReaderLimits {
  /** Page cache of the writing connection, MiB. */
  readonly writerCacheMiB: number
  /** Page cache of each reading connection, MiB. */
  readonly readerCacheMiB: number
}

const defaultStoreLimits: StoreLimits = {
  maxWaiting: 10_000,
  maxGroup: 1_000,
  maxGroupWeight: 5_000,
  gatherMs: 5,
  transactionMs: 30_000,
  maxReaders: 4,
  maxWaitingReads: 10_000,
  readMs: 60_000,
  writerCacheMiB: 32,
  readerCacheMiB: 16,
}

export interface SqliteStoreOptions {
  /** The data directory, made when it is missing; the database in it is `syncline.db`. */
  readonly dir: string
  /** Reads a store that a running node may own. It takes no lock, and every transaction fails. */
  readonly readOnly?: boolean
  readonly clock?: Clock
  readonly log?: Logger
  readonly limits?: Partial<StoreLimits>
}

/** Where the history of a store stands; a restored older copy shows as fewer commits than a peer remembers (K3). */
export interface StorePosition {
  /** Made once with the store and never changed. */
  readonly epoch: string
  /** Group commits so far. */
  readonly commits: number
}

/**
 * Opens the store of a data directory, bringing the control tables up to date first.
 *
 * @throws SyncError `store/busy` when another process owns the directory, `store/newer`, `store/corrupt`,
 *   `store/full`, `store/io`, `config/invalid`
 */
export async function createSqliteStore(options: SqliteStoreOptions): Promise<SqliteStore> {
  const { readOnly = false, clock = systemClock, log = silentLogger } = options
  const limits = { ...defaultStoreLimits, ...options.limits }
  const dir = resolve(options.dir)
  const file = join(dir, databaseName)
  const openReader = () => openDatabase(file, { readOnly: true, cacheMiB: limits.readerCacheMiB })
  const openWriter = () => openDatabase(file, { readOnly: false, cacheMiB: limits.writerCacheMiB })
  await using resources = new AsyncDisposableStack()
  if (!readOnly) {
    await makeDataDirectory(dir)
    resources.use(new OwnerLock(file))
  }
  if (existsSync(file)) assertKnown(openReader)
  const writer = readOnly
    ? undefined
    : resources.use(new Writer({ open: openWriter, clock, log, limits, countCommit }))
  const readers = resources.use(new Readers({ open: openReader, clock, limits }))
  await bringUpToDate(writer, readers, controlMigrations)
  const { epoch } = await readers.read(readPosition)
  return new SqliteStore({ epoch, file, clock, writer, readers, resources: resources.move() })
}

interface Parts {
  readonly epoch: string
  readonly file: string
  readonly clock: Clock
  /** Undefined in a store that is open for reading only. */
  readonly writer: Writer | undefined
  readonly readers: Readers
  readonly resources: AsyncDisposableStack
}

/** The kernel's contract on SQLite, see `Store`. Disposing finishes what waits and closes the files. */
export class SqliteStore implements Store<SqliteTx> {
  /** Names this store's history, see `StorePosition`. */
  readonly epoch: string
  /** The database's path. */
  readonly file: string
  readonly peers = new PeerTable()
  readonly links = new LinkTable()
  readonly outbox = new OutboxTable()
  readonly apiKeys = new ApiKeyTable()
  readonly audit = new AuditTable()
  readonly jobs: LeaseTable
  readonly #parts: Parts
  #closing: Promise<void> | undefined

  constructor(parts: Parts) {
    this.epoch = parts.epoch
    this.file = parts.file
    this.jobs = new LeaseTable(parts.clock, randomUUID())
    this.#parts = parts
  }

  transaction<T>(work: (tx: SqliteTx) => T | Promise<T>, options?: TransactionOptions): Promise<T> {
    const { writer } = this.#parts
    if (writer !== undefined) return writer.transaction(work, options)
    return Promise.reject(new SyncError('config/invalid', `${this.file} is open for reading only`))
  }

  read<T>(work: (tx: SqliteTx) => T | Promise<T>): Promise<T> {
    return this.#parts.readers.read(work)
  }

  migrate(migrations: readonly Migration<SqliteTx>[]): Promise<void> {
    return bringUpToDate(this.#parts.writer, this.#parts.readers, migrations)
  }

  /** Inside a transaction: as it is before this transaction's own commit. */
  async position(tx: SqliteTx): Promise<StorePosition> {
    return readPosition(tx)
  }

  /** All zero in a store that is open for reading only. */
  get stats(): WriterStats {
    return this.#parts.writer?.stats ?? { commits: 0, flushes: 0, committed: 0, waiting: 0 }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#parts.resources.disposeAsync()
    return this.#closing
  }
}

/** Looks without touching: opening for writing could already move the write-ahead log into the database. */
function assertKnown(openReader: () => Connection): void {
  using connection = openReader()
  try {
    assertNotNewer(appliedMigrations(connection), controlMigrations)
  } catch (error) {
    throw storeError(error)
  }
}

async function bringUpToDate(
  writer: Writer | undefined,
  readers: Readers,
  migrations: readonly Migration<SqliteTx>[],
): Promise<void> {
  const applied = await readers.read(appliedMigrations)
  await migrate(applied, migrations, writer && ((work) => writer.transaction(work)))
}

function countCommit(connection: Connection): void {
  connection.prepare('UPDATE store SET commits = commits + 1').run()
}

function readPosition(tx: SqliteTx): StorePosition {
  const row = tx.prepare('SELECT epoch, commits FROM store').get()
  if (row === undefined)
    throw new SyncError('store/corrupt', 'the store has lost its identity; restore a backup')
  return { epoch: String(row.epoch), commits: Number(row.commits) }
}
