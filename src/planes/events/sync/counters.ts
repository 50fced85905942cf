import type { IngestResult } from '../ingest.ts'

/**
 * What an attempt has moved so far. Received = accepted + duplicate + rejected (E-29). Others are counted per reason:
 * `rejected.<error code>`.
 */
export class Counters {
  received = 0
  accepted = 0
  duplicate = 0
  rejected = 0
  /** Events that do not match what was asked for: dropped. */
  unsolicited = 0
  /** Ids the peer offers that were refused here before, and are not fetched again. */
  refusedBefore = 0
  /** Ids the peer offered and then did not deliver. */
  missing = 0
  uploaded = 0
  /** The peer held it already. */
  uploadDuplicate = 0
  /** Refused for good; each is a dead letter of the link. */
  uploadRefused = 0
  /** No final answer; tried again by a later attempt. */
  uploadPending = 0
  /** Syncs begun: one per attempt, and one for each that was asked for while live. */
  queryRuns = 0
  /** Live subscriptions closed and opened again on demand. */
  subscriptionRestarts = 0
  connects = 0
  /** Connections lost or never made. */
  reconnects = 0
  /** Messages of negentropy sent. */
  rounds = 0
  /** Found by a dry run: what the peer has and we lack. */
  need = 0
  /** … and what we have and the peer lacks. */
  have = 0
  readonly #rejected = new Map<string, number>()

  count({ outcome, code }: IngestResult): void {
    this.received++
    if (outcome === 'stored' || outcome === 'ephemeral') this.accepted++
    else if (outcome === 'duplicate') this.duplicate++
    else {
      this.rejected++
      const reason = `rejected.${code ?? outcome}`
      this.#rejected.set(reason, (this.#rejected.get(reason) ?? 0) + 1)
    }
  }

  snapshot(): Readonly<Record<string, number>> {
    return { ...this, ...Object.fromEntries(this.#rejected) }
  }
}
