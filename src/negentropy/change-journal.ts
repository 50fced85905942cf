import type { Bound } from './bound.ts'
import type { ChangeBatch } from './change-batch.ts'
import { idSize, readId } from './id.ts'
import type { ItemColumns } from './item-columns.ts'
import { ItemVectorBuilder } from './item-vector.ts'

interface Entry {
  readonly generation: number
  readonly batch: ChangeBatch
}

/**
 * What changed since the oldest live snapshot, so that a snapshot can still tell its items from rows that moved on.
 * Bounded: beyond `maxChanges` the oldest changes are forgotten, and with them the snapshots that need them.
 */
export class ChangeJournal {
  readonly #maxChanges: number
  #entries: Entry[] = []
  #count = 0
  #forgotten = 0

  constructor(maxChanges: number) {
    this.#maxChanges = maxChanges
  }

  /** Changes of this generation and before may be missing; a snapshot older than it is lost. */
  get forgotten(): number {
    return this.#forgotten
  }

  get count(): number {
    return this.#count
  }

  /** Records a batch that leads to `generation`, whether or not it will be committed. */
  record(generation: number, batch: ChangeBatch): void {
    this.#entries.push({ generation, batch })
    this.#count += batch.count
  }

  /** Forgets the batches of a generation that was rolled back. */
  withdraw(generation: number): void {
    while (this.#entries.at(-1)?.generation === generation) this.#count -= this.#entries.pop()!.batch.count
  }

  /** Keeps what snapshots taken at `oldest` or later need, as far as it fits. */
  trim(oldest: number): void {
    let drop = 0
    for (const { generation, batch } of this.#entries) {
      // Part of a generation would be worse than nothing, so one that is begun is forgotten whole.
      const needed = generation > oldest && generation !== this.#forgotten
      if (needed && this.#count <= this.#maxChanges) break
      this.#count -= batch.count
      this.#forgotten = generation
      drop++
    }
    this.#entries = this.#entries.slice(drop)
  }

  /**
   * The items of [from, to) as they were at `generation`, given those that the rows hold now. Works whether or not the
   * rows already show the newest batch, since each change is only undone where it is seen.
   */
  undo(items: ItemColumns, from: Bound, to: Bound, generation: number): ItemColumns {
    const before = this.#presentBefore(from, to, generation)
    if (before.size === 0) return items
    const builder = new ItemVectorBuilder(items.timestamps.length + before.size)
    for (let i = 0; i < items.timestamps.length; i++) {
      const key = keyText(items.timestamps[i]!, items.ids, i)
      const present = before.get(key)
      before.delete(key)
      if (present !== false)
        builder.add(items.timestamps[i]!, items.ids.subarray(i * idSize, (i + 1) * idSize))
    }
    for (const [key, present] of before) {
      const [timestamp, id] = key.split(':')
      if (present) builder.add(Number(timestamp), id!)
    }
    return builder.seal().columns
  }

  /** Of the keys that changed since: was the item there? The first change after the generation tells. */
  #presentBefore(from: Bound, to: Bound, generation: number): Map<string, boolean> {
    const before = new Map<string, boolean>()
    for (const { generation: changed, batch } of this.#entries) {
      if (changed <= generation) continue
      const end = batch.lowerBound(to)
      for (let i = batch.lowerBound(from); i < end; i++) {
        const key = keyText(batch.timestamps[i]!, batch.ids, i)
        if (!before.has(key)) before.set(key, batch.ops[i]! < 0)
      }
    }
    return before
  }
}

function keyText(timestamp: number, ids: Uint8Array, index: number): string {
  return `${timestamp}:${readId(ids, index * idSize)}`
}
