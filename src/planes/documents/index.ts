export type { AuthSettings, Delegation, Grant, KeyStatus } from './auth/auth-settings.ts'
export type { FoundClaim } from './auth/find-claims.ts'
export type { HeightStrategy } from './auth/height-strategy.ts'
export {
  clamp,
  covers,
  formatPermission,
  type Permission,
  type PermissionBounds,
  parsePermission,
} from './auth/permission.ts'
export { Doc, type DocValue, deleted, List, type LiveValue, type PlainValue } from './crdt/doc.ts'
export { type BeginOptions, Database } from './database.ts'
export type { WriterIdentity } from './database-core.ts'
export { DocumentError, type DocumentErrorCode } from './document-error.ts'
export { type DocumentLimits, defaultDocumentLimits } from './document-limits.ts'
export { type Entry, isRoot, type SealedEntry, type StoreNode } from './entry/entry.ts'
export { openEntry } from './entry/entry-decoder.ts'
export { sealEntry } from './entry/entry-encoder.ts'
export { compareIds, type DatabaseId, type EntryId, parseId, sortedIds } from './entry/entry-id.ts'
export { entryFromJson, entryToJson, sigKeyFromJson, sigKeyToJson } from './entry/entry-json.ts'
export { KeyPair, type PublicKey, parsePublicKey, verifySignature } from './entry/key-pair.ts'
export { globalClaim, type KeyHint, keyClaim, type SigKey } from './entry/sig-key.ts'
export { transcript } from './entry/transcript.ts'
export type { EntrySet } from './history/entry-index.ts'
export type { CheckedEntry } from './ingest/entry-checker.ts'
export type { Advance, IngestOutcome, IngestResult } from './ingest/ingest-result.ts'
export { createInlineSignatureVerifier, type SignatureVerifier } from './ingest/signature-verifier.ts'
export { createWorkerSignatureVerifier } from './ingest/signature-verifier.workers.ts'
export {
  type CreateDatabaseOptions,
  Instance,
  type InstanceOptions,
  type SystemDatabase,
} from './instance.ts'
export { MemoryDocumentStorage } from './storage/document-storage.memory.ts'
export { createSqliteDocumentStorage } from './storage/document-storage.sqlite.ts'
export type {
  BatchOptions,
  CanonicalKey,
  DocumentBatch,
  DocumentStorage,
  DocumentView,
  Verification,
} from './storage/document-storage.ts'
export { type DocStore, docStore } from './stores/doc-store.ts'
export { type PasswordStore, passwordStore } from './stores/password-store.ts'
export type { Registry, StoreRecord } from './stores/registry.ts'
export type { SettingsStore } from './stores/settings-store.ts'
export type { StoreAccess, StoreKind } from './stores/store-kind.ts'
export { type RowSchema, type Table, table } from './stores/table.ts'
export { type YDoc, yDoc } from './stores/y-doc.ts'
export type { PageLimits } from './sync/entry-pages.ts'
export type { AccessRecord } from './sync/records/access-requests.ts'
export type { LinkState, SyncAttempt } from './sync/records/link-states.ts'
export type { PeerInfo, PeerRecords, Relationship } from './sync/records/peer-records.ts'
export type {
  AccessDesk,
  AccessLimits,
  AccessPolicy,
  StoredAccessRequest,
} from './sync/responder/access-desk.ts'
export { Sync } from './sync/sync.ts'
export { formatAddress, parseAddress, type SyncAddress } from './sync/sync-address.ts'
export type { SyncHandle, SyncStatus } from './sync/sync-handle.ts'
export type {
  AccessAnswer,
  AccessWish,
  PlannedSync,
  SyncObserver,
  SyncOptions,
  SyncPeerInfo,
} from './sync/sync-options.ts'
export { type DatabaseTicket, formatTicket, parseTicket } from './sync/ticket.ts'
export { createHttpHandler } from './sync/transport/http-handler.ts'
export { type HttpTransportOptions, httpTransport } from './sync/transport/http-transport.ts'
export { type IrohTransportOptions, irohTransport } from './sync/transport/iroh-transport.ts'
export { MemoryNetwork, type MessageFate, type NetworkFaults } from './sync/transport/memory-network.ts'
export type {
  BuiltTransport,
  Listening,
  MessageHandler,
  SyncTransport,
  TransportBuilder,
} from './sync/transport/sync-transport.ts'
export type { Transaction } from './transaction.ts'
export {
  combineSyncSettings,
  type SyncSettings,
  syncDisabled,
  syncEnabled,
  syncOnCommit,
} from './users/sync-settings.ts'
export {
  type TrackedDatabase,
  trackedDatabases,
  trackedStore,
  type User,
  type UserKey,
} from './users/user.ts'
export { type CreateUserOptions, Users } from './users/users.ts'
export type { WriteEvent, WriteListener } from './write-events.ts'
