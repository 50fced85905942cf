/** What one received message led to. */
export interface ReconcileStep {
  /** The answer to send. Undefined: reconciliation is done (initiator only; a responder always answers). */
  readonly reply: Uint8Array | undefined
  /** Initiator: ids we hold and the peer lacks, each reported once per session. Empty for a responder. */
  readonly have: readonly string[]
  /** Initiator: ids the peer holds and we lack, each reported once per session. Empty for a responder. */
  readonly need: readonly string[]
}
