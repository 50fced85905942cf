export { ApiError } from './api-error.ts'
export { type CallOptions, type ClientOptions, SynclineClient } from './client.ts'
export type {
  ApiKey,
  AuditRecord,
  CreatedApiKey,
  DeadLetter,
  DispatchMode,
  DispatchReport,
  NewApiKey,
  NodeStatus,
  Relay,
  RelayAttributes,
  ServerRuntime,
  SyncDirection,
  SyncHealth,
  SyncRun,
  SyncState,
  SyncStats,
  SyncStatus,
} from './types.ts'
