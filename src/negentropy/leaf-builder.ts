import { compareIds, idSize, readId } from './id.ts'
import { IdSum } from './id-sum.ts'
import { type ItemColumns, SortedColumns } from './item-columns.ts'
import type { Key } from './key.ts'
import { fillOf } from './leaf-edit.ts'
import { firstKey, type LeafRecord } from './leaf-record.ts'
import { NegentropyError } from './negentropy-error.ts'

/**
 * Builds the leaf records of a whole set, given its items in key order, in chunks of any size: the way to make an
 * index for rows that have none, or one found corrupt.
 */
export class LeafBuilder {
  readonly #fill: number
  readonly #leaves: LeafRecord[] = []
  readonly #sum = new IdSum()
  #first: Key = firstKey
  #count = 0
  #last: { readonly timestamp: number; readonly id: Uint8Array } | undefined

  /** @param maxLeafSize the one the index will have; leaves are filled to three quarters */
  constructor(maxLeafSize = 512) {
    this.#fill = fillOf(maxLeafSize)
  }

  /** The next items. Throws `negentropy/invalid-item` when they do not ascend. */
  add(items: ItemColumns): this {
    const columns = SortedColumns.of(items)
    this.#follow(columns)
    for (let from = 0; from < columns.count; ) {
      if (this.#count === this.#fill) this.#next(columns, from)
      const to = Math.min(columns.count, from + this.#fill - this.#count)
      columns.addSum(from, to, this.#sum)
      this.#count += to - from
      from = to
    }
    return this
  }

  /** All leaves, the first one also for an empty set. */
  finish(): LeafRecord[] {
    this.#close()
    return this.#leaves
  }

  #next(columns: SortedColumns, index: number): void {
    this.#close()
    this.#first = { timestamp: columns.timestamps[index]!, id: readId(columns.ids, index * idSize) }
    this.#count = 0
    this.#sum.clear()
  }

  #close(): void {
    const sum = new Uint8Array(idSize)
    this.#sum.storeBytes(sum, 0)
    this.#leaves.push({ first: this.#first, count: this.#count, sum })
  }

  #follow({ count, timestamps, ids }: SortedColumns): void {
    if (count === 0) return
    const last = this.#last
    if (last !== undefined && (last.timestamp - timestamps[0]! || compareIds(last.id, 0, ids, 0)) >= 0)
      throw new NegentropyError('negentropy/invalid-item', 'chunks are not in key order')
    this.#last = { timestamp: timestamps[count - 1]!, id: ids.slice((count - 1) * idSize) }
  }
}
