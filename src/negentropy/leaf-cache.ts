import type { SortedColumns } from './item-columns.ts'

/** Loaded leaves by stamp, least recently used first out. Never stale: other contents have another stamp. */
export class LeafCache {
  readonly #maxBytes: number
  readonly #leaves = new Map<number, SortedColumns>()
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get bytes(): number {
    return this.#bytes
  }

  get(stamp: number): SortedColumns | undefined {
    const leaf = this.#leaves.get(stamp)
    if (leaf === undefined) return undefined
    this.#leaves.delete(stamp)
    this.#leaves.set(stamp, leaf)
    return leaf
  }

  set(stamp: number, leaf: SortedColumns): void {
    this.#leaves.set(stamp, leaf)
    this.#bytes += leaf.byteLength
    for (const [oldest, { byteLength }] of this.#leaves) {
      if (this.#bytes <= this.#maxBytes) return
      this.#leaves.delete(oldest)
      this.#bytes -= byteLength
    }
  }
}
