export { DocumentError, type DocumentErrorCode } from './document-error.ts'
export { type DocumentLimits, defaultDocumentLimits, maxValueDepth } from './document-limits.ts'
export {
  type Entry,
  indexStore,
  isRoot,
  rootStore,
  type SealedEntry,
  type StoreNode,
  settingsStore,
} from './entry/entry.ts'
export { openEntry } from './entry/entry-decoder.ts'
export { sealEntry } from './entry/entry-encoder.ts'
export { compareIds, type DatabaseId, type EntryId, parseId, sortedIds } from './entry/entry-id.ts'
export { entryFromJson, entryToJson, sigKeyFromJson, sigKeyToJson } from './entry/entry-json.ts'
export {
  KeyPair,
  type PublicKey,
  PublicKeyCache,
  parsePublicKey,
  publicKeyBytes,
  publicKeyText,
  verifySignature,
} from './entry/key-pair.ts'
export { globalClaim, type KeyHint, keyClaim, type SigKey } from './entry/sig-key.ts'
export { transcript } from './entry/transcript.ts'
export { MemoryDocumentStorage } from './storage/document-storage.memory.ts'
export { createSqliteDocumentStorage } from './storage/document-storage.sqlite.ts'
export type {
  BatchOptions,
  DocumentBatch,
  DocumentStorage,
  DocumentView,
  Verification,
} from './storage/document-storage.ts'
