import { type Bound, timestampBound } from './bound.ts'
import { checkTimestamp } from './id.ts'
import type { IdSum } from './id-sum.ts'
import type { OrderedSet } from './ordered-set.ts'

/** The items of a set in a span of time, themselves a set. Costs two searches, copies nothing. */
export class TimeRange implements OrderedSet {
  readonly size: number
  readonly #set: OrderedSet
  readonly #begin: number

  /**
   * @param since inclusive; undefined: from the first item
   * @param until inclusive; undefined: up to the last item
   */
  constructor(set: OrderedSet, since: number | undefined, until: number | undefined) {
    if (since !== undefined) checkTimestamp(since)
    if (until !== undefined) checkTimestamp(until)
    this.#set = set
    this.#begin = since === undefined ? 0 : set.lowerBound(timestampBound(since), 0)
    const end = until === undefined ? set.size : set.lowerBound(timestampBound(until + 1), this.#begin)
    this.size = end - this.#begin
  }

  lowerBound(bound: Bound, from: number): number {
    return Math.min(this.size, Math.max(0, this.#set.lowerBound(bound, this.#begin + from) - this.#begin))
  }

  addSum(begin: number, end: number, sum: IdSum): void {
    this.#set.addSum(this.#begin + begin, this.#begin + end, sum)
  }

  timestampAt(index: number): number {
    return this.#set.timestampAt(this.#begin + index)
  }

  copyIds(begin: number, end: number, target: Uint8Array, offset: number): void {
    this.#set.copyIds(this.#begin + begin, this.#begin + end, target, offset)
  }
}
