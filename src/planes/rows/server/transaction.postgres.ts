import type { Pool, PoolClient, QueryResult, QueryResultRow } from 'pg'
import type { Clock } from '../../../kernel/clock.ts'

/** What runs statements: a pool, or a connection within a transaction. */
export interface Queryable {
  query<R extends QueryResultRow>(text: string, values?: readonly unknown[]): Promise<QueryResult<R>>
}

export interface TransactionOptions {
  readonly isolation?: 'read committed' | 'repeatable read'
  readonly readOnly?: boolean
  /** How often it is run in all while the database says that trying again may help; 1 by default. */
  readonly attempts?: number
  /** Grows by this with every attempt. */
  readonly pauseMs?: number
  /** For waiting on locks; 0 or undefined: as long as it takes. */
  readonly lockTimeoutMs?: number
  /** Statements without parameters that run first, in the round trip that begins the transaction. */
  readonly first?: string
  readonly clock?: Clock
}

/**
 * Every payload is text that PostgreSQL makes, so the settings that shape it are pinned: otherwise the time zone of the
 * server or of a role would leak into what clients see, and into how pushed dates are read (§12 item 16).
 */
const pinned = [
  `set local timezone = 'UTC'`,
  `set local datestyle = 'ISO, MDY'`,
  `set local intervalstyle = 'postgres'`,
  `set local bytea_output = 'hex'`,
  'set local extra_float_digits = 1',
].join('; ')

/**
 * Runs `operation` in a transaction and commits it; it is given the result of the last of the `first` statements. Serialization
 * failures, deadlocks and lock timeouts run it again, up to `attempts` in all; every other error rolls back and is thrown.
 */
export async function transact<T>(
  pool: Pool,
  options: TransactionOptions,
  operation: (tx: PoolClient, first: QueryResult) => Promise<T>,
): Promise<T> {
  const { attempts = 1, pauseMs = 25, clock } = options
  for (let attempt = 1; ; attempt++) {
    try {
      return await runOnce(pool, options, operation)
    } catch (error) {
      if (attempt >= attempts || !isRetryable(error)) throw error
    }
    await clock?.sleep(pauseMs * attempt)
  }
}

async function runOnce<T>(
  pool: Pool,
  { isolation = 'read committed', readOnly = false, lockTimeoutMs = 0, first = '' }: TransactionOptions,
  operation: (tx: PoolClient, first: QueryResult) => Promise<T>,
): Promise<T> {
  const client = await pool.connect()
  let broken = false
  // A connection that is lost while it is ours tells so twice: the query fails, and without a listener the process ends.
  const onError = () => {
    broken = true
  }
  client.on('error', onError)
  try {
    const lockTimeout =
      lockTimeoutMs > 0 ? `; set local lock_timeout = ${Math.max(1, Math.round(lockTimeoutMs))}` : ''
    // Several statements in one text have as many results, which the types do not know.
    const begun: unknown = await client.query(
      `begin isolation level ${isolation}${readOnly ? ' read only' : ''}; ${pinned}${lockTimeout}; ${first}`,
    )
    const result = await operation(client, (begun as readonly QueryResult[]).at(-1)!)
    // PostgreSQL answers COMMIT with a rollback, and no error, if a statement failed and nobody noticed.
    if ((await client.query('commit')).command !== 'COMMIT')
      throw new Error('the transaction was rolled back: one of its statements had failed before')
    return result
  } catch (error) {
    // A connection that cannot roll back must not return to the pool with a transaction open.
    await client.query('rollback').catch(onError)
    throw error
  } finally {
    client.off('error', onError)
    client.release(broken)
  }
}

/** SQLSTATE of an error of PostgreSQL; undefined for any other error. No class starts with E, but EPIPE does. */
export function sqlState(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code
  return typeof code === 'string' && /^[0-9A-DF-Z][0-9A-Z]{4}$/.test(code) ? code : undefined
}

/** Serialization failure, deadlock, lock not available. */
function isRetryable(error: unknown): boolean {
  const state = sqlState(error)
  return state === '40001' || state === '40P01' || state === '55P03'
}

const lost = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN'])

/** The database is away or full for the moment: the request may be tried again as it is. */
export function isUnavailable(error: unknown): boolean {
  const state = sqlState(error)
  if (state !== undefined)
    return state.startsWith('08') || state.startsWith('57P') || state === '53300' || isRetryable(error)
  const { code, message = '' } = (error ?? {}) as { code?: unknown; message?: string }
  return (
    (typeof code === 'string' && lost.has(code)) ||
    /connection terminated|timeout exceeded when trying to connect|client was closed/i.test(message)
  )
}
