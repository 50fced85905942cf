import { compareIds, copyBytes, idSize } from './id.ts'
import { IdSum, wordsPerId } from './id-sum.ts'

/** Leaves of one block at most; what a change copies, and what a snapshot shares with the state after the change. */
export const maxBlockLeaves = 128

/** Room for more leaves that a builder is given; more than it would be wasted in a block that keeps it. */
export const spareLeaves = 4

/** A leaf as it enters a block. Ids and sums point into columns, so that none has to be created to move a leaf. */
export interface LeafFields {
  readonly timestamp: number
  readonly ids: Uint8Array
  readonly idOffset: number
  readonly count: number
  readonly sums: Uint32Array
  readonly sumIndex: number
  /** Names the contents: two leaves with one stamp hold the same items. */
  readonly stamp: number
}

/** Bytes of a leaf in its columns: first timestamp, stamp, sum, first id, start. */
const leafBytes = 8 + 8 + 4 * wordsPerId + idSize + 4

/** Room for leaves, all columns in one allocation: a commit that adds one event should not cost six. */
class LeafColumns {
  readonly capacity: number
  readonly timestamps: Float64Array
  readonly stamps: Float64Array
  readonly sums: Uint32Array
  readonly ids: Uint8Array
  /** Entry k: items in the first k leaves. */
  readonly starts: Uint32Array

  constructor(capacity: number) {
    const memory = new ArrayBuffer(capacity * leafBytes + 4)
    this.capacity = capacity
    this.timestamps = new Float64Array(memory, 0, capacity)
    this.stamps = new Float64Array(memory, 8 * capacity, capacity)
    this.sums = new Uint32Array(memory, 16 * capacity, wordsPerId * capacity)
    this.ids = new Uint8Array(memory, 48 * capacity, idSize * capacity)
    this.starts = new Uint32Array(memory, 80 * capacity, capacity + 1)
  }

  /** Copies leaves [from, to) of others to place `at`. */
  copy(at: number, other: LeafColumns, from: number, to: number): void {
    this.timestamps.set(other.timestamps.subarray(from, to), at)
    this.stamps.set(other.stamps.subarray(from, to), at)
    this.sums.set(other.sums.subarray(from * wordsPerId, to * wordsPerId), at * wordsPerId)
    this.ids.set(other.ids.subarray(from * idSize, to * idSize), at * idSize)
    const shift = this.starts[at]! - other.starts[from]!
    for (let i = from; i < to; i++) this.starts[at + i - from + 1] = other.starts[i + 1]! + shift
  }

  fields(leaf: number): LeafFields {
    return {
      timestamp: this.timestamps[leaf]!,
      ids: this.ids,
      idOffset: leaf * idSize,
      count: this.starts[leaf + 1]! - this.starts[leaf]!,
      sums: this.sums,
      sumIndex: leaf,
      stamp: this.stamps[leaf]!,
    }
  }
}

/** Neighbouring leaves as columns; never changed once built. Columns may have room beyond `length`. */
export class LeafBlock {
  readonly length: number
  readonly columns: LeafColumns
  /** First keys. */
  readonly timestamps: Float64Array
  readonly ids: Uint8Array
  /** Entry k: items in the first k leaves. */
  readonly starts: Uint32Array
  readonly sums: Uint32Array
  readonly stamps: Float64Array
  #prefixSums: Uint32Array | undefined

  constructor(length: number, columns: LeafColumns) {
    this.length = length
    this.columns = columns
    this.timestamps = columns.timestamps
    this.ids = columns.ids
    this.starts = columns.starts
    this.sums = columns.sums
    this.stamps = columns.stamps
  }

  /** Items in the block. */
  get size(): number {
    return this.starts[this.length]!
  }

  countOf(leaf: number): number {
    return this.starts[leaf + 1]! - this.starts[leaf]!
  }

  /** Entry k is the sum of the first k leaves; computed when first asked for, as most versions of a block never are. */
  get prefixSums(): Uint32Array {
    if (this.#prefixSums === undefined) {
      const sums = new Uint32Array((this.length + 1) * wordsPerId)
      const sum = new IdSum()
      for (let k = 0; k < this.length; k++) {
        sum.add(this.sums, k, k + 1)
        sum.store(sums, k + 1)
      }
      this.#prefixSums = sums
    }
    return this.#prefixSums
  }

  /** Negative when the leaf starts below the key. */
  compareFirst(leaf: number, timestamp: number, id: Uint8Array, offset: number): number {
    return this.timestamps[leaf]! - timestamp || compareIds(this.ids, leaf * idSize, id, offset)
  }

  fields(leaf: number): LeafFields {
    return this.columns.fields(leaf)
  }
}

/** Leaves in the order they are pushed, cut into blocks at the end. */
export class LeafBlockBuilder {
  #length = 0
  #columns: LeafColumns

  constructor(capacity: number) {
    this.#columns = new LeafColumns(capacity)
  }

  get length(): number {
    return this.#length
  }

  /** Leaves [from, to) of a block as they are. */
  copy(block: LeafBlock, from: number, to: number): void {
    this.#reserve(to - from)
    this.#columns.copy(this.#length, block.columns, from, to)
    this.#length += to - from
  }

  push(leaf: LeafFields): void {
    this.#reserve(1)
    const at = this.#length++
    this.#columns.timestamps[at] = leaf.timestamp
    copyBytes(leaf.ids, leaf.idOffset, leaf.idOffset + idSize, this.#columns.ids, at * idSize)
    this.refill(leaf)
  }

  /** The last leaf pushed. */
  get last(): LeafFields {
    return this.#columns.fields(this.#length - 1)
  }

  /** Gives the last leaf pushed other contents under the same first key. */
  refill({ count, sums, sumIndex, stamp }: Pick<LeafFields, 'count' | 'sums' | 'sumIndex' | 'stamp'>): void {
    const at = this.#length - 1
    this.#columns.starts[at + 1] = this.#columns.starts[at]! + count
    for (let i = 0; i < wordsPerId; i++)
      this.#columns.sums[at * wordsPerId + i] = sums[sumIndex * wordsPerId + i]!
    this.#columns.stamps[at] = stamp
  }

  /** Blocks of about equal length, none longer than `maxBlockLeaves`; none for no leaves. */
  build(): LeafBlock[] {
    const length = this.#length
    const blocks = Math.ceil(length / maxBlockLeaves)
    if (blocks === 1 && this.#columns.capacity <= length + spareLeaves)
      return [new LeafBlock(length, this.#columns)]
    return Array.from({ length: blocks }, (_, k) => {
      const from = Math.floor((k * length) / blocks)
      const to = Math.floor(((k + 1) * length) / blocks)
      const columns = new LeafColumns(to - from)
      columns.copy(0, this.#columns, from, to)
      return new LeafBlock(to - from, columns)
    })
  }

  #reserve(more: number): void {
    const needed = this.#length + more
    if (needed <= this.#columns.capacity) return
    const larger = new LeafColumns(Math.max(needed, this.#columns.capacity * 2))
    larger.copy(0, this.#columns, 0, this.#length)
    this.#columns = larger
  }
}
