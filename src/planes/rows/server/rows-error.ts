import type { PushConflict, PushRejection } from '../wire/error.ts'
import type { WireErrorCode } from '../wire/error-code.ts'

/** Codes that only callers in the same process see; the others are those of the wire. */
export type ServiceErrorCode =
  | 'unsupported_schema'
  | 'bundle_source_invalid'
  | 'scope_write_invalid'
  | 'scope_write_no_captured_changes'
  | 'configuration_invalid'
  | 'drain_timeout'

export type RowsErrorCode = WireErrorCode | ServiceErrorCode

/** What some errors say beside their message. The first group is sent to clients, the second is for hosts. */
export interface RowsErrorDetails {
  readonly conflict?: PushConflict
  readonly rejection?: PushRejection
  readonly source_id?: string
  readonly replaced_by_source_id?: string
  readonly dimension?: 'row_count' | 'byte_count'
  readonly actual?: number
  readonly limit?: number

  /** Of `scope_initializing`: when the other source's right to seed ends. */
  readonly leaseExpiresAt?: string
  /** Of `push_chunk_out_of_order`. */
  readonly expectedRowOrdinal?: number
  readonly actualRowOrdinal?: number
  /** Of `history_pruned` for a source tuple: what that source committed last. */
  readonly maxCommittedSourceBundleId?: number
  /** Of `history_pruned` for a checkpoint or a bundle: that one, and the last one that is gone. */
  readonly providedBundleSeq?: number
  readonly retainedBundleFloor?: number
  /** Of 429 and 503: seconds to wait before trying again. */
  readonly retryAfterSeconds?: number
}

/** The only error that the service throws on purpose. Branch on `code`; the message is for people. */
export class RowsError extends Error {
  override readonly name = 'RowsError'
  readonly code: RowsErrorCode
  readonly details: RowsErrorDetails

  constructor(code: RowsErrorCode, message: string, details: RowsErrorDetails = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.details = details
  }
}
