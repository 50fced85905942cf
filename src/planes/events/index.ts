export type { NostrEvent, ParsedEvent, StoredEvent } from './event.ts'
export { EventError, type EventErrorCode, type ReasonPrefix } from './event-error.ts'
export { parseEvent } from './event-parser.ts'
export type {
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
export { createSigner, generateSecretKey, type Signer } from './signer.ts'
export type { Verifier } from './verifier.ts'
export { createWorkerVerifier } from './verifier.workers.ts'
