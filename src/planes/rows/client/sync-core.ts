import type { BundleLimits, CapabilitiesResponse } from '../wire/capabilities.ts'
import type { ChangeFeed } from './change-feed.ts'
import type { RowsClientSettings } from './client-config.ts'
import { isRowsClientError } from './client-error.ts'
import type { Catalog } from './incoming.ts'
import { retrying } from './retry-policy.ts'
import { type Caller, ServerApi } from './server-api.ts'
import type { SqliteDriver } from './sqlite-driver.ts'
import { readAttachment } from './sync-state.ts'

/** How much to ask for or send at a time: what the application configured, and never more than the server takes. */
export interface Limits {
  readonly rowsPerPushChunk: number
  readonly rowsPerCommittedPage: number
  readonly bundlesPerPull: number
  readonly rowsPerSnapshotChunk: number
  readonly rowsPerBundle: number
}

/** What the client is doing, for a progress line. */
export interface RowsProgress {
  readonly step: 'uploading' | 'confirming' | 'pulling' | 'downloading-snapshot' | 'applying-snapshot'
  /** Rows; while pulling, bundles. */
  readonly done: number
  /** Undefined while it is not known. */
  readonly total: number | undefined
}

/** What the operations share: database, server, limits, and whom to tell. */
export class SyncCore {
  readonly db: SqliteDriver
  readonly catalog: Catalog
  readonly settings: RowsClientSettings
  readonly api: ServerApi
  readonly changes: ChangeFeed
  #capabilities: CapabilitiesResponse | undefined
  #onProgress: ((progress: RowsProgress) => void) | undefined

  constructor(settings: RowsClientSettings, catalog: Catalog, changes: ChangeFeed) {
    this.db = settings.db
    this.settings = settings
    this.catalog = catalog
    this.api = new ServerApi(settings)
    this.changes = changes
  }

  /** Requests are made in the name of the current source, read anew: it changes with a recovery. */
  caller(signal: AbortSignal): Caller {
    return { sourceId: readAttachment(this.db).sourceId, signal }
  }

  retrying<T>(operation: string, signal: AbortSignal, attempt: () => Promise<T>): Promise<T> {
    const { retry: policy, clock, random } = this.settings
    return retrying(operation, { policy, clock, random, signal }, attempt)
  }

  async capabilities(signal: AbortSignal): Promise<CapabilitiesResponse> {
    this.#capabilities = await this.retrying('capabilities', signal, () =>
      this.api.capabilities(this.caller(signal)),
    )
    return this.#capabilities
  }

  /** Asks the server once per process; one that has no capabilities to tell is taken at the configured limits. */
  async limits(signal: AbortSignal): Promise<Limits> {
    let known = this.#capabilities
    if (known === undefined) {
      try {
        known = await this.capabilities(signal)
      } catch (error) {
        const absent = isRowsClientError(error, 'rows/server-answer') || isAbsent(error)
        if (!absent) throw error
      }
    }
    return this.#limitsBy(known?.bundle_limits)
  }

  reportTo(onProgress: ((progress: RowsProgress) => void) | undefined): void {
    this.#onProgress = onProgress
  }

  report(step: RowsProgress['step'], done: number, total?: number): void {
    this.#onProgress?.({ step, done, total })
  }

  #limitsBy(server: BundleLimits | undefined): Limits {
    const { uploadLimit, downloadLimit, snapshotChunkRows } = this.settings
    const atMost = (wanted: number, limit: number | undefined) =>
      limit === undefined || limit === 0 ? wanted : Math.min(wanted, limit)
    return {
      rowsPerPushChunk: atMost(uploadLimit, server?.max_rows_per_push_chunk),
      rowsPerCommittedPage: atMost(downloadLimit, server?.max_rows_per_committed_bundle_chunk),
      bundlesPerPull: atMost(Math.min(downloadLimit, 5_000), server?.max_bundles_per_pull),
      rowsPerSnapshotChunk: atMost(snapshotChunkRows, server?.max_rows_per_snapshot_chunk),
      rowsPerBundle: atMost(Number.MAX_SAFE_INTEGER, server?.max_rows_per_bundle),
    }
  }
}

/** The answers of a server, or of what stands before it, that does not know the route. */
export function isAbsent(error: unknown): boolean {
  return isRowsClientError(error, 'rows/server-refused') && [404, 405, 501].includes(error.details.status)
}
