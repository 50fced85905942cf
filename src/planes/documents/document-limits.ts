/** What one entry, one database and one node may cost. Beyond, input is refused before it costs anything. */
export interface DocumentLimits {
  /** Bytes of one encoded entry. */
  readonly maxEntryBytes: number
  /** Ids in one list of parents. A database with more tips is joined by several entries. */
  readonly maxParents: number
  /** Stores one entry takes part in. */
  readonly maxStoresPerEntry: number
  /** Stores of one database. */
  readonly maxStores: number
  /** Entries of one database that wait for their parents, or for a database their authority comes from. */
  readonly maxHeld: number
  /** Entries of one database that were held and then failed; the oldest go first. */
  readonly maxFailed: number
  /** How far a timestamp height may lie ahead of the wall clock, milliseconds. */
  readonly maxAheadMs: number
}

export const defaultDocumentLimits: DocumentLimits = {
  maxEntryBytes: 1024 * 1024,
  maxParents: 1_024,
  maxStoresPerEntry: 256,
  maxStores: 4_096,
  maxHeld: 10_000,
  maxFailed: 1_000,
  maxAheadMs: 10 * 60_000,
}

/** Steps of one delegation path, and tips claimed per step. */
export const maxDelegationSteps = 10
export const maxDelegationTips = 64

/** Nesting of one document value. Merging walks it recursively, so it must be far below the stack. */
export const maxValueDepth = 100
