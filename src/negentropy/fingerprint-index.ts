import { ChangeBatch } from './change-batch.ts'
import { ChangeJournal } from './change-journal.ts'
import { checkTimestamp, idSize, writeId } from './id.ts'
import { wordsOf } from './id-sum.ts'
import { IndexSnapshot, type LeafVerdict } from './index-snapshot.ts'
import { LeafBlockBuilder } from './leaf-block.ts'
import { LeafCache } from './leaf-cache.ts'
import { LeafDirectory } from './leaf-directory.ts'
import { LeafEdit } from './leaf-edit.ts'
import { firstKey, type ItemChange, type LeafChange, type LeafRecord, type LoadItems } from './leaf-record.ts'
import { NegentropyError } from './negentropy-error.ts'
import { atLeast } from './session-options.ts'

export interface FingerprintIndexOptions {
  /** All stored records in any order; empty for an empty set. */
  readonly leaves: Iterable<LeafRecord>
  /**
   * Reads rows. During `apply` it must see what the transaction changed; for snapshots it may or may not. Between
   * changing rows and calling `apply` nobody may read a snapshot.
   */
  readonly load: LoadItems
  /** Items of one leaf at most; default 512. May differ from the one the leaves were written with. */
  readonly maxLeafSize?: number | undefined
  /** Memory for loaded items; default 64 MiB. */
  readonly cacheBytes?: number | undefined
  /** Changes remembered for live snapshots; default 262,144 (about 11 MB). Beyond, the oldest snapshots expire. */
  readonly maxJournal?: number | undefined
}

/** What the index stands at. */
interface State {
  readonly directory: LeafDirectory
  readonly generation: number
}

/**
 * Knows the number and the sum of the items of any key range of a big set that lives elsewhere, so that reconciling
 * never scans it. In memory it keeps one entry per leaf of some hundred items; the items are loaded when a range ends
 * within their leaf.
 *
 * Changes come in two phases, to share the fate of the transaction that changes the rows: `apply` inside it, then
 * `commit` or `rollback`. Snapshots see neither.
 */
export class FingerprintIndex {
  readonly #load: LoadItems
  readonly #maxLeafSize: number
  readonly #cache: LeafCache
  readonly #journal: ChangeJournal
  /** Live snapshots by generation. */
  readonly #live = new Map<number, number>()
  #committed: State
  #staged: State | undefined
  #stamps = 0

  /** Throws `negentropy/corrupt-index` when the records cannot be those of one index. */
  constructor(options: FingerprintIndexOptions) {
    this.#load = options.load
    this.#maxLeafSize = options.maxLeafSize ?? 512
    atLeast('maxLeafSize', this.#maxLeafSize, 2)
    const { cacheBytes = 64 * 1024 * 1024, maxJournal = 262_144 } = options
    atLeast('cacheBytes', cacheBytes, 0)
    atLeast('maxJournal', maxJournal, 0)
    this.#cache = new LeafCache(cacheBytes)
    this.#journal = new ChangeJournal(maxJournal)
    this.#committed = { directory: this.#open(options.leaves), generation: 1 }
  }

  /** Committed items. */
  get size(): number {
    return this.#committed.directory.size
  }

  /** Committed leaves. */
  get leafCount(): number {
    return this.#committed.directory.leafCount
  }

  /**
   * Stages the changes of one transaction, after their rows were changed in it; may be called again before `commit`.
   * Costs some microseconds per change, and a load for each leaf that outgrows `maxLeafSize`; what is added above all
   * items loads nothing.
   *
   * @param changes only what really changed: an item that is added must have been missing, and the other way round
   * @returns what to write to the stored leaf records in the same transaction
   */
  apply(changes: readonly ItemChange[]): LeafChange[] {
    const generation = this.#committed.generation + 1
    const batch = new ChangeBatch(changes)
    const edit = new LeafEdit((this.#staged ?? this.#committed).directory, batch, {
      load: this.#load,
      maxLeafSize: this.#maxLeafSize,
      nextStamp: () => ++this.#stamps,
    })
    const { directory, changes: leafChanges } = edit.run()
    this.#staged = { directory, generation }
    this.#journal.record(generation, batch)
    return leafChanges
  }

  /** The transaction is durable: what was staged is the set now. */
  commit(): void {
    if (this.#staged === undefined) return
    this.#committed = this.#staged
    this.#staged = undefined
    this.#trim()
  }

  /** The transaction was undone: forgets what was staged. */
  rollback(): void {
    if (this.#staged === undefined) return
    this.#journal.withdraw(this.#staged.generation)
    this.#staged = undefined
    this.#trim()
  }

  /** The committed set as it is now; costs next to nothing. Dispose it. */
  snapshot(): IndexSnapshot {
    const { directory, generation } = this.#committed
    this.#live.set(generation, (this.#live.get(generation) ?? 0) + 1)
    const source = { load: this.#load, cache: this.#cache, journal: this.#journal }
    return new IndexSnapshot(directory, generation, source, () => this.#release(generation))
  }

  /**
   * Compares every leaf with its rows, one per step, so that the caller can spread the work. The index may change
   * meanwhile. A leaf that does not match calls for a rebuild with `LeafBuilder`.
   */
  *verify(): Generator<LeafVerdict> {
    const snapshot = this.snapshot()
    try {
      yield* snapshot.verify()
    } finally {
      snapshot[Symbol.dispose]()
    }
  }

  #release(generation: number): void {
    const left = this.#live.get(generation)! - 1
    if (left > 0) this.#live.set(generation, left)
    else this.#live.delete(generation)
    this.#trim()
  }

  #trim(): void {
    // A snapshot taken while changes are staged needs them in the journal, however many they are.
    if (this.#staged !== undefined) return
    const oldest = this.#live.keys().reduce((low, at) => Math.min(low, at), this.#committed.generation)
    this.#journal.trim(oldest)
  }

  #open(records: Iterable<LeafRecord>): LeafDirectory {
    const leaves = [...records].sort(byFirst)
    const empty = leaves.length === 0
    if (empty) leaves.push({ first: firstKey, count: 0, sum: new Uint8Array(idSize) })
    const { first } = leaves[0]!
    if (first.timestamp !== firstKey.timestamp || first.id !== firstKey.id)
      throw new NegentropyError('negentropy/corrupt-index', 'the first leaf is missing')
    const builder = new LeafBlockBuilder(leaves.length)
    const ids = new Uint8Array(idSize)
    for (const leaf of leaves) {
      checkTimestamp(leaf.first.timestamp)
      writeId(leaf.first.id, ids, 0)
      if (leaf.sum.length !== idSize)
        throw new NegentropyError('negentropy/corrupt-index', 'the sum of a leaf is not 32 bytes')
      const { timestamp } = leaf.first
      const sums = wordsOf(leaf.sum)
      const stamp = ++this.#stamps
      builder.push({ timestamp, ids, idOffset: 0, count: leaf.count, sums, sumIndex: 0, stamp })
    }
    const below = { timestamp: -1, id: ids }
    return new LeafDirectory(builder.build(), empty ? below : undefined)
  }
}

function byFirst({ first: a }: LeafRecord, { first: b }: LeafRecord): number {
  if (a.timestamp !== b.timestamp) return a.timestamp - b.timestamp
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0
}
