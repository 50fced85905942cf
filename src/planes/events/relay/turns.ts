import type { Clock } from '../../../kernel/clock.ts'

/** Work done in one turn of the event loop, before sockets and timers get theirs. */
const sliceMs = 5

/**
 * Shares the event loop among connections: reading a page and sending it is a few milliseconds without a break, and
 * hundreds of readers become ready at once. Whoever takes a turn goes on at once while the slice lasts, else in order of
 * arrival in a later turn of the loop (promise K9).
 */
export class Turns {
  readonly #clock: Pick<Clock, 'monotonic'>
  readonly #waiting: (() => void)[] = []
  #sliceStart: number | undefined

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock
  }

  /** Undefined: go on now, without an `await`. Else resolves when it is your turn. */
  take(): Promise<void> | undefined {
    if (this.#sliceStart === undefined) this.#begin()
    if (this.#waiting.length === 0 && !this.#spent) return undefined
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  get #spent(): boolean {
    return this.#sliceStart !== undefined && this.#clock.monotonic() - this.#sliceStart >= sliceMs
  }

  #begin(): void {
    this.#sliceStart = this.#clock.monotonic()
    setImmediate(() => {
      this.#sliceStart = undefined
      if (this.#waiting.length > 0) void this.#next()
    })
  }

  async #next(): Promise<void> {
    this.#begin()
    while (this.#waiting.length > 0 && !this.#spent) {
      this.#waiting.shift()?.()
      // What was woken has run up to its next wait when this goes on.
      await undefined
    }
  }
}
