/** Aborts when nothing was heard for so long; a limit without seconds never does. */
export class IdleLimit implements Disposable {
  readonly #seconds: number | undefined
  readonly #abort = new AbortController()
  #timer: NodeJS.Timeout | undefined

  constructor(seconds: number | undefined) {
    this.#seconds = seconds
    this.heard()
  }

  get signal(): AbortSignal {
    return this.#abort.signal
  }

  /** Something happened: the time begins anew. */
  heard(): void {
    clearTimeout(this.#timer)
    if (this.#seconds === undefined || this.signal.aborted) return
    this.#timer = setTimeout(() => this.#abort.abort(), this.#seconds * 1_000)
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
  }
}
