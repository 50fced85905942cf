/** When to try again after a failure. */
export interface RetryPolicy {
  readonly initialMs: number
  readonly maxMs: number
  readonly factor: number
  /** Undefined: never give up. */
  readonly maxAttempts: number | undefined
}

/** 1 s doubling to 5 min, for ever: a peer that was down for a week is found again without anybody's help. */
export const defaultRetryPolicy: RetryPolicy = {
  initialMs: 1_000,
  maxMs: 300_000,
  factor: 2,
  maxAttempts: undefined,
}

/**
 * Full jitter over an exponential ceiling, with the peer's own hint as a floor.
 *
 * @param attempt 1 for the delay after the first failure
 * @param random  uniform in [0, 1)
 * @param floorMs the peer's Retry-After; never undercut, also beyond `maxMs`
 * @returns milliseconds, or undefined when the policy gives up
 */
export function nextDelay(
  policy: RetryPolicy,
  attempt: number,
  random: number,
  floorMs = 0,
): number | undefined {
  if (policy.maxAttempts !== undefined && attempt > policy.maxAttempts) return undefined
  // The exponent is capped before the power, or attempt 2,000 would become Infinity × 0 = NaN.
  const ceiling = Math.min(policy.maxMs, policy.initialMs * policy.factor ** Math.min(attempt - 1, 64))
  return Math.max(floorMs, Math.floor(ceiling * random))
}
