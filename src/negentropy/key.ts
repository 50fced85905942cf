/** The order of every reconciled set: timestamp ascending, then id bytes ascending. */
export interface Key {
  /** 0 … 2^53−1; for events `created_at`, for documents the height. */
  readonly timestamp: number
  /** 64 lowercase hex (32 bytes). */
  readonly id: string
}
