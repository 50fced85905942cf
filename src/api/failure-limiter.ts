import type { Clock } from '../kernel/clock.ts'

export interface FailureLimiterOptions {
  readonly clock: Pick<Clock, 'monotonic'>
  /** Failures of one address within a window; further ones are over the limit. */
  readonly max?: number
  readonly windowMs?: number
}

interface Window {
  readonly since: number
  count: number
}

/** Addresses remembered; beyond it the oldest window is forgotten. */
const maxAddresses = 10_000

/** Counts failed authentications per address (spec events §4.5: ten a minute). */
export class FailureLimiter {
  readonly #clock: Pick<Clock, 'monotonic'>
  readonly #max: number
  readonly #windowMs: number
  /** In the order in which their windows began. */
  readonly #windows = new Map<string, Window>()

  constructor({ clock, max = 10, windowMs = 60_000 }: FailureLimiterOptions) {
    this.#clock = clock
    this.#max = max
    this.#windowMs = windowMs
  }

  /** Notes a failure. Undefined: within the limit; else ms until the window ends. */
  failed(address: string): number | undefined {
    const now = this.#clock.monotonic()
    this.#forget(now)
    const window = this.#windows.get(address) ?? { since: now, count: 0 }
    window.count++
    this.#windows.set(address, window)
    return window.count <= this.#max ? undefined : window.since + this.#windowMs - now
  }

  #forget(now: number): void {
    for (const [address, { since }] of this.#windows) {
      if (since + this.#windowMs > now && this.#windows.size < maxAddresses) return
      this.#windows.delete(address)
    }
  }
}
