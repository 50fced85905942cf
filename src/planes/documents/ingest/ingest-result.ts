import type { DocumentErrorCode } from '../document-error.ts'
import type { DatabaseId, EntryId } from '../entry/entry-id.ts'
import type { CanonicalKey } from '../storage/document-storage.ts'

/**
 * What became of one entry.
 *
 * - `verified`  stored, and read from now on
 * - `held`      stored until what it waits for arrives; not read, not served
 * - `duplicate` was here already, whatever its status
 * - `refused`   not stored, with the reason
 */
export type IngestOutcome =
  | { readonly kind: 'verified'; readonly id: EntryId }
  | { readonly kind: 'held'; readonly id: EntryId }
  | { readonly kind: 'duplicate'; readonly id: EntryId }
  | {
      readonly kind: 'refused'
      /** Undefined when the bytes are no entry. */
      readonly id: EntryId | undefined
      readonly code: DocumentErrorCode
      readonly message: string
    }

/** A database whose frontier an ingest moved. */
export interface Advance {
  readonly database: DatabaseId
  readonly before: readonly EntryId[]
  readonly after: readonly EntryId[]
  /** Every entry that became readable, in the order in which it did. */
  readonly verified: readonly CanonicalKey[]
}

export interface IngestResult {
  /** In the order of the entries that were handed in. */
  readonly outcomes: readonly IngestOutcome[]
  /** Held entries that became readable because of these. */
  readonly released: readonly EntryId[]
  /** Held entries that turned out to be bad. */
  readonly failed: readonly EntryId[]
  readonly advances: readonly Advance[]
}
