import { mkdir } from 'node:fs/promises'
import type { Pool } from 'pg'
import type { Config } from '../../config/schema.ts'
import type { Clock } from '../../kernel/clock.ts'
import type { Logger } from '../../kernel/logger.ts'
import { SyncError } from '../../kernel/sync-error.ts'
import { startEmbeddedPostgres } from './embedded-postgres.ts'

export interface RowsDatabase extends AsyncDisposable {
  readonly pool: Pool
  /** Where it is, without the password: what may be shown. */
  readonly place: string
}

export interface RowsDatabaseOptions {
  readonly databaseUrl: Config['databaseUrl']
  readonly directory: string
  readonly clock: Clock
  readonly log: Logger
  /** Whether the server in the data directory is stopped in the end, though it ran before. */
  readonly stopAdopted: boolean
}

const connectTimeoutMs = 5_000

/**
 * Connects to the database of the rows: the one that is named, or the server in the data directory. Nothing of PostgreSQL is
 * loaded before somebody needs it.
 *
 * @throws SyncError `store/io` when it cannot be reached, `config/invalid` when there is none to start
 */
export async function openRowsDatabase(options: RowsDatabaseOptions): Promise<RowsDatabase> {
  const { databaseUrl, directory, clock, stopAdopted, log } = options
  await using opening = new AsyncDisposableStack()
  let url = databaseUrl
  if (url === undefined) {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    url = opening.use(await startEmbeddedPostgres({ directory, clock, stopAdopted })).url
  }
  const place = withoutPassword(url)
  const { default: pg } = await import('pg')
  const pool = new pg.Pool({
    connectionString: url,
    connectionTimeoutMillis: connectTimeoutMs,
    application_name: 'syncline',
  })
  opening.defer(() => pool.end())
  // An idle connection that breaks is replaced at the next need; without a listener it would end the process.
  pool.on('error', (error) => log.warn('a connection to the rows database broke', { error: error.message }))
  try {
    await pool.query('select 1')
  } catch (cause) {
    const why = cause instanceof Error ? cause.message || String(cause) : String(cause)
    throw new SyncError('store/io', `the rows database ${place} cannot be reached: ${why}`, { cause })
  }
  const resources = opening.move()
  return { pool, place, [Symbol.asyncDispose]: () => resources.disposeAsync() }
}

/** Addresses may carry a password, also among their parameters. */
function withoutPassword(address: string): string {
  const { protocol, username, host, pathname } = new URL(address)
  return `${protocol}//${username === '' ? '' : `${username}@`}${host}${pathname}`
}
