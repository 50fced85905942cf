import type { Bound } from './bound.ts'
import { checkTimestamp, compareIds, idSize, writeId } from './id.ts'
import { wordsOf } from './id-sum.ts'
import { copyBytes } from './item-vector.ts'
import type { ItemChange } from './leaf-record.ts'
import { NegentropyError } from './negentropy-error.ts'
import { sortKeys } from './sort-keys.ts'

/** The net changes of one transaction in key order, each key once. */
export class ChangeBatch {
  readonly count: number
  readonly timestamps: Float64Array
  readonly ids: Uint8Array
  /** The same ids for summing. */
  readonly words: Uint32Array
  /** 1: added, −1: removed. */
  readonly ops: Int8Array

  /** Throws `negentropy/invalid-change` when a key comes or goes twice, `negentropy/invalid-item` for a bad key. */
  constructor(changes: readonly ItemChange[]) {
    const columns = collect(changes)
    const order = sorted(columns)
    this.timestamps = new Float64Array(order.length)
    this.ids = new Uint8Array(order.length * idSize)
    this.ops = new Int8Array(order.length)
    let count = 0
    for (const item of order) {
      this.timestamps[count] = columns.timestamps[item]!
      copyBytes(columns.ids, item * idSize, (item + 1) * idSize, this.ids, count * idSize)
      const op = columns.ops[item]!
      if (count > 0 && this.compare(count - 1, this.timestamps[count]!, this.ids, count * idSize) === 0) {
        const net = this.ops[count - 1]! + op
        if (Math.abs(net) > 1)
          throw new NegentropyError('negentropy/invalid-change', 'an item was added or removed twice')
        // Came and went within the transaction: the entry stays as a placeholder until the key changes.
        this.ops[count - 1] = net
      } else {
        if (count > 0 && this.ops[count - 1] === 0) count = this.#replaceLast(count)
        this.ops[count++] = op
      }
    }
    this.count = count > 0 && this.ops[count - 1] === 0 ? count - 1 : count
    this.words = wordsOf(this.ids)
  }

  /** Moves the entry at `count` over the placeholder before it. */
  #replaceLast(count: number): number {
    this.timestamps[count - 1] = this.timestamps[count]!
    this.ids.copyWithin((count - 1) * idSize, count * idSize, (count + 1) * idSize)
    return count - 1
  }

  /** Negative when the key at `index` is below the given one. */
  compare(index: number, timestamp: number, id: Uint8Array, offset: number): number {
    return this.timestamps[index]! - timestamp || compareIds(this.ids, index * idSize, id, offset)
  }

  /** Index of the first key at or above `bound`. */
  lowerBound(bound: Bound, from = 0): number {
    let low = from
    let high = this.count
    while (low < high) {
      const middle = (low + high) >>> 1
      const at = this.timestamps[middle]!
      const below =
        at < bound.timestamp ||
        (at === bound.timestamp && compareIds(this.ids, middle * idSize, bound.prefix, 0) < 0)
      if (below) low = middle + 1
      else high = middle
    }
    return low
  }
}

interface Columns {
  readonly timestamps: Float64Array
  readonly ids: Uint8Array
  readonly ops: Int8Array
}

function collect(changes: readonly ItemChange[]): Columns {
  const timestamps = new Float64Array(changes.length)
  const ids = new Uint8Array(changes.length * idSize)
  const ops = new Int8Array(changes.length)
  changes.forEach(({ key, op }, i) => {
    checkTimestamp(key.timestamp)
    timestamps[i] = key.timestamp
    writeId(key.id, ids, i * idSize)
    ops[i] = op === 'add' ? 1 : -1
  })
  return { timestamps, ids, ops }
}

function sorted(columns: Columns): Uint32Array {
  const sorting = sortKeys(columns)
  for (;;) {
    const step = sorting.next()
    if (step.done) return step.value
  }
}
