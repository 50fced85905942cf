import type { Clock } from './clock.ts'

/** A reason of its own: without one a DOMException with its stack is made for every wait. */
const disposed = new Error('the watchdog was disposed of')

/**
 * Calls `onIdle` once nobody called `alive()` for `idleMs`. Without it a half-open connection blocks a link for ever
 * while everything looks healthy.
 */
export class Watchdog implements Disposable {
  readonly #clock: Clock
  readonly #idleMs: number
  readonly #stop = new AbortController()
  #lastSign: number
  #suspended = false

  constructor(clock: Clock, idleMs: number, onIdle: () => void) {
    this.#clock = clock
    this.#idleMs = idleMs
    this.#lastSign = clock.monotonic()
    // The only rejection is the stop signal's, which is how disposing ends the loop.
    this.#watch(onIdle).catch(() => {})
  }

  alive(): void {
    this.#lastSign = this.#clock.monotonic()
  }

  /** A live link may rightly hear nothing for hours; there the transport's keepalive tells a dead line. */
  suspend(suspended: boolean): void {
    if (this.#suspended && !suspended) this.alive()
    this.#suspended = suspended
  }

  [Symbol.dispose](): void {
    this.#stop.abort(disposed)
  }

  async #watch(onIdle: () => void): Promise<void> {
    for (;;) {
      const silentMs = this.#suspended ? 0 : this.#clock.monotonic() - this.#lastSign
      if (silentMs >= this.#idleMs) return onIdle()
      await this.#clock.sleep(this.#idleMs - silentMs, this.#stop.signal)
    }
  }
}
