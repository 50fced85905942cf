import type { Clock, Random } from '../../../kernel/clock.ts'

export interface PaceOptions {
  readonly clock: Clock
  readonly random: Random
  readonly signal: AbortSignal
  /** Called while it waits, so that waiting is not taken for silence. */
  readonly alive: () => void
}

const firstPauseMs = 5_000
const longestPauseMs = 300_000
/** More pauses in a row than this: the attempt leaves the rest to the next one. */
const maxPauses = 8
const sliceMs = 30_000

/** Slows one link down while its relay says `rate-limited:`: twice as long each time, back to full speed after a success. */
export class Pace {
  readonly #options: PaceOptions
  #pauses = 0

  constructor(options: PaceOptions) {
    this.#options = options
  }

  /** False, without waiting, when that was once too often. */
  async pause(): Promise<boolean> {
    if (this.#pauses >= maxPauses) return false
    const { clock, random, signal, alive } = this.#options
    const ceiling = Math.min(longestPauseMs, firstPauseMs * 2 ** this.#pauses++)
    const until = clock.monotonic() + ceiling * (0.5 + random() / 2)
    for (let left = until - clock.monotonic(); left > 0; left = until - clock.monotonic()) {
      await clock.sleep(Math.min(left, sliceMs), signal)
      alive()
    }
    return true
  }

  ease(): void {
    this.#pauses = 0
  }
}
