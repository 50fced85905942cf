import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { SyncError } from '../../kernel/sync-error.ts'
import { isRowsClientError } from '../../planes/rows/client/client-error.ts'
import type { TableConfig } from '../../planes/rows/client/local-table.ts'
import { nodeDriver } from '../../planes/rows/client/node-driver.sqlite.ts'
import type { SyncReport, SyncStatus } from '../../planes/rows/client/result-types.ts'
import { RowsClient } from '../../planes/rows/client/rows-client.ts'
import type { RowsProgress } from '../../planes/rows/client/sync-core.ts'
import { readAttachment, readOperation } from '../../planes/rows/client/sync-state.ts'
import { syncStatus } from '../../planes/rows/client/sync-status.ts'

/** What a SQLite file says of its sync. */
export interface RowsFileStatus {
  /** Null for a file that was never synced. */
  readonly source: string | null
  /** Null while it is attached to nobody. */
  readonly user: string | null
  readonly schema: string
  readonly tables: readonly string[]
  readonly pendingRows: number
  readonly lastBundleSeqSeen: number
  readonly rebuildRequired: boolean
}

export interface SyncRowsFileOptions {
  readonly db: string
  readonly url: string
  readonly token: string
  /** Default: whose they were. */
  readonly user?: string | undefined
  /** Default: as at the first sync. */
  readonly schema?: string | undefined
  /** `name` or `name:key`. Default: as at the first sync. */
  readonly tables?: readonly string[] | undefined
  readonly signal: AbortSignal
  readonly onProgress: (progress: RowsProgress) => void
}

export interface RowsFileReport {
  readonly user: string
  readonly pushed: SyncReport['pushOutcome']
  readonly pulled: SyncReport['remoteOutcome']
  readonly status: SyncStatus
}

/** @throws SyncError `config/invalid` when there is no such file */
export function rowsFileStatus(path: string): RowsFileStatus {
  using db = openFile(path, true)
  const known = knownOf(db)
  if (known === undefined)
    return {
      source: null,
      user: null,
      schema: '',
      tables: [],
      pendingRows: 0,
      lastBundleSeqSeen: 0,
      rebuildRequired: false,
    }
  const driver = nodeDriver(db)
  const { pending, lastBundleSeqSeen } = syncStatus(driver)
  const { sourceId, rebuildRequired } = readAttachment(driver)
  return {
    source: sourceId === '' ? null : sourceId,
    user: known.user ?? null,
    schema: known.schema,
    tables: known.tables,
    pendingRows: pending.pendingRowCount,
    lastBundleSeqSeen,
    rebuildRequired: rebuildRequired || readOperation(driver).kind === 'source_recovery',
  }
}

/**
 * Brings a SQLite file into step with a server, with a rebuild where that is needed, and closes it.
 *
 * @throws SyncError `config/invalid` when the first sync is not told what a later one knows; RowsClientError
 */
export async function syncRowsFile(options: SyncRowsFileOptions): Promise<RowsFileReport> {
  const { db: path, url, token, signal, onProgress } = options
  using db = openFile(path, false)
  const known = knownOf(db)
  const user = options.user ?? known?.user
  if (user === undefined) throw missing('--user: whose rows this file holds')
  const schema = options.schema ?? known?.schema
  if (schema === undefined || schema === '') throw missing("--schema: the server's schema of the tables")
  const names = options.tables ?? known?.tables ?? []
  if (names.length === 0) throw missing('--tables: which tables are synced')
  using client = new RowsClient({
    db: nodeDriver(db),
    baseUrl: url,
    token: () => token,
    schema,
    tables: names.map((name) => tableConfig(db, name)),
    sha256: () => createHash('sha256'),
  })
  await client.open()
  const attached = await client.attach(user, { signal, onProgress })
  if (attached.status === 'retry_later')
    throw new SyncError('peer/busy', 'another device is giving the server its first rows; try again later', {
      retryAfterMs: attached.retryAfterMs,
    })
  const sync = () => client.sync({ signal, onProgress })
  const report = await sync().catch(async (error: unknown) => {
    if (!isRowsClientError(error, 'rows/rebuild-required', 'rows/recovery-required')) throw error
    await client.rebuild({ signal, onProgress })
    return sync()
  })
  return { user, pushed: report.pushOutcome, pulled: report.remoteOutcome, status: report.status }
}

function openFile(path: string, readOnly: boolean): DatabaseSync {
  // SQLite would make an empty one.
  if (!existsSync(path)) throw new SyncError('config/invalid', `there is no SQLite file ${path}`)
  return new DatabaseSync(path, { readOnly, timeout: 5_000 })
}

interface Known {
  readonly user: string | undefined
  readonly schema: string
  readonly tables: readonly string[]
}

/** What the file remembers of its last sync. */
function knownOf(db: DatabaseSync): Known | undefined {
  const has = db.prepare(`SELECT 1 FROM sqlite_schema WHERE name = '_sync_attachment_state'`).get()
  if (has === undefined) return undefined
  const row = db
    .prepare(`SELECT attached_user_id AS user, schema_name AS schema FROM _sync_attachment_state`)
    .get() as { readonly user: string; readonly schema: string } | undefined
  const tables = db.prepare('SELECT table_name AS name FROM _sync_managed_tables ORDER BY 1').all()
  return {
    user: row === undefined || row.user === '' ? undefined : row.user,
    schema: row?.schema ?? '',
    tables: tables.map(({ name }) => String(name)),
  }
}

/** Without a key, the primary key: it has to be one column. */
function tableConfig(db: DatabaseSync, given: string): TableConfig {
  const [tableName = '', key] = given.split(':')
  if (key !== undefined) return { tableName, syncKeyColumnName: key }
  const columns = db.prepare('SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk').all(tableName)
  return { tableName, syncKeyColumns: columns.map(({ name }) => String(name)) }
}

function missing(what: string): SyncError {
  return new SyncError('config/invalid', `this file was never synced, so say ${what}`)
}
