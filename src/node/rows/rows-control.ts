import type { PruneReport } from '../../planes/rows/server/prune-scopes.postgres.ts'
import type { ScopeDetail, ScopeSummary } from '../../planes/rows/server/scope-list.postgres.ts'

export type { PruneReport, ScopeDetail, ScopeSummary }

/** What the command line can ask of the rows server of a node. */
export interface RowsControl {
  /** Up to `limit` users after `after`, by name. */
  scopes(page: ScopePage): Promise<readonly ScopeSummary[]>
  /** @throws SyncError `config/invalid` for a user who was never seen */
  scope(user: string): Promise<ScopeDetail>
  /** Deletes history now, beyond what each user may keep, and sessions that expired. */
  prune(request: PruneRequest): Promise<PruneReport>
}

export interface ScopePage {
  /** The name of a user; blank: from the first on. */
  readonly after: string
  readonly limit: number
}

export interface PruneRequest {
  /** Bundles each user keeps; undefined: as many as the schema file says. */
  readonly keep?: number | undefined
  /** Only this user. */
  readonly user?: string | undefined
}

/** How the rows server of a node is. */
export interface RowsStatus {
  /** Whether it takes requests and its history is in order. */
  readonly healthy: boolean
  /** Why not. */
  readonly problem?: string | undefined
  /** Where the rows are, without a password. */
  readonly database: string
  readonly tables: readonly string[]
  readonly operationsInFlight: number
  /** Of all users, since the database was set up; undefined while it does not answer. */
  readonly history: RowsHistory | undefined
}

export interface RowsHistory {
  /** That are kept. */
  readonly bundles: number
  /** Of those; adding them up costs, so it may be that of some minutes ago. */
  readonly bundleBytes: number
  /** Pushes that had been committed before. */
  readonly pushReplays: number
  /** Writes past the rows server, which the database refused. */
  readonly refusedWrites: number
  /** Requests for what is kept no longer. */
  readonly prunedRequests: number
}
