/**
 * What an attempt was asked to do beyond coming up to date, in the plane's own words (`full`, `upload` …). Asking twice
 * for the same before the plane looked is asking once: any number of impatient callers costs one more round.
 */
export class Triggers {
  /** Each with its number, which grows; asked again, a word keeps its place. */
  readonly #words = new Map<string, number>()
  #last = 0
  #wake: () => void = () => {}

  add(word: string): void {
    if (!this.#words.has(word)) this.#words.set(word, ++this.#last)
    this.#wake()
  }

  /** Takes all that was asked since the last call, oldest first. */
  take(): readonly string[] {
    const words = [...this.#words.keys()]
    this.#words.clear()
    return words
  }

  /** The word that waits longest. */
  get next(): string | undefined {
    return this.#words.keys().next().value
  }

  /** The number of the last word added so far. */
  get last(): number {
    return this.#last
  }

  /** Forgets what was asked up to that number: nobody will take it. */
  drop(last: number): void {
    for (const [word, number] of this.#words) if (number <= last) this.#words.delete(word)
  }

  /** Resolves when there is something to take. One waiter at a time. @throws the signal's reason */
  async wait(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.#words.size > 0) return
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    this.#wake = resolve
    try {
      await promise
    } finally {
      signal.removeEventListener('abort', onAbort)
      this.#wake = () => {}
    }
  }
}
