import { type Bound, endBound, startBound } from './bound.ts'
import type { ChangeJournal } from './change-journal.ts'
import { idSize } from './id.ts'
import { IdSum, wordsPerId } from './id-sum.ts'
import { SortedColumns } from './item-columns.ts'
import { copyBytes } from './item-vector.ts'
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
  #stamp = -1
  #leaf: SortedColumns | undefined

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
    return Math.max(from, start + (count === 0 ? 0 : this.#items(place).lowerBound(bound, 0, count)))
  }

  /** Whole leaves are summed from the directory; only a range that starts or ends within one needs its items. */
  addSum(begin: number, end: number, sum: IdSum): void {
    const directory = this.#directory
    let place = directory.placeOfIndex(begin)
    const last = directory.placeOfIndex(end - 1)
    const lastStart = directory.startOf(last)
    const cut = end < lastStart + directory.countOf(last)
    const skipped = begin - directory.startOf(place)
    if (skipped > 0 && (place < last || !cut)) {
      this.#items(place).addSum(skipped, directory.countOf(place), sum)
      place = directory.following(place)
    } else if (skipped > 0) return this.#items(last).addSum(skipped, end - lastStart, sum)
    const whole = cut ? last : directory.following(last)
    if (place < whole) directory.addLeaves(place, whole, sum)
    if (cut) this.#items(last).addSum(0, end - lastStart, sum)
  }

  timestampAt(index: number): number {
    const place = this.#directory.placeOfIndex(index)
    return this.#items(place).timestamps[index - this.#directory.startOf(place)]!
  }

  copyIds(begin: number, end: number, target: Uint8Array, offset: number): void {
    let at = offset
    for (let index = begin; index < end; ) {
      const place = this.#directory.placeOfIndex(index)
      const start = this.#directory.startOf(place)
      const to = Math.min(end - start, this.#directory.countOf(place))
      copyBytes(this.#items(place).ids, (index - start) * idSize, to * idSize, target, at)
      at += (start + to - index) * idSize
      index = start + to
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

  #items(place: number): SortedColumns {
    const stamp = this.#directory.stampOf(place)
    if (stamp === this.#stamp && this.#leaf !== undefined) return this.#leaf
    let leaf = this.#source.cache.get(stamp)
    if (leaf === undefined) {
      leaf = this.#read(place)
      this.#source.cache.set(stamp, leaf)
    }
    this.#stamp = stamp
    this.#leaf = leaf
    return leaf
  }

  #read(place: number): SortedColumns {
    if (this.#released) throw new NegentropyError('negentropy/out-of-order', 'the snapshot is disposed')
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
