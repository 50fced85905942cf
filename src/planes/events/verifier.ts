import type { NostrEvent } from './event.ts'

/**
 * Checks BIP-340 signatures off the main thread, in batches.
 *
 * The contract: verdicts equal those of single verification, in input order; one bad signature never changes the
 * verdict of another; work queued beyond `maxPending` makes callers wait instead of growing a buffer.
 */
export interface Verifier extends AsyncDisposable {
  /** One verdict per event: is `sig` a valid signature of `id` by `pubkey`? The id itself must have been checked. */
  verify(
    events: readonly Pick<NostrEvent, 'id' | 'pubkey' | 'sig'>[],
    signal?: AbortSignal,
  ): Promise<boolean[]>
}
