import type { SortedColumns } from './item-columns.ts'

interface Entry {
  readonly leaf: SortedColumns
  used: boolean
}

/**
 * Loaded leaves by stamp. Never stale: other contents have another stamp. When full, the oldest goes, unless it was
 * used since it was last considered; that costs a hit one flag instead of a move to the end of a list.
 */
export class LeafCache {
  readonly #maxBytes: number
  readonly #entries = new Map<number, Entry>()
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get(stamp: number): SortedColumns | undefined {
    const entry = this.#entries.get(stamp)
    if (entry === undefined) return undefined
    entry.used = true
    return entry.leaf
  }

  set(stamp: number, leaf: SortedColumns): void {
    this.#entries.set(stamp, { leaf, used: false })
    this.#bytes += leaf.byteLength
    while (this.#bytes > this.#maxBytes) this.#evict()
  }

  #evict(): void {
    for (const [stamp, entry] of this.#entries) {
      this.#entries.delete(stamp)
      if (!entry.used) {
        this.#bytes -= entry.leaf.byteLength
        return
      }
      entry.used = false
      this.#entries.set(stamp, entry)
    }
  }
}
