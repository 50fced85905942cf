import { type Bound, setBound, startBound } from './bound.ts'
import type { ChangeBatch } from './change-batch.ts'
import { idSize, readId } from './id.ts'
import { IdSum, wordsPerId } from './id-sum.ts'
import { SortedColumns } from './item-columns.ts'
import type { Key } from './key.ts'
import {
  type LeafBlock,
  LeafBlockBuilder,
  type LeafFields,
  maxBlockLeaves,
  spareLeaves,
} from './leaf-block.ts'
import { firstOf, LeafDirectory, type RawKey } from './leaf-directory.ts'
import type { LeafChange, LoadItems } from './leaf-record.ts'
import { NegentropyError } from './negentropy-error.ts'

export interface LeafEditOptions {
  readonly load: LoadItems
  readonly maxLeafSize: number
  readonly nextStamp: () => number
}

/** Items a leaf gets when it is written in one go; the rest of its room is for what comes late. */
export function fillOf(maxLeafSize: number): number {
  return Math.ceil((maxLeafSize * 3) / 4)
}

/**
 * Makes the next directory from one batch of changes, touching only the blocks and leaves the batch falls into. Counts
 * and sums follow from the changes alone; items are loaded only where a leaf became too big to stay whole.
 */
export class LeafEdit {
  readonly #directory: LeafDirectory
  readonly #batch: ChangeBatch
  readonly #options: LeafEditOptions
  /** By first key, so that a leaf touched twice is written once. */
  readonly #changes = new Map<string, LeafChange>()
  readonly #sum = new IdSum()
  readonly #bound: Bound = startBound()
  #builder = new LeafBlockBuilder(0)
  /** The last leaf pushed lost items and may be small enough to take its neighbour in. */
  #shrunk = false

  constructor(directory: LeafDirectory, batch: ChangeBatch, options: LeafEditOptions) {
    this.#directory = directory
    this.#batch = batch
    this.#options = options
  }

  run(): { readonly directory: LeafDirectory; readonly changes: LeafChange[] } {
    const { blocks } = this.#directory
    const batch = this.#batch
    const edited: LeafBlock[] = []
    let untouched = 0
    for (let from = 0; from < batch.count; ) {
      setBound(this.#bound, batch.timestamps[from]!, batch.ids, from * idSize, idSize)
      const k = Math.floor(this.#directory.placeOfBound(this.#bound) / maxBlockLeaves)
      for (; untouched < k; untouched++) edited.push(blocks[untouched]!)
      const to = k + 1 < blocks.length ? this.#below(blocks[k + 1]!, 0, from) : batch.count
      edited.push(...this.#editBlock(k, from, to))
      untouched = k + 1
      from = to
    }
    for (; untouched < blocks.length; untouched++) edited.push(blocks[untouched]!)
    return { directory: this.#withHighest(edited), changes: [...this.#changes.values()] }
  }

  /** Number of the first change at or above the leaf's first key. */
  #below(block: LeafBlock, leaf: number, from: number): number {
    setBound(this.#bound, block.timestamps[leaf]!, block.ids, leaf * idSize, idSize)
    return this.#batch.lowerBound(this.#bound, from)
  }

  #editBlock(k: number, from: number, to: number): LeafBlock[] {
    const block = this.#directory.blocks[k]!
    this.#builder = new LeafBlockBuilder(block.length + spareLeaves)
    this.#shrunk = false
    let leaf = 0
    for (let start = from; start < to; ) {
      setBound(this.#bound, this.#batch.timestamps[start]!, this.#batch.ids, start * idSize, idSize)
      const place = this.#directory.placeOfBound(this.#bound)
      const touched = place % maxBlockLeaves
      this.#copy(block, leaf, touched)
      const end = touched + 1 < block.length ? this.#below(block, touched + 1, start) : to
      this.#editLeaf(place, start, end)
      leaf = touched + 1
      start = end
    }
    this.#copy(block, leaf, block.length)
    return this.#builder.build()
  }

  #copy(block: LeafBlock, from: number, to: number): void {
    if (from === to) return
    const merged = this.#shrunk && this.#merge(block.fields(from))
    this.#shrunk = false
    this.#builder.copy(block, merged ? from + 1 : from, to)
  }

  #editLeaf(place: number, from: number, to: number): void {
    const block = this.#directory.blockOf(place)
    const leaf = block.fields(place % maxBlockLeaves)
    const tail = this.#tail(place, from, to)
    this.#sum.clear()
    this.#sum.add(leaf.sums, leaf.sumIndex, leaf.sumIndex + 1)
    const count = leaf.count + this.#addChanges(from, tail)
    if (count < 0)
      throw new NegentropyError('negentropy/invalid-change', 'more items were removed than there were')
    if (count > this.#options.maxLeafSize) {
      const grown = this.#addChanges(tail, to)
      return this.#divide(place, leaf, count + grown)
    }
    const fill = fillOf(this.#options.maxLeafSize)
    const fits = Math.min(to, tail + Math.max(0, fill - count))
    this.#addChanges(tail, fits)
    this.#push(leaf, count + fits - tail, count < leaf.count, place === 0)
    for (let start = fits; start < to; start += fill) this.#append(start, Math.min(to, start + fill))
  }

  /** Adds the ids of the changes to the sum, or takes them away. @returns by how much the count changes */
  #addChanges(from: number, to: number): number {
    const { ops, words } = this.#batch
    let change = 0
    for (let i = from; i < to; i++) {
      if (ops[i]! > 0) this.#sum.add(words, i, i + 1)
      else this.#sum.subtract(words, i)
      change += ops[i]!
    }
    return change
  }

  /** Number of the first change of [from, to) that is known to lie above every item. */
  #tail(place: number, from: number, to: number): number {
    const { blocks, highest } = this.#directory
    const last = (blocks.length - 1) * maxBlockLeaves + blocks.at(-1)!.length - 1
    if (place !== last || highest === undefined) return to
    let tail = to
    while (tail > from && this.#batch.compare(tail - 1, highest.timestamp, highest.id, 0) > 0) tail--
    for (let i = tail; i < to; i++)
      if (this.#batch.ops[i]! < 0)
        throw new NegentropyError('negentropy/invalid-change', 'an item above all others was removed')
    return tail
  }

  /** A new leaf of items that lie above all others; nothing has to be loaded for it. */
  #append(from: number, to: number): void {
    this.#sum.clear()
    const count = this.#addChanges(from, to)
    const first = { timestamp: this.#batch.timestamps[from]!, ids: this.#batch.ids, idOffset: from * idSize }
    this.#push(first, count, false, false)
  }

  /** Divides a leaf that became too big, by its items. */
  #divide(place: number, leaf: LeafFields, count: number): void {
    const expected = this.#stored()
    const items = SortedColumns.of(
      this.#options.load(this.#directory.firstOf(place), this.#directory.nextOf(place)),
    )
    this.#sum.clear()
    if (items.count > 0) items.addSum(0, items.count, this.#sum)
    if (items.count !== count || !equalSums(this.#stored(), expected))
      throw corrupt(this.#directory.firstOf(place))
    const parts = Math.ceil(count / fillOf(this.#options.maxLeafSize))
    for (let part = 0; part < parts; part++) {
      const from = Math.floor((part * count) / parts)
      const to = Math.floor(((part + 1) * count) / parts)
      this.#sum.clear()
      items.addSum(from, to, this.#sum)
      const first = { timestamp: items.timestamps[from]!, ids: items.ids, idOffset: from * idSize }
      this.#push(part === 0 ? leaf : first, to - from, false, false)
    }
  }

  /** @param kept even when it is empty */
  #push(
    first: Pick<LeafFields, 'timestamp' | 'ids' | 'idOffset'>,
    count: number,
    shrunk: boolean,
    kept: boolean,
  ): void {
    const { timestamp, ids, idOffset } = first
    const leaf = { timestamp, ids, idOffset, count, sums: this.#stored(), sumIndex: 0, stamp: 0 }
    if ((shrunk || this.#shrunk) && this.#merge(leaf)) return
    this.#shrunk = shrunk
    if (count === 0 && !kept) return this.#delete(leaf)
    this.#builder.push({ ...leaf, stamp: this.#options.nextStamp() })
    this.#put(this.#builder.last)
  }

  /** Joins the leaf to the last one pushed if both together stay well below the limit. */
  #merge(leaf: LeafFields): boolean {
    if (this.#builder.length === 0) return false
    const before = this.#builder.last
    const count = before.count + leaf.count
    if (count > this.#options.maxLeafSize / 2) return false
    this.#sum.clear()
    this.#sum.add(before.sums, before.sumIndex, before.sumIndex + 1)
    this.#sum.add(leaf.sums, leaf.sumIndex, leaf.sumIndex + 1)
    this.#builder.refill({ count, sums: this.#stored(), sumIndex: 0, stamp: this.#options.nextStamp() })
    this.#put(this.#builder.last)
    this.#delete(leaf)
    return true
  }

  #stored(): Uint32Array {
    const words = new Uint32Array(wordsPerId)
    this.#sum.store(words, 0)
    return words
  }

  #put(leaf: LeafFields): void {
    const first = { timestamp: leaf.timestamp, id: readId(leaf.ids, leaf.idOffset) }
    const sum = new Uint8Array(idSize)
    this.#sum.clear()
    this.#sum.add(leaf.sums, leaf.sumIndex, leaf.sumIndex + 1)
    this.#sum.storeBytes(sum, 0)
    this.#changes.set(`${first.timestamp}:${first.id}`, {
      op: 'put',
      leaf: { first, count: leaf.count, sum },
    })
  }

  #delete({ timestamp, ids, idOffset }: LeafFields): void {
    const first = { timestamp, id: readId(ids, idOffset) }
    this.#changes.set(`${first.timestamp}:${first.id}`, { op: 'delete', first })
  }

  /** What was added last may be the highest item now; an index just opened has to look once. */
  #withHighest(blocks: LeafBlock[]): LeafDirectory {
    const batch = this.#batch
    const { highest } = this.#directory
    if (highest === undefined) return new LeafDirectory(blocks, loadHighest(blocks, this.#options.load))
    const last = batch.count - 1
    if (last < 0 || batch.compare(last, highest.timestamp, highest.id, 0) <= 0)
      return new LeafDirectory(blocks, highest)
    const id = batch.ids.slice(last * idSize, (last + 1) * idSize)
    return new LeafDirectory(blocks, { timestamp: batch.timestamps[last]!, id })
  }
}

function loadHighest(blocks: readonly LeafBlock[], load: LoadItems): RawKey {
  const block = blocks.at(-1)!
  const leaf = block.length - 1
  const { timestamps, ids } = load(firstOf(block, leaf), undefined)
  const last = timestamps.length - 1
  if (last < 0)
    return { timestamp: block.timestamps[leaf]!, id: block.ids.slice(leaf * idSize, (leaf + 1) * idSize) }
  return { timestamp: timestamps[last]!, id: ids.slice(last * idSize, (last + 1) * idSize) }
}

export function equalSums(a: Uint32Array, b: Uint32Array): boolean {
  return a.every((word, i) => word === b[i])
}

export function corrupt(first: Key): NegentropyError {
  return new NegentropyError(
    'negentropy/corrupt-index',
    `the rows from ${first.timestamp}:${first.id} on are not those the index has counted; rebuild it`,
  )
}
