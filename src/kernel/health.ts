/** How a peer has been treating us, kept across restarts. */
export interface HealthRecord {
  readonly consecutiveFailures: number
  readonly lastSuccessAt: number | undefined
  readonly lastFailureAt: number | undefined
  /** What went wrong last, in words for people; kept after recovery so that history stays explainable. */
  readonly lastError: { readonly code: string; readonly message: string; readonly at: number } | undefined
}

export type HealthEvent =
  | { readonly kind: 'success'; readonly at: number }
  | { readonly kind: 'failure'; readonly at: number; readonly code: string; readonly message: string }

export const unknownHealth: HealthRecord = {
  consecutiveFailures: 0,
  lastSuccessAt: undefined,
  lastFailureAt: undefined,
  lastError: undefined,
}

/** Pure: the record after one more attempt. */
export function observe(health: HealthRecord, event: HealthEvent): HealthRecord {
  if (event.kind === 'success') return { ...health, consecutiveFailures: 0, lastSuccessAt: event.at }
  const { at, code, message } = event
  return {
    ...health,
    consecutiveFailures: health.consecutiveFailures + 1,
    lastFailureAt: at,
    lastError: { code, message, at },
  }
}

export type HealthState = 'unknown' | 'healthy' | 'failing' | 'down'

/** `failing` from the first failure in a row, `down` from the fifth. */
export function healthState(health: HealthRecord): HealthState {
  if (health.consecutiveFailures >= 5) return 'down'
  if (health.consecutiveFailures > 0) return 'failing'
  return health.lastSuccessAt === undefined ? 'unknown' : 'healthy'
}
