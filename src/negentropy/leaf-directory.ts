import { type Bound, setBound } from './bound.ts'
import { idSize, readId } from './id.ts'
import { IdSum, wordsPerId } from './id-sum.ts'
import type { Key } from './key.ts'
import { type LeafBlock, maxBlockLeaves } from './leaf-block.ts'

/** A key in binary. */
export interface RawKey {
  readonly timestamp: number
  readonly id: Uint8Array
}

/**
 * All leaves of one state of an index: blocks in key order, at least one leaf, the first of which starts at
 * `firstKey`. Never changed; the next state shares every block that it did not touch.
 *
 * A leaf's *place* is block · maxBlockLeaves + leaf in the block.
 */
export class LeafDirectory {
  readonly blocks: readonly LeafBlock[]
  /** At or above every item; undefined: not known yet. What is added above it needs no look at the rows. */
  readonly highest: RawKey | undefined
  /** Items. */
  readonly size: number
  #starts: Float64Array | undefined
  #prefixSums: Uint32Array | undefined

  constructor(blocks: readonly LeafBlock[], highest: RawKey | undefined) {
    this.blocks = blocks
    this.highest = highest
    let size = 0
    for (let k = 0; k < blocks.length; k++) size += blocks[k]!.size
    this.size = size
  }

  /** Entry k: items in the first k blocks. Computed when first asked for, as most states are never read. */
  get #blockStarts(): Float64Array {
    if (this.#starts === undefined) {
      const starts = new Float64Array(this.blocks.length + 1)
      for (let k = 0; k < this.blocks.length; k++) starts[k + 1] = starts[k]! + this.blocks[k]!.size
      this.#starts = starts
    }
    return this.#starts
  }

  get leafCount(): number {
    return this.blocks.reduce((count, block) => count + block.length, 0)
  }

  blockOf(place: number): LeafBlock {
    return this.blocks[Math.floor(place / maxBlockLeaves)]!
  }

  /** Place of the leaf that holds the item `index`. */
  placeOfIndex(index: number): number {
    const blockStarts = this.#blockStarts
    const block = last(this.blocks.length, (k) => blockStarts[k]! <= index)
    const { starts, length } = this.blocks[block]!
    const rest = index - blockStarts[block]!
    return block * maxBlockLeaves + last(length, (leaf) => starts[leaf]! <= rest)
  }

  /** Place of the leaf whose range holds the bound. */
  placeOfBound({ timestamp, prefix }: Bound): number {
    const below = (block: LeafBlock, leaf: number) => {
      const at = block.timestamps[leaf]!
      return at < timestamp || (at === timestamp && block.compareFirst(leaf, at, prefix, 0) <= 0)
    }
    const blocks = this.blocks
    const k = last(blocks.length, (block) => below(blocks[block]!, 0))
    const block = blocks[k]!
    return k * maxBlockLeaves + last(block.length, (leaf) => below(block, leaf))
  }

  /** Index of the leaf's first item. */
  startOf(place: number): number {
    const block = Math.floor(place / maxBlockLeaves)
    return this.#blockStarts[block]! + this.blocks[block]!.starts[place % maxBlockLeaves]!
  }

  countOf(place: number): number {
    return this.blockOf(place).countOf(place % maxBlockLeaves)
  }

  stampOf(place: number): number {
    return this.blockOf(place).stamps[place % maxBlockLeaves]!
  }

  firstOf(place: number): Key {
    return firstOf(this.blockOf(place), place % maxBlockLeaves)
  }

  /** Place of the next leaf; behind the last one, a place that only `addLeaves` understands. */
  following(place: number): number {
    const block = Math.floor(place / maxBlockLeaves)
    const last = place % maxBlockLeaves === this.blocks[block]!.length - 1
    return last ? (block + 1) * maxBlockLeaves : place + 1
  }

  /** Where the leaf's range ends. */
  nextOf(place: number): Key | undefined {
    const next = this.following(place)
    return next < this.blocks.length * maxBlockLeaves ? this.firstOf(next) : undefined
  }

  /** Sets the bounds of the leaf's range. */
  range(place: number, from: Bound, to: Bound): void {
    this.#boundOf(place, from)
    const next = this.following(place)
    if (next < this.blocks.length * maxBlockLeaves) this.#boundOf(next, to)
    else setBound(to, Number.POSITIVE_INFINITY, to.prefix, 0, 0)
  }

  #boundOf(place: number, bound: Bound): void {
    const block = this.blockOf(place)
    const leaf = place % maxBlockLeaves
    setBound(bound, block.timestamps[leaf]!, block.ids, leaf * idSize, idSize)
  }

  /** Adds the sums of the leaves at the places from `from` up to, not including, `to`. */
  addLeaves(from: number, to: number, sum: IdSum): void {
    this.#addBefore(to, sum, true)
    this.#addBefore(from, sum, false)
  }

  #addBefore(place: number, sum: IdSum, plus: boolean): void {
    const block = Math.floor(place / maxBlockLeaves)
    const leaf = place % maxBlockLeaves
    this.#prefixSums ??= this.#sumBlocks()
    const prefixSums = this.#prefixSums
    if (plus) sum.add(prefixSums, block, block + 1)
    else sum.subtract(prefixSums, block)
    if (leaf === 0) return
    if (plus) sum.add(this.blocks[block]!.prefixSums, leaf, leaf + 1)
    else sum.subtract(this.blocks[block]!.prefixSums, leaf)
  }

  #sumBlocks(): Uint32Array {
    const sums = new Uint32Array((this.blocks.length + 1) * wordsPerId)
    const sum = new IdSum()
    this.blocks.forEach((block, k) => {
      sum.add(block.prefixSums, block.length, block.length + 1)
      sum.store(sums, k + 1)
    })
    return sums
  }
}

export function firstOf(block: LeafBlock, leaf: number): Key {
  return { timestamp: block.timestamps[leaf]!, id: readId(block.ids, leaf * idSize) }
}

/** The last of 0 … count − 1 that is below, given that those below come first and 0 is one of them. */
function last(count: number, below: (k: number) => boolean): number {
  let low = 0
  let high = count - 1
  while (low < high) {
    const middle = (low + high + 1) >>> 1
    if (below(middle)) low = middle
    else high = middle - 1
  }
  return low
}
