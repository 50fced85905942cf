import type { Bound } from './bound.ts'
import { compareIds, idSize } from './id.ts'
import { type IdSum, IdSum as Sum, wordsOf, wordsPerId } from './id-sum.ts'
import { NegentropyError } from './negentropy-error.ts'

/** Items in key order, as columns: `timestamps[i]` belongs to the 32 bytes of `ids` at `32·i`. */
export interface ItemColumns {
  /** 0 … 2^53−1, ascending. */
  readonly timestamps: Float64Array
  /** 32 bytes per item; ascending where timestamps are equal. */
  readonly ids: Uint8Array
}

/** Items between two stored prefix sums: a fingerprint adds up at most this many ids at either end of its range. */
const stride = 16

/** Columns in key order without duplicates, with prefix sums, so that the sum of any range costs the same. */
export class SortedColumns implements ItemColumns {
  readonly count: number
  readonly timestamps: Float64Array
  readonly ids: Uint8Array
  readonly #words: Uint32Array
  /** Entry k is the sum of the first k·stride ids. */
  readonly #prefixSums: Uint32Array

  /** The columns as they are when they are known to be sorted. Throws as the constructor does. */
  static of(columns: ItemColumns): SortedColumns {
    return columns instanceof SortedColumns ? columns : new SortedColumns(columns)
  }

  /** Throws `negentropy/invalid-item` unless keys are strictly ascending. */
  constructor({ timestamps, ids }: ItemColumns) {
    this.count = timestamps.length
    this.timestamps = timestamps
    this.ids = ids
    checkOrder(timestamps, ids)
    this.#words = wordsOf(ids)
    this.#prefixSums = prefixSums(this.#words, this.count)
  }

  get byteLength(): number {
    return this.timestamps.byteLength + this.ids.byteLength + this.#prefixSums.byteLength
  }

  lowerBound(bound: Bound, from: number, to: number): number {
    const { timestamp, prefix } = bound
    let low = from
    let high = to
    while (low < high) {
      const middle = (low + high) >>> 1
      const at = this.timestamps[middle]!
      if (at < timestamp || (at === timestamp && compareIds(this.ids, middle * idSize, prefix, 0) < 0))
        low = middle + 1
      else high = middle
    }
    return low
  }

  addSum(begin: number, end: number, sum: IdSum): void {
    const first = Math.ceil(begin / stride)
    const last = Math.floor(end / stride)
    if (first >= last) return sum.add(this.#words, begin, end)
    sum.add(this.#words, begin, first * stride)
    sum.subtract(this.#prefixSums, first)
    sum.add(this.#prefixSums, last, last + 1)
    sum.add(this.#words, last * stride, end)
  }
}

function prefixSums(words: Uint32Array, count: number): Uint32Array {
  const entries = Math.floor(count / stride) + 1
  const sums = new Uint32Array(entries * wordsPerId)
  const sum = new Sum()
  for (let k = 1; k < entries; k++) {
    sum.add(words, (k - 1) * stride, k * stride)
    sum.store(sums, k)
  }
  return sums
}

function checkOrder(timestamps: Float64Array, ids: Uint8Array): void {
  if (ids.length !== timestamps.length * idSize)
    throw new NegentropyError('negentropy/invalid-item', 'one timestamp and 32 id bytes per item')
  for (let i = 1; i < timestamps.length; i++) {
    const difference =
      timestamps[i - 1]! - timestamps[i]! || compareIds(ids, (i - 1) * idSize, ids, i * idSize)
    if (difference < 0) continue
    const what = difference === 0 ? 'duplicate item' : 'items out of order'
    throw new NegentropyError('negentropy/invalid-item', `${what} at ${i}`)
  }
}
