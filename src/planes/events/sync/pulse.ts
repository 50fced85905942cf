/** Wakes one waiter when something changed; changes while nobody waits are remembered as one. */
export class Pulse {
  #changed = false
  #waiting: (() => void) | undefined

  notify(): void {
    this.#changed = true
    this.#waiting?.()
  }

  /** Resolves at once when something changed since the last wait. */
  async wait(): Promise<void> {
    if (!this.#changed) {
      await new Promise<void>((resolve) => {
        this.#waiting = resolve
      })
      this.#waiting = undefined
    }
    this.#changed = false
  }
}
