/** Stable codes of what this plane refuses; the message is for people and may change. See docs/reference/errors.md. */
export type DocumentErrorCode =
  | 'document/bad-encoding'
  | 'document/bad-version'
  | 'document/bad-id'
  | 'document/bad-key'
  | 'document/bad-structure'
  | 'document/bad-metadata'
  | 'document/too-large'
  | 'document/foreign'
  | 'document/bad-height'
  | 'document/too-new'
  | 'document/bad-parents'
  | 'document/bad-pin'
  | 'document/bad-settings'
  | 'document/bad-signature'
  | 'document/permission-denied'
  | 'document/parent-refused'
  | 'document/too-many-orphans'
  | 'document/unsynced'
  | 'document/unknown-entry'
  | 'document/unknown-database'
  | 'document/access-pending'
  | 'document/no-key'
  | 'document/store-type'
  | 'document/store-reserved'
  | 'document/bad-value'
  | 'document/bad-path'
  | 'document/not-found'
  | 'document/read-only'
  | 'document/transaction-over'
  | 'document/password'
  | 'document/user'
  | 'document/instance'
  | 'document/unreachable'
  | 'document/peer-protocol'
  | 'document/peer-refused'
  | 'document/peer-not-found'
  | 'document/peer-denied'
  | 'document/no-transport'
  | 'document/transport'
  | 'document/bad-ticket'
  | 'document/unknown-peer'
  | 'document/access-request'
  | 'document/sync-incomplete'

/** The only error class this plane throws on purpose, besides the store's own SyncError. */
export class DocumentError extends Error {
  override readonly name = 'DocumentError'
  readonly code: DocumentErrorCode

  constructor(code: DocumentErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}
