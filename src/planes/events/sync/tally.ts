/** Counts what one window found until all of it is disposed of. */
export class Tally {
  #open = 0
  #whenSettled: (() => void) | undefined

  add(count: number): void {
    this.#open += count
  }

  done(count: number): void {
    this.#open -= count
    this.#check()
  }

  /** Nothing more will be added. `whenSettled` is called once nothing is open; never, when something of it failed. */
  seal(whenSettled: () => void): void {
    this.#whenSettled = whenSettled
    this.#check()
  }

  #check(): void {
    if (this.#open > 0) return
    const settle = this.#whenSettled
    this.#whenSettled = undefined
    settle?.()
  }
}
