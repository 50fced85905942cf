import type { Bound } from './bound.ts'
import { checkTimestamp, compareIds, copyBytes, idSize, writeId } from './id.ts'
import type { IdSum } from './id-sum.ts'
import { type ItemColumns, SortedColumns } from './item-columns.ts'
import type { Key } from './key.ts'
import { NegentropyError } from './negentropy-error.ts'
import type { OrderedSet } from './ordered-set.ts'
import { sortKeys } from './sort-keys.ts'

/** Items moved between two pauses of a gradual seal. */
const sliceItems = 65_536

/** A sealed set in memory: 42 bytes per item, any range summed in constant time. Built by `ItemVectorBuilder`. */
export class ItemVector implements OrderedSet {
  readonly #columns: SortedColumns

  /** @param columns in key order, without duplicates; kept, not copied. Throws `negentropy/invalid-item`. */
  constructor(columns: ItemColumns) {
    this.#columns = SortedColumns.of(columns)
  }

  /** From items in any order. */
  static from(items: Iterable<Key>): ItemVector {
    const builder = new ItemVectorBuilder()
    for (const { timestamp, id } of items) builder.add(timestamp, id)
    return builder.seal()
  }

  get size(): number {
    return this.#columns.count
  }

  /** The items themselves; not to be changed. */
  get columns(): ItemColumns {
    return this.#columns
  }

  lowerBound(bound: Bound, from: number): number {
    return this.#columns.lowerBound(bound, from, this.#columns.count)
  }

  addSum(begin: number, end: number, sum: IdSum): void {
    this.#columns.addSum(begin, end, sum)
  }

  timestampAt(index: number): number {
    return this.#columns.timestamps[index]!
  }

  copyIds(begin: number, end: number, target: Uint8Array, offset: number): void {
    copyBytes(this.#columns.ids, begin * idSize, end * idSize, target, offset)
  }
}

/** Collects items in any order; in key order is fastest, because then nothing needs sorting. */
export class ItemVectorBuilder {
  #timestamps: Float64Array
  #ids: Uint8Array
  #count = 0
  #sorted = true
  #sealed = false

  /** @param capacity items expected; a good guess saves copies, a bad one costs nothing else */
  constructor(capacity = 1024) {
    this.#timestamps = new Float64Array(capacity)
    this.#ids = new Uint8Array(capacity * idSize)
  }

  get count(): number {
    return this.#count
  }

  /**
   * @param timestamp 0 … 2^53−1
   * @param id 64 hex digits or 32 bytes (copied). Throws `negentropy/invalid-item`.
   */
  add(timestamp: number, id: string | Uint8Array): this {
    if (this.#sealed) throw new NegentropyError('negentropy/out-of-order', 'the vector is already sealed')
    checkTimestamp(timestamp)
    const index = this.#count
    if (index === this.#timestamps.length) this.#grow()
    writeId(id, this.#ids, index * idSize)
    this.#timestamps[index] = timestamp
    this.#count++
    if (this.#sorted && index > 0) this.#sorted = this.#ascends(index)
    return this
  }

  /** The finished set. A duplicate throws `negentropy/invalid-item`. */
  seal(): ItemVector {
    const sealing = this.#sealing()
    for (;;) {
      const step = sealing.next()
      if (step.done) return step.value
    }
  }

  /** The same in slices of some tens of milliseconds; `pause` should let other work run, say by a timer of 0 ms. */
  async sealGradually(pause: () => Promise<void>): Promise<ItemVector> {
    const sealing = this.#sealing()
    for (;;) {
      const step = sealing.next()
      if (step.done) return step.value
      await pause()
    }
  }

  *#sealing(): Generator<void, ItemVector> {
    if (this.#sealed) throw new NegentropyError('negentropy/out-of-order', 'the vector is already sealed')
    this.#sealed = true
    const collected = this.#collected()
    if (this.#sorted) return new ItemVector(new SortedColumns(collected))
    const order = yield* sortKeys(collected)
    const columns = {
      timestamps: new Float64Array(order.length),
      ids: new Uint8Array(order.length * idSize),
    }
    for (let start = 0; start < order.length; start += sliceItems) {
      yield
      gather(collected, order, start, Math.min(order.length, start + sliceItems), columns)
    }
    yield
    return new ItemVector(new SortedColumns(columns))
  }

  /** Drops unused capacity, unless that would copy much to save little. */
  #collected(): ItemColumns {
    const count = this.#count
    const columns = {
      timestamps: this.#timestamps.subarray(0, count),
      ids: this.#ids.subarray(0, count * idSize),
    }
    if (!this.#sorted || count * 8 >= this.#timestamps.length * 7) return columns
    return { timestamps: columns.timestamps.slice(), ids: columns.ids.slice() }
  }

  #ascends(index: number): boolean {
    const difference = this.#timestamps[index - 1]! - this.#timestamps[index]!
    if (difference !== 0) return difference < 0
    return compareIds(this.#ids, (index - 1) * idSize, this.#ids, index * idSize) <= 0
  }

  #grow(): void {
    const capacity = Math.max(16, this.#timestamps.length * 2)
    const timestamps = new Float64Array(capacity)
    timestamps.set(this.#timestamps)
    this.#timestamps = timestamps
    const ids = new Uint8Array(capacity * idSize)
    ids.set(this.#ids)
    this.#ids = ids
  }
}

function gather(from: ItemColumns, order: Uint32Array, start: number, end: number, to: ItemColumns): void {
  for (let k = start; k < end; k++) {
    const item = order[k]!
    to.timestamps[k] = from.timestamps[item]!
    copyBytes(from.ids, item * idSize, (item + 1) * idSize, to.ids, k * idSize)
  }
}
