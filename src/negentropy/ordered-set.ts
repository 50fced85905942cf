import type { Bound } from './bound.ts'
import type { IdSum } from './id-sum.ts'

/**
 * What the protocol needs of a set: items in the order of their keys, addressed by index, unchanging while a session
 * lasts. An implementation may keep its items anywhere; only what is asked for has to be loaded.
 *
 * Indexes are 0 … size; ranges are half open.
 */
export interface OrderedSet {
  /** Number of items. */
  readonly size: number
  /** Index of the first item at or above `bound`, not below `from`. */
  lowerBound(bound: Bound, from: number): number
  /** Adds the ids of the items [begin, end), begin < end, to `sum`. */
  addSum(begin: number, end: number, sum: IdSum): void
  timestampAt(index: number): number
  /** Copies the 32-byte ids of the items [begin, end) one after the other. */
  copyIds(begin: number, end: number, target: Uint8Array, offset: number): void
}
