import { compareIds, idSize } from './id.ts'
import { IdSum, wordsPerId } from './id-sum.ts'

/** Leaves of one block at most; what a change copies, and what a snapshot shares with the state after the change. */
export const maxBlockLeaves = 128

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

/** Neighbouring leaves as columns; never changed once built. */
export class LeafBlock {
  readonly length: number
  /** First keys. */
  readonly timestamps: Float64Array
  readonly ids: Uint8Array
  /** Entry k: items in the first k leaves. */
  readonly starts: Uint32Array
  readonly sums: Uint32Array
  readonly stamps: Float64Array
  #prefixSums: Uint32Array | undefined

  constructor(
    length: number,
    timestamps: Float64Array,
    ids: Uint8Array,
    counts: Uint32Array,
    sums: Uint32Array,
    stamps: Float64Array,
  ) {
    this.length = length
    this.timestamps = timestamps
    this.ids = ids
    this.sums = sums
    this.stamps = stamps
    this.starts = new Uint32Array(length + 1)
    for (let i = 0; i < length; i++) this.starts[i + 1] = this.starts[i]! + counts[i]!
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
    return {
      timestamp: this.timestamps[leaf]!,
      ids: this.ids,
      idOffset: leaf * idSize,
      count: this.countOf(leaf),
      sums: this.sums,
      sumIndex: leaf,
      stamp: this.stamps[leaf]!,
    }
  }
}

/** Leaves in the order they are pushed, cut into blocks at the end. */
export class LeafBlockBuilder {
  #length = 0
  #timestamps: Float64Array
  #ids: Uint8Array
  #counts: Uint32Array
  #sums: Uint32Array
  #stamps: Float64Array

  constructor(capacity: number) {
    this.#timestamps = new Float64Array(capacity)
    this.#ids = new Uint8Array(capacity * idSize)
    this.#counts = new Uint32Array(capacity)
    this.#sums = new Uint32Array(capacity * wordsPerId)
    this.#stamps = new Float64Array(capacity)
  }

  get length(): number {
    return this.#length
  }

  /** Leaves [from, to) of a block as they are. */
  copy(block: LeafBlock, from: number, to: number): void {
    this.#reserve(to - from)
    const at = this.#length
    this.#timestamps.set(block.timestamps.subarray(from, to), at)
    this.#ids.set(block.ids.subarray(from * idSize, to * idSize), at * idSize)
    this.#sums.set(block.sums.subarray(from * wordsPerId, to * wordsPerId), at * wordsPerId)
    this.#stamps.set(block.stamps.subarray(from, to), at)
    for (let i = from; i < to; i++) this.#counts[at + i - from] = block.countOf(i)
    this.#length += to - from
  }

  push(leaf: LeafFields): void {
    this.#reserve(1)
    const at = this.#length++
    this.#timestamps[at] = leaf.timestamp
    this.#ids.set(leaf.ids.subarray(leaf.idOffset, leaf.idOffset + idSize), at * idSize)
    this.#set(at, leaf)
  }

  /** The last leaf pushed. */
  get last(): LeafFields {
    const at = this.#length - 1
    return {
      timestamp: this.#timestamps[at]!,
      ids: this.#ids,
      idOffset: at * idSize,
      count: this.#counts[at]!,
      sums: this.#sums,
      sumIndex: at,
      stamp: this.#stamps[at]!,
    }
  }

  /** Gives the last leaf pushed other contents under the same first key. */
  refill(contents: Pick<LeafFields, 'count' | 'sums' | 'sumIndex' | 'stamp'>): void {
    this.#set(this.#length - 1, contents)
  }

  #set(at: number, contents: Pick<LeafFields, 'count' | 'sums' | 'sumIndex' | 'stamp'>): void {
    this.#counts[at] = contents.count
    for (let i = 0; i < wordsPerId; i++)
      this.#sums[at * wordsPerId + i] = contents.sums[contents.sumIndex * wordsPerId + i]!
    this.#stamps[at] = contents.stamp
  }

  /** Blocks of about equal length, none longer than `maxBlockLeaves`; none for no leaves. */
  build(): LeafBlock[] {
    const blocks = Math.ceil(this.#length / maxBlockLeaves)
    return Array.from({ length: blocks }, (_, k) => {
      const from = Math.floor((k * this.#length) / blocks)
      const to = Math.floor(((k + 1) * this.#length) / blocks)
      return new LeafBlock(
        to - from,
        this.#timestamps.slice(from, to),
        this.#ids.slice(from * idSize, to * idSize),
        this.#counts.subarray(from, to),
        this.#sums.slice(from * wordsPerId, to * wordsPerId),
        this.#stamps.slice(from, to),
      )
    })
  }

  #reserve(more: number): void {
    const capacity = this.#timestamps.length
    if (this.#length + more <= capacity) return
    const larger = Math.max(this.#length + more, capacity * 2)
    this.#timestamps = grown(this.#timestamps, new Float64Array(larger))
    this.#ids = grown(this.#ids, new Uint8Array(larger * idSize))
    this.#counts = grown(this.#counts, new Uint32Array(larger))
    this.#sums = grown(this.#sums, new Uint32Array(larger * wordsPerId))
    this.#stamps = grown(this.#stamps, new Float64Array(larger))
  }
}

function grown<T extends Float64Array | Uint8Array | Uint32Array>(from: T, to: T): T {
  to.set(from)
  return to
}
