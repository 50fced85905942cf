import type { Logger } from '../../kernel/logger.ts'
import type { Store } from '../../kernel/store.ts'
import { TimeRange } from '../../negentropy/time-range.ts'
import type { SqliteTx } from '../../stores/sqlite/sqlite-tx.ts'
import type { HeldSet } from './event-reconciler.ts'
import type { Visibility } from './event-store.ts'
import { EventTree, isCorrupt } from './event-tree.sqlite.ts'
import type { KeyChange } from './event-writer.sqlite.ts'
import type { Filter } from './filter.ts'
import type { TimeSlice } from './time-slice.sqlite.ts'

/** Numbers of the trees in their tables. */
const allEvents = 0
const publicEvents = 1

/** Fills a group commit, so that nothing else shares it. */
const wholeGroup = 1_000_000_000

export interface TreeOptions {
  readonly store: Store<SqliteTx>
  readonly restrictedKinds: readonly number[]
  readonly log: Logger
  readonly slice: TimeSlice
}

/** The maintained fingerprint indexes: of all events, and of those everybody may read. */
export class EventTrees {
  readonly #store: Store<SqliteTx>
  readonly #log: Logger
  readonly #restricted: readonly number[]
  readonly #all: EventTree
  /** Undefined when no kind is restricted: then all events are public. */
  readonly #public: EventTree | undefined

  readonly #slice: TimeSlice

  private constructor({ store, restrictedKinds, log, slice }: TreeOptions) {
    this.#store = store
    this.#log = log
    this.#slice = slice
    this.#restricted = restrictedKinds
    this.#all = new EventTree(allEvents, [])
    this.#public = restrictedKinds.length > 0 ? new EventTree(publicEvents, restrictedKinds) : undefined
  }

  /** Loads the indexes; those that do not fit the events, or the restricted kinds, are built anew first. */
  static async open(options: TreeOptions): Promise<EventTrees> {
    const trees = new EventTrees(options)
    const stale = await options.store.read((tx) => trees.#list().filter((tree) => !tree.open(tx)))
    if (trees.#public === undefined)
      await options.store.transaction((tx) => EventTree.forget(tx, publicEvents))
    for (const tree of stale) await trees.#rebuild(tree)
    return trees
  }

  /**
   * Takes over the changes of a transaction, in it, after its rows were changed. An index that turns out not to fit
   * its events is built anew on the spot: a write must not fail for it.
   */
  apply(tx: SqliteTx, changes: readonly KeyChange[]): void {
    const net = netChanges(changes)
    for (const tree of this.#list()) {
      try {
        if (!tree.rebuilt) tree.apply(tx, net)
        // Built anew in this very group: it has seen some of the changes and not others.
        else for (const _ of tree.rebuild(tx));
      } catch (error) {
        if (!isCorrupt(error)) throw error
        this.#log.error('the fingerprint index did not fit its events and is built anew', { error })
        for (const _ of tree.rebuild(tx));
      }
    }
  }

  commit(): void {
    for (const tree of this.#list()) tree.commit()
  }

  rollback(): void {
    for (const tree of this.#list()) tree.rollback()
  }

  /** The index that holds exactly what the filter, apart from its times, selects for this reader. */
  for(filter: Filter, { restrictedKinds, pubkeys, guard }: Visibility): EventTree | undefined {
    if (guard !== undefined) return undefined
    const timesOnly = Object.entries(filter).every(([key, value]) => {
      return value === undefined || key === 'since' || key === 'until'
    })
    if (!timesOnly || (filter.since ?? 0) > (filter.until ?? Number.MAX_SAFE_INTEGER)) return undefined
    if (restrictedKinds.length === 0) return this.#all
    const hidden = new Set(restrictedKinds)
    const asConfigured =
      this.#restricted.every((kind) => hidden.has(kind)) && hidden.size === this.#restricted.length
    return asConfigured && pubkeys.length === 0 ? this.#public : undefined
  }

  /** Holds the part of a tree that lies between two times. */
  async hold(tree: EventTree, { since, until }: Filter): Promise<HeldSet> {
    const snapshot = tree.snapshot()
    const load = <T>(work: () => T) => this.#load(tree, work)
    try {
      const set = await load(() => new TimeRange(snapshot, since, until))
      return { set, heldRecords: 0, load, [Symbol.dispose]: () => snapshot[Symbol.dispose]() }
    } catch (error) {
      snapshot[Symbol.dispose]()
      throw error
    }
  }

  async #load<T>(tree: EventTree, work: () => T): Promise<T> {
    try {
      return await this.#store.read((tx) => tree.within(tx, work))
    } catch (error) {
      if (isCorrupt(error)) {
        // This session is lost, but the next one must not be.
        this.#log.error('the fingerprint index does not fit its events and is built anew', { error })
        await this.#rebuild(tree)
      }
      throw error
    }
  }

  #list(): EventTree[] {
    return this.#public === undefined ? [this.#all] : [this.#all, this.#public]
  }

  async #rebuild(tree: EventTree): Promise<void> {
    const work = async (tx: SqliteTx) => {
      tx.afterCommit(() => tree.commit())
      tx.onRollback(() => tree.rollback())
      for (const _ of tree.rebuild(tx)) if (this.#slice.spent) await this.#slice.rest()
    }
    await this.#store.transaction(work, { weight: wholeGroup })
  }
}

/** What is left when events that came and went, or went and came back, within one group of transactions are left out. */
function netChanges(changes: readonly KeyChange[]): readonly KeyChange[] {
  if (changes.every(({ sign }) => sign > 0)) return changes
  const byId = new Map<string, KeyChange>()
  for (const change of changes) {
    if (byId.has(change.id)) byId.delete(change.id)
    else byId.set(change.id, change)
  }
  return [...byId.values()]
}
