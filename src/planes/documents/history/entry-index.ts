import {
  FingerprintIndex,
  type IndexSnapshot,
  type ItemChange,
  type Key,
  LeafBuilder,
  type OrderedSet,
} from '../../../negentropy/index.ts'
import { type DatabaseId, digestOf, type EntryId } from '../entry/entry-id.ts'
import type { CanonicalKey, DocumentView } from '../storage/document-storage.ts'

/** Below every entry. */
const lowest: Key = { timestamp: 0, id: '0'.repeat(64) }

/** Changes that wait to be taken over; beyond, building the index anew costs less. */
const maxPending = 100_000

/**
 * The verified entries of a database as a set for range reconciliation: by (height, id), with the sum of every leaf of
 * some hundred entries in memory. Built from the storage when it is first asked for, and kept up from then on.
 */
export class EntryIndex {
  readonly #database: DatabaseId
  readonly #index: FingerprintIndex
  /** Where items are loaded from while somebody works with the index. */
  #view: DocumentView | undefined
  /** Durable, and not yet in the index. */
  #pending: CanonicalKey[] = []

  constructor(view: DocumentView, database: DatabaseId) {
    this.#database = database
    const builder = new LeafBuilder()
    builder.add(view.columns(database, lowest, undefined))
    const load = (from: Key, to: Key | undefined) => this.#load(from, to)
    this.#index = new FingerprintIndex({ leaves: builder.finish(), load })
  }

  /** False when too much has changed for the index to be kept. */
  note(keys: readonly CanonicalKey[]): boolean {
    this.#pending.push(...keys)
    return this.#pending.length <= maxPending
  }

  /** The set as it is now. The view must see everything that was noted. */
  snapshot(view: DocumentView): IndexSnapshot {
    const changes = this.#pending.map(({ height, id }): ItemChange => {
      return { key: { timestamp: height, id: hexOf(id) }, op: 'add' }
    })
    this.#pending = []
    if (changes.length > 0) {
      this.within(view, () => this.#index.apply(changes))
      this.#index.commit()
    }
    return this.#index.snapshot()
  }

  /** Lets a snapshot load items while `work` runs. */
  within<T>(view: DocumentView, work: () => T): T {
    const outer = this.#view
    this.#view = view
    try {
      return work()
    } finally {
      this.#view = outer
    }
  }

  #load(from: Key, to: Key | undefined) {
    if (this.#view === undefined) throw new Error('entries of an index were asked for outside a read')
    return this.#view.columns(this.#database, from, to)
  }
}

/** The verified entries of a database at one moment. Dispose it: while it lives, every change is remembered. */
export interface EntrySet extends Disposable {
  readonly size: number
  /** Works on the set, synchronously: what it asks for is read from the storage. Timestamps are heights. */
  use<T>(work: (set: OrderedSet) => T): Promise<T>
}

/** The indexes of the databases that are reconciled. */
export class EntryIndexes {
  readonly #indexes = new Map<DatabaseId, EntryIndex>()
  readonly #read: <T>(work: (view: DocumentView) => T) => Promise<T>

  constructor(read: <T>(work: (view: DocumentView) => T) => Promise<T>) {
    this.#read = read
  }

  /** After a commit: what was verified in it. */
  note(database: DatabaseId, keys: readonly CanonicalKey[]): void {
    const index = this.#indexes.get(database)
    if (index !== undefined && !index.note(keys)) this.#indexes.delete(database)
  }

  async open(database: DatabaseId): Promise<EntrySet> {
    const { index, snapshot } = await this.#read((view) => {
      // What commits while this runs is noted after it: nothing falls between the two.
      const index = this.#indexes.get(database) ?? new EntryIndex(view, database)
      this.#indexes.set(database, index)
      return { index, snapshot: index.snapshot(view) }
    })
    return {
      size: snapshot.size,
      use: (work) => this.#read((view) => index.within(view, () => work(snapshot))),
      [Symbol.dispose]: () => snapshot[Symbol.dispose](),
    }
  }
}

function hexOf(id: EntryId): string {
  return Buffer.from(digestOf(id)).toString('hex')
}
