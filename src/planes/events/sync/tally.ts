/** Counts what one window found until all of it is disposed of. */
export class Tally {
  #open = 0
  #whenSettled: ((withheld: boolean) => void) | undefined
  #withheld = false

  add(count: number): void {
    this.#open += count
  }

  /** @param withheld none of a batch was handed out, however often it was asked for */
  done(count: number, withheld = false): void {
    this.#open -= count
    this.#withheld ||= withheld
    this.#check()
  }

  /** Nothing more will be added. `whenSettled` is called once nothing is open; never, when something of it failed. */
  seal(whenSettled: (withheld: boolean) => void): void {
    this.#whenSettled = whenSettled
    this.#check()
  }

  #check(): void {
    if (this.#open > 0) return
    const settle = this.#whenSettled
    this.#whenSettled = undefined
    settle?.(this.#withheld)
  }
}
