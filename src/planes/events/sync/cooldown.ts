import type { Clock } from '../../../kernel/clock.ts'

/** A minute, which is what most relays count by, and a margin (specs proactive §7.3). */
const restMs = 65_000
/** Whoever waits says so that often: it is no silence of the peer. */
const sliceMs = 30_000

/** A NOTICE belongs to no request, and relays have no common words for this one. */
function asksToSlowDown(notice: string): boolean {
  const text = notice.toLowerCase()
  const limited = text.includes('rate') && text.includes('limit')
  return limited || ['too many', 'slow down', 'throttl'].some((words) => text.includes(words))
}

/**
 * The rest a relay is given that asked for one by NOTICE: nothing is asked of it meanwhile, what is open stays open, and
 * what waits is asked once it is over. It outlives the connection, or hanging up would be the way to go on at once.
 */
export class Cooldown {
  readonly #clock: Clock
  #until = Number.NEGATIVE_INFINITY

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Answers whether the notice asks for a rest, which then begins anew. */
  heard(notice: string): boolean {
    if (!asksToSlowDown(notice)) return false
    this.#until = this.#clock.monotonic() + restMs
    return true
  }

  get isOver(): boolean {
    return this.#leftMs() <= 0
  }

  /** @throws the signal's reason */
  async pass(signal: AbortSignal, alive: () => void): Promise<void> {
    for (let left = this.#leftMs(); left > 0; left = this.#leftMs()) {
      await this.#clock.sleep(Math.min(left, sliceMs), signal)
      alive()
    }
  }

  #leftMs(): number {
    return this.#until - this.#clock.monotonic()
  }
}
