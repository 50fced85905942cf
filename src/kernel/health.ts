/** How a peer has been treating us, kept across restarts. What concerns one of its links alone is in that link's run. */
export interface HealthRecord {
  /** Since it last held for long enough; several links that fail together count once. */
  readonly consecutiveFailures: number
  /** Of that row of failures. */
  readonly firstFailureAt: number | undefined
  readonly lastSuccessAt: number | undefined
  readonly lastFailureAt: number | undefined
  /** Wall ms before which none of its links is tried again by itself. */
  readonly notBefore: number | undefined
  /** What went wrong last, in words for people; kept after recovery so that history stays explainable. */
  readonly lastError: { readonly code: string; readonly message: string; readonly at: number } | undefined
}

export type HealthEvent =
  /** `stable`: it held long enough to be well again; otherwise it answered, and may hang up the next moment. */
  | { readonly kind: 'success'; readonly at: number; readonly stable: boolean }
  | { readonly kind: 'failure'; readonly at: number; readonly code: string; readonly message: string }
  /** A person wants it tried at once. */
  | { readonly kind: 'forgiven' }

export const unknownHealth: HealthRecord = {
  consecutiveFailures: 0,
  firstFailureAt: undefined,
  lastSuccessAt: undefined,
  lastFailureAt: undefined,
  notBefore: undefined,
  lastError: undefined,
}

/** Pure: the record after one more observation. When to try again after a failure is set by who knows the policy. */
export function observe(health: HealthRecord, event: HealthEvent): HealthRecord {
  const well = { consecutiveFailures: 0, firstFailureAt: undefined, notBefore: undefined }
  if (event.kind === 'forgiven') return { ...health, ...well }
  if (event.kind === 'success')
    return { ...health, ...(event.stable ? well : { notBefore: undefined }), lastSuccessAt: event.at }
  const { at, code, message } = event
  const lastError = { code, message, at }
  // Another link of a peer that is known to be away fails for the same reason.
  if (health.notBefore !== undefined && at < health.notBefore) return { ...health, lastError }
  return {
    ...health,
    consecutiveFailures: health.consecutiveFailures + 1,
    firstFailureAt: health.firstFailureAt ?? at,
    lastFailureAt: at,
    lastError,
  }
}
