/**
 * The closed set of codes. Each is documented in docs/reference/errors.md with its cause and what to do.
 *
 * - `peer/unreachable`  no connection, connection lost, or silent for too long. Tried again.
 * - `peer/rejected`     the peer refuses us for good: wrong certificate, wrong identity, credentials. A person acts; tried
 *                       again in the slow lane, as what a person does on the other side is not told to us.
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

/** `slowly`: not before some minutes, as trying again is not what is missing. */
export type RetryPace = 'soon' | 'slowly' | 'never'

const paceByDefault: Readonly<Record<SyncErrorCode, RetryPace>> = {
  'peer/unreachable': 'soon',
  'peer/rejected': 'slowly',
  'peer/busy': 'soon',
  'peer/protocol': 'soon',
  'data/invalid': 'never',
  'store/busy': 'soon',
  'store/full': 'soon',
  'store/corrupt': 'never',
  'store/newer': 'never',
  'store/io': 'soon',
  'lease/lost': 'soon',
  'config/invalid': 'never',
  'internal/bug': 'never',
}

export interface SyncErrorOptions {
  readonly cause?: unknown
  /** True: soon; false: never. Default: as the code says. */
  readonly retryable?: boolean
  /** The same with all its shades; counts before `retryable`. */
  readonly retry?: RetryPace
  /** What went wrong by a finer name than the code has, in the words of whoever threw it: `pin_mismatch`. */
  readonly fault?: string
  /** It concerns what one link asked for: the peer is well, and its other links are not held back. */
  readonly linkOnly?: boolean
  /** The peer's own hint (Retry-After, `rate-limited:`), milliseconds; a floor for the next attempt. */
  readonly retryAfterMs?: number
}

/** The only error class planes throw on purpose. The message says what happened, why, and what to do. */
export class SyncError extends Error {
  override readonly name = 'SyncError'
  readonly code: SyncErrorCode
  readonly retry: RetryPace
  readonly fault: string | undefined
  /** Default: all but what a peer did or did not do. */
  readonly linkOnly: boolean
  readonly retryAfterMs: number | undefined

  constructor(code: SyncErrorCode, message: string, options: SyncErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    const { retryable } = options
    this.retry =
      options.retry ?? (retryable === undefined ? paceByDefault[code] : retryable ? 'soon' : 'never')
    this.fault = options.fault
    this.linkOnly = options.linkOnly ?? !code.startsWith('peer/')
    this.retryAfterMs = options.retryAfterMs
  }
  get retryable(): boolean {
    return this.retry !== 'never'
  }
}
