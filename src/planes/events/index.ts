export type { Bulk, CopyOptions, CopySource, CopyTarget } from './bulk/bulk.ts'
export type { BulkErrorCode, BulkFailure, BulkResult } from './bulk/bulk-result.ts'
export type { BulkOrder, Cursor } from './bulk/cursor.ts'
export type {
  CopyFunction,
  CopyOutcome,
  CopyProgress,
  CopyResult,
  PageProgress,
} from './bulk/event-copy.ts'
export type {
  BulkImportOptions,
  BulkImportResult,
  ImportCounts,
  ImportedEvent,
} from './bulk/event-import.ts'
export { SyncPageError } from './bulk/event-stream.ts'
export type { PageOptions } from './bulk/page-options.ts'
export type { BulkPage } from './bulk/page-reader.ts'
export type { RequestContext } from './bulk/request-context.ts'
export { type DefinedLink, toLinks } from './definition/definition-links.ts'
export { type DefinitionOptions, normalizeServer } from './definition/normalize-server.ts'
export { fromRelayBody, type RelayBodyOptions, type RelayBodyResult } from './definition/relay-body.ts'
export type {
  AuthMode,
  DefinitionErrorCode,
  DefinitionIssue,
  DefinitionProfile,
  DefinitionResult,
  FilterErrorCode,
  RelayInfoMode,
  ServerDefinition,
  SyncMode,
  TlsDefinition,
} from './definition/server-definition.ts'
export { type FileEntry, parseServersFile } from './definition/servers-file.ts'
export type { NostrEvent, ParsedEvent, StoredEvent } from './event.ts'
export { EventError, type EventErrorCode, type ReasonPrefix } from './event-error.ts'
export { parseEvent } from './event-parser.ts'
export type {
  Ban,
  BanTarget,
  EventPage,
  EventStore,
  PageRequest,
  PutOutcome,
  SetFingerprint,
  Visibility,
} from './event-store.ts'
export type { Filter } from './filter.ts'
export { canonicalFilter, filterHash } from './filter-hash.ts'
export { matchFilter } from './filter-match.ts'
export { parseFilter } from './filter-parser.ts'
export { defaultLimits, type Limits } from './limits.ts'
export type { Capability, Grant } from './policy/acl.ts'
export { createSigner, generateSecretKey, type Signer } from './signer.ts'
export type { Verifier } from './verifier.ts'
export { createWorkerVerifier } from './verifier.workers.ts'
