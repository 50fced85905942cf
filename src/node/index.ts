export { type ConfigSources, loadConfig } from '../config/load.ts'
export type { Config } from '../config/schema.ts'
export type { HealthRecord } from '../kernel/health.ts'
export type { Direction, Link } from '../kernel/link.ts'
export type { Peer, TlsSettings } from '../kernel/peer.ts'
export type { Outcome, Progress, Proof } from '../kernel/progress.ts'
export type { RunRecord, RunState } from '../kernel/run.ts'
export { SyncError, type SyncErrorCode } from '../kernel/sync-error.ts'
export type { AccessControl } from './access-control.ts'
export type {
  ImportOptions,
  ImportReport,
  NodeControl,
  NodeStatus,
  SyncOptions,
  SyncReport,
  SyncRequest,
} from './control.ts'
export { type OpenOptions, openNode } from './create-node.ts'
export type {
  AccessRequestView,
  DatabaseDetail,
  DatabaseSummary,
  DocumentsControl,
  DocumentsStatus,
} from './documents/documents-control.ts'
export { Node } from './node.ts'
export type { RowsControl, RowsHistory, RowsStatus } from './rows/rows-control.ts'
export type { RowsLinks, RowsLinkWish } from './rows/rows-links.ts'
export type { ManagedServers } from './sync/managed-servers.ts'
export type {
  ControlErrorCode,
  ControlFailure,
  ControlOptions,
  DispatchMode,
  DispatchReport,
  ExportedServers,
  Fault,
  ImportedServers,
  ImportServersOptions,
  LinkMetrics,
  LinkStatus,
  Result,
  Server,
  ServerControl,
  ServerRuntime,
  ServerStats,
  SkipReason,
  SyncControl,
  SyncHealth,
  SyncNowOptions,
  SyncRun,
  SyncState,
  SyncStats,
} from './sync-control.ts'
