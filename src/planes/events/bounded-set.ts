/** Remembers the `max` values added last and forgets the oldest; adding one again does not make it newer. */
export class BoundedSet<T> {
  readonly #max: number
  readonly #values = new Set<T>()

  constructor(max: number) {
    this.#max = max
  }

  get size(): number {
    return this.#values.size
  }

  has(value: T): boolean {
    return this.#values.has(value)
  }

  add(value: T): void {
    this.#values.add(value)
    if (this.#values.size <= this.#max) return
    for (const oldest of this.#values) {
      this.#values.delete(oldest)
      return
    }
  }

  delete(value: T): void {
    this.#values.delete(value)
  }
}
