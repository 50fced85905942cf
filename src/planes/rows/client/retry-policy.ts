import type { Clock, Random } from '../../../kernel/clock.ts'
import { isRowsClientError, RowsClientError } from './client-error.ts'

/** How a failed request is tried again (§8.14): a delay that doubles, ± `jitter` of itself. */
export interface RequestRetryPolicy {
  /** False: one attempt. */
  readonly enabled: boolean
  /** In total, the first included. */
  readonly maxAttempts: number
  readonly initialBackoffMs: number
  readonly maxBackoffMs: number
  /** 0…1. */
  readonly jitter: number
}

const defaultRequestRetry: RequestRetryPolicy = {
  enabled: true,
  maxAttempts: 3,
  initialBackoffMs: 100,
  maxBackoffMs: 1_000,
  jitter: 0.2,
}

/** Fills in what is missing or zero, and brings the rest into range. */
export function requestRetry(given: Partial<RequestRetryPolicy> = {}): RequestRetryPolicy {
  const or = (value: number | undefined, fallback: number) =>
    value === undefined || value <= 0 ? fallback : value
  const initialBackoffMs = or(given.initialBackoffMs, defaultRequestRetry.initialBackoffMs)
  return {
    enabled: given.enabled ?? true,
    maxAttempts: or(given.maxAttempts, defaultRequestRetry.maxAttempts),
    initialBackoffMs,
    maxBackoffMs: Math.max(initialBackoffMs, or(given.maxBackoffMs, defaultRequestRetry.maxBackoffMs)),
    jitter: Math.min(1, Math.max(0, given.jitter ?? defaultRequestRetry.jitter)),
  }
}

/** Milliseconds before attempt `failures + 1`. Pure. */
export function retryDelay(
  policy: RequestRetryPolicy,
  failures: number,
  random: number,
  floorMs = 0,
): number {
  const backoff = Math.min(policy.maxBackoffMs, policy.initialBackoffMs * 2 ** Math.min(failures - 1, 30))
  return Math.max(floorMs, Math.round(backoff * (1 + policy.jitter * (2 * random - 1))))
}

/** A server that asks for more is asked again all the same: whoever called would rather hear of it than wait for hours. */
const longestHintMs = 60_000

const retryableStatus: ReadonlySet<number> = new Set([429, 502, 503, 504])

/** No answer, or one that says "not now". A refusal of ours (4xx) and a broken server (500) stay what they are. */
function isRetryable(error: unknown): boolean {
  if (isRowsClientError(error, 'rows/unreachable')) return true
  return isRowsClientError(error, 'rows/server-refused') && retryableStatus.has(error.details.status)
}

export interface RetryOptions {
  readonly policy: RequestRetryPolicy
  readonly clock: Clock
  readonly random: Random
  readonly signal: AbortSignal
}

/** @throws RowsClientError `rows/retries-exhausted`, with the last failure as its cause */
export async function retrying<T>(
  operation: string,
  { policy, clock, random, signal }: RetryOptions,
  attempt: () => Promise<T>,
): Promise<T> {
  for (let failures = 1; ; failures++) {
    try {
      return await attempt()
    } catch (error) {
      if (signal.aborted) throw signal.reason
      if (!policy.enabled || !isRetryable(error)) throw error
      if (failures >= policy.maxAttempts)
        throw new RowsClientError(
          'rows/retries-exhausted',
          `${operation} failed ${failures} times in a row, last: ${(error as Error).message}`,
          { operation, attempts: failures },
          error,
        )
      const hint = isRowsClientError(error, 'rows/server-refused') ? error.details.retryAfterMs : undefined
      const floorMs = hint === undefined ? 0 : Math.min(hint, longestHintMs)
      await clock.sleep(retryDelay(policy, failures, random(), floorMs), signal)
    }
  }
}
