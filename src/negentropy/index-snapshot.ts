import { type Bound, endBound, startBound } from './bound.ts'
import type { ChangeJournal } from './change-journal.ts'
import { copyBytes, idSize } from './id.ts'
import { IdSum, wordsPerId } from './id-sum.ts'
import { SortedColumns } from './item-columns.ts'
import type { Key } from './key.ts'
import { maxBlockLeaves } from './leaf-block.ts'
import type { LeafCache } from './leaf-cache.ts'
import type { LeafDirectory } from './leaf-directory.ts'
import { corrupt, equalSums } from './leaf-edit.ts'
import type { LoadItems } from './leaf-record.ts'
import { NegentropyError } from './negentropy-error.ts'
import type { OrderedSet } from './ordered-set.ts'

/** Whether the rows of the leaf that starts at `first` are those the index has counted. */
export interface LeafVerdict {
  readonly first: Key
  readonly matches: boolean
}

/** What a snapshot reads through. */
export interface SnapshotSource {
  readonly load: LoadItems
  readonly cache: LeafCache
  readonly journal: ChangeJournal
}

/**
 * The set as it was committed when the snapshot was taken, however it changes meanwhile. Dispose it: while it lives,
 * every change is remembered.
 */
export class IndexSnapshot implements OrderedSet, Disposable {
  readonly size: number
  readonly #directory: LeafDirectory
  readonly #generation: number
  readonly #source: SnapshotSource
  readonly #release: () => void
  #released = false
  /** The leaf read last with the indexes it spans: a session asks for neighbours again and again. */
  #leaf: SortedColumns | undefined
  #start = 0
  #end = 0

  constructor(directory: LeafDirectory, generation: number, source: SnapshotSource, release: () => void) {
    this.size = directory.size
    this.#directory = directory
    this.#generation = generation
    this.#source = source
    this.#release = release
  }

  lowerBound(bound: Bound, from: number): number {
    if (bound.timestamp === Number.POSITIVE_INFINITY) return this.size
    const place = this.#directory.placeOfBound(bound)
    const start = this.#directory.startOf(place)
    const count = this.#directory.countOf(place)
    if (start + count <= from) return from
    return Math.max(from, start + (count === 0 ? 0 : this.#moveTo(place).lowerBound(bound, 0, count)))
  }

  /** Whole leaves are summed from the directory; only a range that starts or ends within one needs its items. */
  addSum(begin: number, end: number, sum: IdSum): void {
    if (this.#leaf !== undefined && begin >= this.#start && end <= this.#end)
      return this.#leaf.addSum(begin - this.#start, end - this.#start, sum)
    const directory = this.#directory
    const first = directory.placeOfIndex(begin)
    const last = directory.placeOfIndex(end - 1)
    const skipped = begin - directory.startOf(first)
    const taken = end - directory.startOf(last)
    const cut = taken < directory.countOf(last)
    if (first === last && (skipped > 0 || cut)) return this.#moveTo(first).addSum(skipped, taken, sum)
    if (skipped > 0) this.#moveTo(first).addSum(skipped, directory.countOf(first), sum)
    const whole = skipped > 0 ? directory.following(first) : first
    const behind = cut ? last : directory.following(last)
    if (whole < behind) directory.addLeaves(whole, behind, sum)
    if (cut) this.#moveTo(last).addSum(0, taken, sum)
  }

  timestampAt(index: number): number {
    return this.#moveToIndex(index).timestamps[index - this.#start]!
  }

  copyIds(begin: number, end: number, target: Uint8Array, offset: number): void {
    let at = offset
    for (let index = begin; index < end; ) {
      const { ids } = this.#moveToIndex(index)
      const to = Math.min(end, this.#end)
      copyBytes(ids, (index - this.#start) * idSize, (to - this.#start) * idSize, target, at)
      at += (to - index) * idSize
      index = to
    }
  }

  [Symbol.dispose](): void {
    if (this.#released) return
    this.#released = true
    this.#leaf = undefined
    this.#release()
  }

  /** Compares every leaf with its rows, one per step. */
  *verify(): Generator<LeafVerdict> {
    const end = this.#directory.blocks.length * maxBlockLeaves
    for (let place = 0; place < end; place = this.#directory.following(place))
      yield { first: this.#directory.firstOf(place), matches: this.#matches(place) }
  }

  #matches(place: number): boolean {
    try {
      this.#read(place)
      return true
    } catch (error) {
      if (error instanceof NegentropyError && error.code === 'negentropy/corrupt-index') return false
      throw error
    }
  }

  #moveToIndex(index: number): SortedColumns {
    if (this.#leaf !== undefined && index >= this.#start && index < this.#end) return this.#leaf
    return this.#moveTo(this.#directory.placeOfIndex(index))
  }

  #moveTo(place: number): SortedColumns {
    if (this.#released) throw new NegentropyError('negentropy/out-of-order', 'the snapshot is disposed')
    const stamp = this.#directory.stampOf(place)
    let leaf = this.#source.cache.get(stamp)
    if (leaf === undefined) {
      leaf = this.#read(place)
      this.#source.cache.set(stamp, leaf)
    }
    this.#leaf = leaf
    this.#start = this.#directory.startOf(place)
    this.#end = this.#start + leaf.count
    return leaf
  }

  #read(place: number): SortedColumns {
    const { load, journal } = this.#source
    if (this.#generation < journal.forgotten)
      throw new NegentropyError(
        'negentropy/snapshot-expired',
        'too much changed since the snapshot was taken',
      )
    const rows = load(this.#directory.firstOf(place), this.#directory.nextOf(place))
    const from = startBound()
    const to = endBound()
    this.#directory.range(place, from, to)
    const items = SortedColumns.of(journal.undo(rows, from, to, this.#generation))
    if (items.count !== this.#directory.countOf(place) || !this.#hasSum(items, place))
      throw corrupt(this.#directory.firstOf(place))
    return items
  }

  #hasSum(items: SortedColumns, place: number): boolean {
    const sum = new IdSum()
    if (items.count > 0) items.addSum(0, items.count, sum)
    const words = new Uint32Array(wordsPerId)
    sum.store(words, 0)
    const leaf = place % maxBlockLeaves
    const { sums } = this.#directory.blockOf(place)
    return equalSums(words, sums.subarray(leaf * wordsPerId, (leaf + 1) * wordsPerId))
  }
}
