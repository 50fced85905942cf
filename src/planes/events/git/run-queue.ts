interface Entry {
  /** Monotonic. */
  nextAt: number
  attempts: number
  isRunning: boolean
  /** Asked for once more while it ran. */
  isAskedAgain: boolean
  /** Looked at once more although it was complete. */
  isRepeated: boolean
}

export interface RunQueueBounds {
  readonly maxEntries: number
  readonly initialMs: number
  readonly maxMs: number
}

/** Specs proactive §9.2. */
const defaultRunQueueBounds: RunQueueBounds = { maxEntries: 50_000, initialMs: 20_000, maxMs: 120_000 }

/**
 * Which repositories are looked at next, and when (specs proactive §9.2): a new reason only ever makes it sooner, what stays
 * incomplete is tried again after 20 s, 40 s, 80 s and then every 120 s. Each runs once at a time.
 */
export class RunQueue {
  readonly #bounds: RunQueueBounds
  readonly #entries = new Map<string, Entry>()
  #refused = 0

  constructor(bounds: RunQueueBounds = defaultRunQueueBounds) {
    this.#bounds = bounds
  }

  get size(): number {
    return this.#entries.size
  }

  get running(): number {
    return [...this.#entries.values()].filter(({ isRunning }) => isRunning).length
  }

  /** Left out for want of room; the next audit finds them. */
  get refused(): number {
    return this.#refused
  }

  /**
   * @param isRepeated what it is for may not be visible yet when its time comes, as the transaction is still open: then
   * nothing else would look again
   */
  add(key: string, now: number, delayMs: number, isRepeated = false): void {
    const entry = this.#entries.get(key)
    const nextAt = now + delayMs
    if (entry !== undefined) {
      entry.nextAt = entry.isRunning && !entry.isAskedAgain ? nextAt : Math.min(entry.nextAt, nextAt)
      entry.attempts = 0
      entry.isRepeated ||= isRepeated
      entry.isAskedAgain = entry.isRunning
    } else if (this.#entries.size < this.#bounds.maxEntries)
      this.#entries.set(key, { nextAt, attempts: 0, isRunning: false, isAskedAgain: false, isRepeated })
    else this.#refused++
  }

  /** What is due. It counts as running until `finish`. */
  take(now: number): readonly string[] {
    const due: string[] = []
    for (const [key, entry] of this.#entries) {
      if (entry.isRunning || entry.nextAt > now) continue
      entry.isRunning = true
      due.push(key)
    }
    return due
  }

  finish(key: string, isComplete: boolean, now: number): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    const { isAskedAgain } = entry
    entry.isRunning = false
    entry.isAskedAgain = false
    if (isAskedAgain) return
    if (isComplete && !entry.isRepeated) {
      this.#entries.delete(key)
      return
    }
    entry.isRepeated = false
    entry.attempts++
    entry.nextAt = now + Math.min(this.#bounds.initialMs * 2 ** (entry.attempts - 1), this.#bounds.maxMs)
  }

  /** When the next is due; undefined: nothing waits. */
  get nextAt(): number | undefined {
    let next: number | undefined
    for (const { isRunning, nextAt } of this.#entries.values())
      if (!isRunning && (next === undefined || nextAt < next)) next = nextAt
    return next
  }
}
