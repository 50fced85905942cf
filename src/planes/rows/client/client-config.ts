import { type Clock, type Random, systemClock } from '../../../kernel/clock.ts'
import { type Logger, silentLogger } from '../../../kernel/logger.ts'
import { portableSha256, type Sha256 } from '../wire/sha256.ts'
import { RowsClientError } from './client-error.ts'
import { type ConflictResolver, serverWins } from './conflict-resolver.ts'
import type { TableConfig } from './local-table.ts'
import { type RequestRetryPolicy, requestRetry } from './retry-policy.ts'
import type { SqliteDriver } from './sqlite-driver.ts'

/** What a client is made of. Only the first four have no default. */
export interface RowsClientConfig {
  /** Stays the application's: it is not closed with the client. */
  readonly db: SqliteDriver
  /** Where the server's `/sync` routes are mounted, for example `https://example.org`. */
  readonly baseUrl: string
  /** The bearer token, asked for with every request. */
  readonly token: () => string | Promise<string>
  /** The server's schema: one per database. */
  readonly schema: string
  readonly tables: readonly TableConfig[]
  /** Rows per push chunk; default 1000. This and the next two never exceed what the server advertises. */
  readonly uploadLimit?: number
  /** Bundles per pull page, and rows per page of a committed bundle; default 1000. */
  readonly downloadLimit?: number
  /** Rows per chunk of a snapshot; default 1000. */
  readonly snapshotChunkRows?: number
  /** Default: `serverWins`. */
  readonly resolver?: ConflictResolver
  /**
   * What becomes of rows written before the first attach, when the server has data already: `replace` drops them (as
   * go-oversync does), `merge` sends them as edits of this device after the server's data is here. Default `replace`.
   */
  readonly rowsBeforeAttach?: 'replace' | 'merge'
  /** The background loops wait this long after a round, and double it up to the maximum after failures; 1 s and 60 s. */
  readonly backoffMinMs?: number
  readonly backoffMaxMs?: number
  readonly retry?: Partial<RequestRetryPolicy>
  /** `auto`: the downloader listens for hints where the server offers them. Default `off`. */
  readonly watch?: 'off' | 'auto'
  /** How often to pull while a watch is open; default: `backoffMaxMs`. */
  readonly watchFallbackMs?: number
  /** For one request; default 120 s. */
  readonly timeoutMs?: number
  /** Default 64 MiB. */
  readonly maxResponseBytes?: number
  /** Default: the platform's. */
  readonly fetch?: typeof fetch
  /** A faster SHA-256 than the portable one, for example Node's. */
  readonly sha256?: () => Sha256
  readonly clock?: Clock
  readonly random?: Random
  /** A new random identifier; default: a UUID. */
  readonly newId?: () => string
  readonly log?: Logger
}

export type RowsClientSettings = Omit<Required<RowsClientConfig>, 'retry'> & {
  readonly retry: RequestRetryPolicy
}

/** @throws RowsClientError `rows/invalid-config` */
export function settingsOf(config: RowsClientConfig): RowsClientSettings {
  const invalid = (why: string) =>
    new RowsClientError('rows/invalid-config', `the rows client cannot be set up: ${why}`)
  if (config.db === undefined) throw invalid('it needs a database (db)')
  const schema = (config.schema ?? '').trim().toLowerCase()
  if (schema === '') throw invalid('it needs the name of the server schema (schema)')
  if (config.tables === undefined || config.tables.length === 0)
    throw invalid('it needs tables to sync (tables)')
  if (!URL.canParse(config.baseUrl)) throw invalid(`baseUrl is no address: ${config.baseUrl}`)
  const positive = (name: string, value: number | undefined, fallback: number): number => {
    if (value === undefined) return fallback
    if (!Number.isSafeInteger(value) || value <= 0)
      throw invalid(`${name} must be a whole number above 0, not ${value}`)
    return value
  }
  const backoffMinMs = positive('backoffMinMs', config.backoffMinMs, 1_000)
  const backoffMaxMs = Math.max(backoffMinMs, positive('backoffMaxMs', config.backoffMaxMs, 60_000))
  return {
    db: config.db,
    baseUrl: config.baseUrl.replace(/\/+$/, ''),
    token: config.token,
    schema,
    tables: config.tables,
    uploadLimit: positive('uploadLimit', config.uploadLimit, 1_000),
    downloadLimit: positive('downloadLimit', config.downloadLimit, 1_000),
    snapshotChunkRows: positive('snapshotChunkRows', config.snapshotChunkRows, 1_000),
    resolver: config.resolver ?? serverWins,
    rowsBeforeAttach: config.rowsBeforeAttach ?? 'replace',
    backoffMinMs,
    backoffMaxMs,
    retry: requestRetry(config.retry),
    watch: config.watch ?? 'off',
    watchFallbackMs: positive('watchFallbackMs', config.watchFallbackMs, backoffMaxMs),
    timeoutMs: positive('timeoutMs', config.timeoutMs, 120_000),
    maxResponseBytes: positive('maxResponseBytes', config.maxResponseBytes, 64 * 1024 * 1024),
    fetch: config.fetch ?? ((input, init) => fetch(input, init)),
    sha256: config.sha256 ?? portableSha256,
    clock: config.clock ?? systemClock,
    random: config.random ?? Math.random,
    newId: config.newId ?? (() => crypto.randomUUID()),
    log: config.log ?? silentLogger,
  }
}
