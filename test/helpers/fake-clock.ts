import type { Clock } from '../../src/kernel/clock.ts'

interface Timer {
  readonly at: number
  readonly order: number
  readonly fire: () => void
}

/** A clock that stands still until it is told otherwise, so that a test decides what happens before what. */
export class FakeClock implements Clock {
  #wall: number
  #monotonic = 0
  #order = 0
  readonly #timers = new Set<Timer>()

  /** @param wall milliseconds since 1970 at which `now()` starts */
  constructor(wall = Date.UTC(2026, 0, 1)) {
    this.#wall = wall
  }

  now(): number {
    return this.#wall
  }

  monotonic(): number {
    return this.#monotonic
  }

  /** How many sleeps are waiting: 0 after everything was disposed of, or something leaks. */
  get sleeping(): number {
    return this.#timers.size
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const onAbort = () => {
        this.#timers.delete(timer)
        reject(signal?.reason)
      }
      const fire = () => {
        this.#timers.delete(timer)
        signal?.removeEventListener('abort', onAbort)
        resolve()
      }
      const timer: Timer = { at: this.#monotonic + Math.max(0, ms), order: this.#order++, fire }
      this.#timers.add(timer)
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  }

  /** Moves both clocks on by `ms`, waking sleepers in order; what each of them starts has run before the next wakes. */
  async advance(ms: number): Promise<void> {
    const end = this.#monotonic + ms
    await settle()
    for (;;) {
      const next = this.#next(end)
      if (next === undefined) break
      this.#moveTo(next.at)
      next.fire()
      await settle()
    }
    this.#moveTo(end)
    await settle()
  }

  /** Moves the wall clock alone, as an administrator or NTP does. Nobody wakes. */
  jump(ms: number): void {
    this.#wall += ms
  }

  #next(end: number): Timer | undefined {
    let next: Timer | undefined
    for (const timer of this.#timers) {
      if (timer.at > end) continue
      if (next === undefined || timer.at < next.at || (timer.at === next.at && timer.order < next.order))
        next = timer
    }
    return next
  }

  #moveTo(monotonic: number): void {
    this.#wall += monotonic - this.#monotonic
    this.#monotonic = monotonic
  }
}

/** Resolves once every promise that could settle without a timer or I/O has done so. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
