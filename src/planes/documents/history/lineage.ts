import type { EntryId } from '../entry/entry-id.ts'

/** Where a store stands as of some entry. */
export interface StoreHead {
  /** Store tips, sorted. */
  readonly tips: readonly EntryId[]
  /** The greatest height among them, in the store's own heights. */
  readonly height: number
}

/** Entries from one stored lineage to the next: how far back a forgotten one has to be looked for. */
const storeEvery = 64

/**
 * What the history of an entry comes to, the entry included: where each store stands. A function of the entry and its
 * ancestors, so it never changes. Told as what the entry changes of its parent's, which costs nothing to make; every
 * 64 entries in full, and then it is stored.
 */
export class Lineage {
  readonly #base: Lineage | undefined
  readonly #heads: ReadonlyMap<string, StoreHead>
  /** Entries since the last stored one on the longest way back; 0: this one is stored. */
  readonly #age: number
  /** Number of stores. */
  readonly size: number

  private constructor(heads: ReadonlyMap<string, StoreHead>, base: Lineage | undefined, age: number) {
    this.#heads = heads
    this.#base = base
    this.#age = age
    let size = base?.size ?? 0
    for (const name of heads.keys()) if (base?.head(name) === undefined) size += 1
    this.size = size
  }

  static readonly empty = new Lineage(new Map(), undefined, 0)

  /** Where histories come together. */
  static joined(heads: ReadonlyMap<string, StoreHead>, parents: readonly Lineage[]): Lineage {
    return new Lineage(heads, undefined, Math.max(...parents.map((parent) => parent.#age)))
  }

  /** Whether it is one of those to store. */
  get stored(): boolean {
    return this.#age === 0
  }

  head(store: string): StoreHead | undefined {
    for (let at: Lineage | undefined = this; at !== undefined; at = at.#base) {
      const head = at.#heads.get(store)
      if (head !== undefined) return head
    }
    return undefined
  }

  tips(store: string): readonly EntryId[] {
    return this.head(store)?.tips ?? []
  }

  /** All stores, those of the system included. */
  stores(): string[] {
    return [...this.#flat().keys()]
  }

  /** This one, changed by what an entry did. */
  with(heads: ReadonlyMap<string, StoreHead>): Lineage {
    if (this.#age + 1 < storeEvery) return new Lineage(heads, this, this.#age + 1)
    return new Lineage(new Map([...this.#flat(), ...heads]), undefined, 0)
  }

  encode(): Uint8Array {
    return Buffer.from(
      JSON.stringify([...this.#flat()].map(([name, { tips, height }]) => [name, height, ...tips])),
    )
  }

  static decode(bytes: Uint8Array): Lineage {
    const rows = JSON.parse(Buffer.from(bytes).toString()) as [string, number, ...EntryId[]][]
    const heads = rows.map(([name, height, ...tips]): [string, StoreHead] => [name, { tips, height }])
    return new Lineage(new Map(heads), undefined, 0)
  }

  #flat(): Map<string, StoreHead> {
    const layers: Lineage[] = []
    for (let at: Lineage | undefined = this; at !== undefined; at = at.#base) layers.push(at)
    const flat = new Map<string, StoreHead>()
    for (const layer of layers.reverse()) for (const [name, head] of layer.#heads) flat.set(name, head)
    return flat
  }
}
