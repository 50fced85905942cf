import type { Clock } from '../../../kernel/clock.ts'

/** A rate: `perSecond` on average, `burst` at once. */
export interface Rate {
  readonly perSecond: number
  readonly burst: number
}

/**
 * Counts what is spent against a rate. Runs on the monotonic clock, so a jump of the wall clock neither empties it nor
 * fills it (promise K13).
 */
export class TokenBucket {
  readonly #rate: Rate
  readonly #clock: Clock
  #tokens: number
  #at: number

  constructor(rate: Rate, clock: Clock) {
    this.#rate = rate
    this.#clock = clock
    this.#tokens = rate.burst
    this.#at = clock.monotonic()
  }

  /** Spends `cost` when it is there; false leaves the bucket as it is. */
  tryTake(cost = 1): boolean {
    this.#refill()
    if (this.#tokens < cost) return false
    this.#tokens -= cost
    return true
  }

  /**
   * Spends `cost` in any case and answers the milliseconds until the debt is paid, 0 when there is none. The debt never
   * exceeds one burst: a punished peer is slowed down for a bounded time, not locked out.
   */
  take(cost = 1): number {
    this.#refill()
    this.#tokens = Math.max(this.#tokens - cost, -this.#rate.burst)
    return this.#tokens >= 0 ? 0 : Math.ceil((-this.#tokens / this.#rate.perSecond) * 1_000)
  }

  /** Nothing was spent lately: forgetting this bucket loses nothing. */
  get full(): boolean {
    this.#refill()
    return this.#tokens >= this.#rate.burst
  }

  #refill(): void {
    const now = this.#clock.monotonic()
    this.#tokens = Math.min(
      this.#rate.burst,
      this.#tokens + ((now - this.#at) / 1_000) * this.#rate.perSecond,
    )
    this.#at = now
  }
}
