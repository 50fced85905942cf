/** When to try again after a failure. */
export interface RetryPolicy {
  readonly initialMs: number
  readonly maxMs: number
  readonly factor: number
  /** Undefined: never give up. */
  readonly maxAttempts: number | undefined
  /** The part of a delay that chance leaves as it is, 0 to 1. */
  readonly leastShare: number
  /** The lane of failures that trying again soon does not help, and of all from the one in a row numbered `after` on. */
  readonly slow: { readonly initialMs: number; readonly maxMs: number; readonly after: number | undefined }
  /** Only a connection that held so long proves that a peer is well: one that hangs up at once keeps climbing. */
  readonly stableMs: number
  /** A peer without any success for `afterMs` is asked once in `everyMs`. Undefined: no such rule. */
  readonly dead?: { readonly afterMs: number; readonly everyMs: number } | undefined
}

/**
 * 1 s doubling to 5 min, for ever: a peer that was down for a week is found again without anybody's help. The slow lane
 * doubles from 5 min to an hour.
 */
export const defaultRetryPolicy: RetryPolicy = {
  initialMs: 1_000,
  maxMs: 300_000,
  factor: 2,
  maxAttempts: undefined,
  leastShare: 0.5,
  slow: { initialMs: 300_000, maxMs: 3_600_000, after: undefined },
  stableMs: 60_000,
}

/**
 * An exponential ceiling, of which chance takes off a part, with the peer's own hint as a floor.
 *
 * @param attempt 1 for the delay after the first failure
 * @param random  uniform in [0, 1)
 * @param floorMs the peer's Retry-After; never undercut, also beyond `maxMs`
 * @param slowly  in the slow lane, whatever the number of failures
 * @returns milliseconds, or undefined when the policy gives up
 */
export function nextDelay(
  policy: RetryPolicy,
  attempt: number,
  random: number,
  floorMs = 0,
  slowly = false,
): number | undefined {
  const { maxAttempts, leastShare, slow } = policy
  if (maxAttempts !== undefined && attempt > maxAttempts) return undefined
  const late = slow.after !== undefined && attempt >= slow.after
  const { initialMs, maxMs } = slowly || late ? slow : policy
  const doublings = late && !slowly ? attempt - (slow.after ?? 0) : attempt - 1
  // The exponent is capped before the power, or attempt 2,000 would become Infinity × 0 = NaN.
  const ceiling = Math.min(maxMs, initialMs * policy.factor ** Math.min(doublings, 64))
  return Math.max(floorMs, Math.floor(ceiling * (leastShare + (1 - leastShare) * random)))
}
