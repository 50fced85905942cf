/** Lets so many links of one relay catch up at once; the others wait in order of arrival. */
export class CatchUpTurns {
  #free: number
  readonly #waiting: (() => void)[] = []

  constructor(atOnce: number) {
    this.#free = atOnce
  }

  /** Dispose the answer when caught up. @throws the signal's reason */
  async take(signal: AbortSignal): Promise<Disposable> {
    signal.throwIfAborted()
    if (this.#free > 0) this.#free -= 1
    else await this.#wait(signal)
    let held = true
    return {
      [Symbol.dispose]: () => {
        if (!held) return
        held = false
        const next = this.#waiting.shift()
        if (next === undefined) this.#free += 1
        else next()
      },
    }
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
