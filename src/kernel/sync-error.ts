/**
 * The closed set of codes. Each is documented in docs/reference/errors.md with its cause and what to do.
 *
 * - `peer/unreachable`  no connection, connection lost, or silent for too long. Tried again.
 * - `peer/rejected`     the peer refuses us for good: wrong certificate, wrong identity, credentials. A person acts.
 * - `peer/busy`         the peer asked us to slow down. Tried again after its own delay.
 * - `peer/protocol`     the peer broke its protocol. Tried again, slowly.
 * - `data/invalid`      input that can never be accepted.
 * - `store/busy`        the store is locked or at its limit. Tried again.
 * - `store/full`        no space left. Tried again; nothing acknowledged is lost.
 * - `store/corrupt`     the store contradicts itself. A person acts.
 * - `store/newer`       a newer version wrote the store; it was left untouched. A person acts.
 * - `store/io`          the system failed to read or write the store. Tried again.
 * - `lease/lost`        another worker owns this link now; whatever was not committed belongs to it.
 * - `config/invalid`    a definition, flag or file is wrong. A person acts.
 * - `internal/bug`      a state this program should never reach.
 */
export type SyncErrorCode =
  | 'peer/unreachable'
  | 'peer/rejected'
  | 'peer/busy'
  | 'peer/protocol'
  | 'data/invalid'
  | 'store/busy'
  | 'store/full'
  | 'store/corrupt'
  | 'store/newer'
  | 'store/io'
  | 'lease/lost'
  | 'config/invalid'
  | 'internal/bug'

const retryableByDefault: Readonly<Record<SyncErrorCode, boolean>> = {
  'peer/unreachable': true,
  'peer/rejected': false,
  'peer/busy': true,
  'peer/protocol': true,
  'data/invalid': false,
  'store/busy': true,
  'store/full': true,
  'store/corrupt': false,
  'store/newer': false,
  'store/io': true,
  'lease/lost': true,
  'config/invalid': false,
  'internal/bug': false,
}

export interface SyncErrorOptions {
  readonly cause?: unknown
  readonly retryable?: boolean
  /** The peer's own hint (Retry-After, `rate-limited:`), milliseconds; a floor for the next attempt. */
  readonly retryAfterMs?: number
}

/** The only error class planes throw on purpose. The message says what happened, why, and what to do. */
export class SyncError extends Error {
  override readonly name = 'SyncError'
  readonly code: SyncErrorCode
  readonly retryable: boolean
  readonly retryAfterMs: number | undefined

  constructor(code: SyncErrorCode, message: string, options: SyncErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.retryable = options.retryable ?? retryableByDefault[code]
    this.retryAfterMs = options.retryAfterMs
  }
}
