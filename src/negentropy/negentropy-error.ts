/**
 * The closed set of codes.
 *
 * - `negentropy/malformed`            a message breaks the wire format; close the session, nothing was changed
 * - `negentropy/unsupported-version`  the peer speaks another version and there is none to fall back to
 * - `negentropy/no-progress`          the peer keeps the session busy without telling anything new
 * - `negentropy/too-many-ids`         the peer listed more ids than `maxNeed`
 * - `negentropy/out-of-order`         a call the session does not expect: step before initiate, or after its end
 * - `negentropy/invalid-item`         a timestamp outside 0 … 2^53−1, an id that is not 32 bytes, a duplicate
 * - `negentropy/invalid-option`       an option outside its range
 * - `negentropy/invalid-change`       changes handed to the index contradict each other
 * - `negentropy/snapshot-expired`     more changed under a snapshot than the journal may remember; take a new one
 * - `negentropy/corrupt-index`        the index and the rows under it disagree; rebuild it
 */
export type NegentropyErrorCode =
  | 'negentropy/malformed'
  | 'negentropy/unsupported-version'
  | 'negentropy/no-progress'
  | 'negentropy/too-many-ids'
  | 'negentropy/out-of-order'
  | 'negentropy/invalid-item'
  | 'negentropy/invalid-option'
  | 'negentropy/invalid-change'
  | 'negentropy/snapshot-expired'
  | 'negentropy/corrupt-index'

/** Everything this package throws on purpose. */
export class NegentropyError extends Error {
  override readonly name = 'NegentropyError'
  readonly code: NegentropyErrorCode

  constructor(code: NegentropyErrorCode, message: string) {
    super(message)
    this.code = code
  }
}

export function malformed(what: string): NegentropyError {
  return new NegentropyError('negentropy/malformed', `malformed negentropy message: ${what}`)
}
