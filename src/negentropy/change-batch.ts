import type { Bound } from './bound.ts'
import { checkTimestamp, compareIds, copyBytes, idSize, writeId } from './id.ts'
import { wordsOf } from './id-sum.ts'
import type { ItemChange } from './leaf-record.ts'
import { NegentropyError } from './negentropy-error.ts'
import { sortNow } from './sort-keys.ts'

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
    const collected = collect(changes)
    const { timestamps, ids, ops } = ascends(collected) ? collected : netted(collected)
    this.count = timestamps.length
    this.timestamps = timestamps
    this.ids = ids
    this.ops = ops
    this.words = wordsOf(ids)
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

/** Most batches come in order, one key each; they need no second copy. */
function ascends({ timestamps, ids }: Columns): boolean {
  for (let i = 1; i < timestamps.length; i++) if (compareKeys(timestamps, ids, i - 1, i) >= 0) return false
  return true
}

/** In key order, one change per key; what comes and goes within the transaction is left out. */
function netted({ timestamps, ids, ops }: Columns): Columns {
  const order = sortNow({ timestamps, ids })
  const net = {
    timestamps: new Float64Array(order.length),
    ids: new Uint8Array(order.length * idSize),
    ops: new Int8Array(order.length),
  }
  let count = 0
  for (let start = 0; start < order.length; ) {
    const item = order[start]!
    let op = 0
    let end = start
    for (; end < order.length && compareKeys(timestamps, ids, order[end]!, item) === 0; end++)
      op += ops[order[end]!]!
    start = end
    if (op === 0) continue
    if (Math.abs(op) > 1)
      throw new NegentropyError('negentropy/invalid-change', 'an item was added or removed twice')
    net.timestamps[count] = timestamps[item]!
    copyBytes(ids, item * idSize, (item + 1) * idSize, net.ids, count * idSize)
    net.ops[count++] = op
  }
  return {
    timestamps: net.timestamps.subarray(0, count),
    ids: net.ids.subarray(0, count * idSize),
    ops: net.ops.subarray(0, count),
  }
}

function compareKeys(timestamps: Float64Array, ids: Uint8Array, a: number, b: number): number {
  return timestamps[a]! - timestamps[b]! || compareIds(ids, a * idSize, ids, b * idSize)
}
