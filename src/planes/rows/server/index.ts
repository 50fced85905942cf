export type { CapabilitiesResponse, RegisteredTableSpec } from '../wire/capabilities.ts'
export type { CommittedRowsResponse } from '../wire/committed-rows.ts'
export type { ConnectRequest, ConnectResponse } from '../wire/connect.ts'
export type {
  ErrorResponse,
  LimitExceededResponse,
  PushConflict,
  PushRejectedResponse,
  PushRejection,
  SourceRetiredResponse,
} from '../wire/error.ts'
export { errorStatus, type WireErrorCode } from '../wire/error-code.ts'
export type { Operation } from '../wire/operation.ts'
export { paths, protocolVersion, sourceIdHeader } from '../wire/protocol.ts'
export type { Bundle, PullResponse } from '../wire/pull.ts'
export type {
  CommittedPush,
  CreatePushRequest,
  CreatePushResponse,
  PushChunkRequest,
  PushChunkResponse,
} from '../wire/push.ts'
export type { BundleRow, PushRow, SnapshotRow } from '../wire/row.ts'
export type {
  CreateSnapshotRequest,
  CreateSnapshotResponse,
  SnapshotChunkResponse,
  SourceReplacement,
} from '../wire/snapshot.ts'
export type { StatusResponse } from '../wire/status.ts'
export type { SyncKey } from '../wire/sync-key.ts'
export type { BundleChangeEvent } from '../wire/watch.ts'
export type { Actor } from './actor.ts'
export type { BundleChange, ChangeHub, ChangeSubscription } from './change-hub.ts'
export { discoverSchema, type SchemaDiscovery } from './discover-schema.postgres.ts'
export { type ActorMiddlewareConfig, type Authenticator, actorMiddleware } from './http/actor-middleware.ts'
export type { Handler } from './http/handler.ts'
export {
  type ExpressMiddleware,
  expressMiddleware,
  type NodeListener,
  nodeListener,
} from './http/node-listener.ts'
export { actorOf, withActor } from './http/request-actor.ts'
export { createSyncHandlers, type SyncHandlers, type SyncHandlersConfig } from './http/sync-handlers.ts'
export { createSyncRouter, type SyncRouterConfig } from './http/sync-router.ts'
export type { LifecycleState } from './lifecycle.ts'
export {
  convertBase64EncodedUuid,
  optionallyConvertBase64EncodedUuid,
  PayloadExtractor,
  PayloadFieldError,
} from './payload-extractor.ts'
export { type RegisteredTable, tableKey } from './registered-table.ts'
export { RowsError, type RowsErrorCode, type RowsErrorDetails, type ServiceErrorCode } from './rows-error.ts'
export {
  ScopeManager,
  type ScopeManagerConfig,
  type ScopeWriteOptions,
  type ScopeWriteResult,
} from './scope-manager.ts'
export type { BundleSource, BundleTransaction } from './server-write.postgres.ts'
export type { BundleChangeWatchConfig, ServiceConfig, ServiceSettings } from './service-config.ts'
export type { StageMetrics, StageOperation, StageTiming } from './stage-metrics.ts'
export { createSyncService, type SyncService, type SyncServiceOptions } from './sync-service.ts'
export type { DependencyOverrides, DiscoveredSchema } from './table-order.ts'
export type { ForeignKey } from './table-shape.postgres.ts'
