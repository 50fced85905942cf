export type { RowsChange, TableChange } from './change-feed.ts'
export type { RowsClientConfig } from './client-config.ts'
export {
  isRowsClientError,
  type RowName,
  RowsClientError,
  type RowsClientErrorCode,
  type RowsClientErrorDetails,
} from './client-error.ts'
export {
  type Conflict,
  type ConflictResolver,
  clientWins,
  type Resolution,
  serverWins,
} from './conflict-resolver.ts'
export type { TableConfig } from './local-table.ts'
export type { RemoteOutcome } from './pull.ts'
export type { PushOutcome } from './push.ts'
export type { Restore } from './rebuild.ts'
export type {
  AttachOutcome,
  AttachResult,
  Authority,
  DetachResult,
  PendingSyncStatus,
  PushReport,
  RemoteSyncReport,
  SourceInfo,
  SyncReport,
  SyncStatus,
  SyncThenDetachResult,
} from './result-types.ts'
export type { RequestRetryPolicy } from './retry-policy.ts'
export { type OperationOptions, RowsClient } from './rows-client.ts'
export {
  createRowsPlane,
  type RowsCheckpoint,
  type RowsPlane,
  type RowsPlaneOptions,
  type RowsScope,
} from './rows-plane.ts'
export type { TransferDiagnostics } from './server-api.ts'
export type { SqlFunction, SqliteDriver, SqlRow, SqlValue } from './sqlite-driver.ts'
export type { RowsProgress } from './sync-core.ts'
