import type { SealedEntry } from '../entry/entry.ts'
import type { EntryId } from '../entry/entry-id.ts'

/** Decoded entries, least recently used first out. They are named by their content, so a cached one is never stale. */
export class EntryCache {
  readonly #maxBytes: number
  readonly #entries = new Map<EntryId, SealedEntry>()
  #bytes = 0

  /** @param maxBytes of encoded entries; decoded they take a few times as much */
  constructor(maxBytes = 8 * 1024 * 1024) {
    this.#maxBytes = maxBytes
  }

  get(id: EntryId): SealedEntry | undefined {
    const entry = this.#entries.get(id)
    if (entry === undefined) return undefined
    this.#entries.delete(id)
    this.#entries.set(id, entry)
    return entry
  }

  set(entry: SealedEntry): void {
    if (this.#entries.has(entry.id)) return
    this.#entries.set(entry.id, entry)
    this.#bytes += entry.bytes.length
    for (const [id, { bytes }] of this.#entries) {
      if (this.#bytes <= this.#maxBytes) break
      this.#entries.delete(id)
      this.#bytes -= bytes.length
    }
  }

  clear(): void {
    this.#entries.clear()
    this.#bytes = 0
  }
}
