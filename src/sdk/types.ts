import type { z } from 'zod'
import type { apiKey, createdApiKey, newApiKey } from '../api/schema/api-key.ts'
import type { auditRecord } from '../api/schema/audit-record.ts'
import type { dispatchMode, dispatchReport } from '../api/schema/dispatch.ts'
import type {
  accessRequest,
  databaseDetail,
  databaseSummary,
  documentAttempt,
  documentJoin,
  documentPeer,
  documentsStatus,
  documentTicket,
  syncedLink,
} from '../api/schema/documents.ts'
import type { nodeStatus, syncHealth, syncStats } from '../api/schema/node-status.ts'
import type { direction, relay, relayAttributes } from '../api/schema/relay.ts'
import type { linkStatus, serverRuntime } from '../api/schema/server-runtime.ts'
import type { deadLetter, syncRun, syncState } from '../api/schema/sync-state.ts'

// The same schemas check the requests and make the OpenAPI document. Only their types come here: no code of the node does.
export type Relay = z.output<typeof relay>
export type RelayAttributes = z.output<typeof relayAttributes>
export type ServerRuntime = z.output<typeof serverRuntime>
export type SyncDirection = z.output<typeof direction>
export type SyncStatus = z.output<typeof linkStatus>
export type SyncState = z.output<typeof syncState>
export type SyncRun = z.output<typeof syncRun>
export type DeadLetter = z.output<typeof deadLetter>
export type DispatchMode = z.output<typeof dispatchMode>
export type DispatchReport = z.output<typeof dispatchReport>
export type NodeStatus = z.output<typeof nodeStatus>
export type SyncStats = z.output<typeof syncStats>
export type SyncHealth = z.output<typeof syncHealth>
export type ApiKey = z.output<typeof apiKey>
export type CreatedApiKey = z.output<typeof createdApiKey>
export type NewApiKey = z.input<typeof newApiKey>['api_key']
export type AuditRecord = z.output<typeof auditRecord>
export type DocumentsStatus = z.output<typeof documentsStatus>
export type DocumentDatabase = z.output<typeof databaseSummary>
export type DocumentDatabaseDetail = z.output<typeof databaseDetail>
export type DocumentAccessRequest = z.output<typeof accessRequest>
export type DocumentPeer = z.output<typeof documentPeer>
export type DocumentSyncAttempt = z.output<typeof documentAttempt>
export type SyncedDocumentLink = z.output<typeof syncedLink>
export type DocumentTicket = z.output<typeof documentTicket>
export type DocumentJoin = z.output<typeof documentJoin>
