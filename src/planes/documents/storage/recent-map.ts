/**
 * A map that forgets what was not used lately. In two generations: what is used moves to the young one, and when that
 * is full the old one goes as a whole. Evicting one by one from a Map that is never empty gets slow, as each eviction
 * walks over the places of all those before it.
 */
export class RecentMap<Key, Value> {
  readonly #maxWeight: number
  readonly #weigh: (value: Value) => number
  #young = new Map<Key, Value>()
  #old = new Map<Key, Value>()
  #weight = 0

  /** @param maxWeight of one generation; up to twice as much is kept */
  constructor(maxWeight: number, weigh: (value: Value) => number = () => 1) {
    this.#maxWeight = maxWeight
    this.#weigh = weigh
  }

  get(key: Key): Value | undefined {
    const value = this.#young.get(key)
    if (value !== undefined) return value
    const old = this.#old.get(key)
    if (old !== undefined) this.set(key, old)
    return old
  }

  set(key: Key, value: Value): void {
    if (!this.#young.has(key)) this.#weight += this.#weigh(value)
    this.#young.set(key, value)
    if (this.#weight <= this.#maxWeight) return
    this.#old = this.#young
    this.#young = new Map()
    this.#weight = 0
  }

  clear(): void {
    this.#young.clear()
    this.#old.clear()
    this.#weight = 0
  }
}
