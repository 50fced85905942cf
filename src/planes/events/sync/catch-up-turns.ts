/**
 * Lets so many links catch up at once; the others wait in order of arrival. Those of one relay wait for each other before they
 * wait, as one, for those of other relays (`all`): so a relay with many links gets no more of the whole than any other.
 */
export class CatchUpTurns {
  #free: number
  readonly #all: CatchUpTurns | undefined
  readonly #waiting: (() => void)[] = []

  constructor(atOnce: number, all?: CatchUpTurns) {
    this.#free = atOnce
    this.#all = all
  }

  /** Dispose the answer when caught up. @throws the signal's reason */
  async take(signal: AbortSignal): Promise<Disposable> {
    signal.throwIfAborted()
    if (this.#free > 0) this.#free -= 1
    else await this.#wait(signal)
    using own = new DisposableStack()
    own.defer(() => {
      const next = this.#waiting.shift()
      if (next === undefined) this.#free += 1
      else next()
    })
    if (this.#all !== undefined) own.use(await this.#all.take(signal))
    return own.move()
  }

  #wait(signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const onAbort = () => {
      const at = this.#waiting.indexOf(mine)
      if (at >= 0) this.#waiting.splice(at, 1)
      reject(signal.reason)
    }
    const mine = () => {
      signal.removeEventListener('abort', onAbort)
      resolve()
    }
    this.#waiting.push(mine)
    signal.addEventListener('abort', onAbort, { once: true })
    return promise
  }
}
