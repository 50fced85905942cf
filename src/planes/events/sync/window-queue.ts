import type { Interval } from './coverage.ts'

export interface WindowSizes {
  /** Seconds of the first window. */
  readonly first: number
  /** Windows are not halved below this. */
  readonly least: number
}

/** What a window cost: nothing differed and the answer came quickly; little differed; neither. */
export type WindowCost = 'same' | 'cheap' | 'dear'

/** So many cheap windows in a row make the next ones twice as large. */
const streak = 3
/** A link of one thread has a handful of events in all of time: looking at it week by week would be its whole cost. */
const growth = 8

/**
 * Cuts what is to be compared into windows, newest first (spec events §5.17): a window refused for its size is halved, and
 * windows grow while they turn out cheap, so that years in which nothing differs cost a handful of messages.
 */
export class WindowQueue {
  readonly #ranges: Interval[]
  readonly #least: number
  #size: number
  #cheap = 0

  /** @param ranges newest first, disjoint */
  constructor(ranges: readonly Interval[], { first, least }: WindowSizes) {
    this.#ranges = ranges.toReversed()
    this.#least = least
    this.#size = Math.max(first, least)
  }

  /** The next window; undefined when nothing is left. */
  next(): Interval | undefined {
    const range = this.#ranges.pop()
    if (range === undefined) return undefined
    const [from, to] = range
    const start = Math.max(from, to - this.#size + 1)
    if (start > from) this.#ranges.push([from, start - 1])
    return [start, to]
  }

  /** The newest range as a whole, or its newest `seconds`: for ways that cut it into pages themselves. */
  rest(seconds?: number): Interval | undefined {
    const range = this.#ranges.pop()
    if (range === undefined || seconds === undefined || range[1] - range[0] < seconds) return range
    const [from, to] = range
    this.#ranges.push([from, to - seconds])
    return [to - seconds + 1, to]
  }

  /** To be compared again as it is. */
  again([from, to]: Interval): void {
    const older = this.#ranges.at(-1)
    // What was cut off it is joined to it again: for another way of looking they are one question.
    if (older?.[1] === from - 1) this.#ranges.pop()
    this.#ranges.push([older?.[1] === from - 1 ? older[0] : from, to])
  }

  succeeded(cost: WindowCost): void {
    this.#cheap = cost === 'cheap' ? this.#cheap + 1 : 0
    const factor = cost === 'same' ? growth : this.#cheap < streak ? 1 : 2
    if (factor > 1) this.#cheap = 0
    // Beyond all of time there is nothing to grow into.
    this.#size = Math.min(this.#size * factor, Number.MAX_SAFE_INTEGER)
  }

  /** The peer refuses a window of this size. False when it cannot be any smaller: the window is no longer in the queue. */
  refused(window: Interval): boolean {
    this.#cheap = 0
    const size = window[1] - window[0] + 1
    if (size <= this.#least) return false
    this.#size = Math.max(this.#least, Math.floor(size / 2))
    this.again(window)
    return true
  }
}
