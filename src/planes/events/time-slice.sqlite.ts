import type { Clock } from '../../kernel/clock.ts'

/** Half of the shortest pause a person or a heartbeat would notice; leaves room for what one batch takes beyond it. */
const sliceMs = 8

/**
 * Keeps long reads from blocking the event loop: `if (slice.spent) await slice.rest()` between two batches.
 *
 * `setTimeout` and promises are not enough here: only the macrotask after I/O lets sockets and timers run.
 */
export class TimeSlice {
  readonly #clock: Clock
  #startedAt: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#startedAt = clock.monotonic()
  }

  get spent(): boolean {
    return this.#clock.monotonic() - this.#startedAt >= sliceMs
  }

  async rest(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve))
    this.#startedAt = this.#clock.monotonic()
  }
}
