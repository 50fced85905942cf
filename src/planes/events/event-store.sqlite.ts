import type { Clock } from '../../kernel/clock.ts'
import type { Logger } from '../../kernel/logger.ts'
import type { Store } from '../../kernel/store.ts'
import { fingerprintOf } from '../../negentropy/fingerprint.ts'
import type { SqliteTx } from '../../stores/sqlite/sqlite-tx.ts'
import type { NostrEvent, ParsedEvent, StoredEvent } from './event.ts'
import { banMigrations, bannedSql, bans } from './event-bans.sqlite.ts'
import { countMatches } from './event-count.sqlite.ts'
import { bytesOf } from './event-key.sqlite.ts'
import {
  expiredSql,
  knownAmong,
  type ReadScope,
  readById,
  readFilters,
  readPage,
} from './event-query.sqlite.ts'
import { createReconciler, type HeldSet, heldInMemory } from './event-reconciler.ts'
import { eventMigrations } from './event-schema.sqlite.ts'
import { sentBy, sourceNumber } from './event-source.sqlite.ts'
import {
  type Ban,
  type BanTarget,
  type EventPage,
  type EventStore,
  type PageRequest,
  type PutOutcome,
  type QueryLimits,
  type Reconciler,
  type ReconcilerOptions,
  type SetFingerprint,
  TooManyRecords,
  type Visibility,
} from './event-store.ts'
import { type EventTree, lastSeq } from './event-tree.sqlite.ts'
import { EventTrees } from './event-trees.sqlite.ts'
import { EventVectors, type VectorRequest } from './event-vector.sqlite.ts'
import { EventWriter, type KeyChange } from './event-writer.sqlite.ts'
import type { Filter } from './filter.ts'
import { TimeSlice } from './time-slice.sqlite.ts'

export interface SqliteEventStoreOptions {
  readonly store: Store<SqliteTx>
  /** What this relay is known by: requests to vanish (NIP-62) from other relays have no effect. */
  readonly relayUrls: readonly string[]
  /** Kinds kept from the public; the fingerprint of what the public may read is maintained for exactly these. */
  readonly restrictedKinds: readonly number[]
  readonly clock: Clock
  readonly log: Logger
}

type Listener = Parameters<EventStore<SqliteTx>['onAccepted']>[0]

/** What one transaction has done so far and nobody may see before its commit. */
interface Staged {
  readonly changes: KeyChange[]
  readonly accepted: { readonly event: NostrEvent; readonly raw: string; readonly seq: number }[]
}

/** Expired events a reader skips one by one; with more of them, the reader sweeps first. */
const maxUnswept = 10_000
/** Events removed in one transaction of a sweep: writers wait no longer than that. */
const sweepBatch = 1_000

/** How long a refusal is remembered: longer than any schedule of syncs, and not for ever. */
const refusalSeconds = 30 * 86_400

/** Opens the events of a store, bringing its tables up to date first. */
export async function createSqliteEventStore(
  options: SqliteEventStoreOptions,
): Promise<EventStore<SqliteTx> & AsyncDisposable> {
  const { store, clock, log, restrictedKinds } = options
  await store.migrate([...eventMigrations, ...banMigrations])
  const trees = await EventTrees.open({ store, log, restrictedKinds, slice: new TimeSlice(clock) })
  return new SqliteEventStore(options, trees)
}

class SqliteEventStore implements EventStore<SqliteTx>, AsyncDisposable {
  readonly #store: Store<SqliteTx>
  readonly #clock: Clock
  readonly #log: Logger
  readonly #writer: EventWriter
  readonly #trees: EventTrees
  readonly #vectors = new EventVectors()
  readonly #listeners = new Set<Listener>()
  readonly #staged = new WeakMap<SqliteTx, Staged>()
  /** Transactions of the group that is not committed yet, in their order. */
  readonly #group = new Set<Staged>()
  /** Counts commits that changed the stored set. */
  #generation = 0

  constructor({ store, clock, log, relayUrls }: SqliteEventStoreOptions, trees: EventTrees) {
    this.#trees = trees
    this.#store = store
    this.#clock = clock
    this.#log = log
    this.#writer = new EventWriter(relayUrls)
  }

  put(events: readonly ParsedEvent[]): Promise<readonly PutOutcome[]> {
    return this.#store.transaction((tx) => this.putIn(tx, events), { weight: events.length })
  }

  async putIn(tx: SqliteTx, events: readonly ParsedEvent[], from?: string): Promise<readonly PutOutcome[]> {
    const staged = this.#stage(tx)
    const source = from === undefined || events.length === 0 ? undefined : sourceNumber(tx, from)
    const slice = new TimeSlice(this.#clock)
    const now = this.#now()
    const outcomes: PutOutcome[] = []
    for (const parsed of events) {
      if (slice.spent) await slice.rest()
      const { outcome, seq } = await this.#writer.put(tx, parsed, {
        now,
        source,
        changes: staged.changes,
        slice,
      })
      outcomes.push(outcome)
      if (outcome !== 'stored' && outcome !== 'ephemeral') continue
      staged.accepted.push({ event: parsed.event, raw: parsed.raw, seq })
    }
    return outcomes
  }

  known(ids: readonly string[]): Promise<ReadonlySet<string>> {
    return this.#read((scope) => knownAmong(scope, ids))
  }

  cameFrom(peer: string, ids: readonly string[]): Promise<ReadonlySet<string>> {
    return this.#store.read((tx) => sentBy(tx, peer, ids))
  }

  async refuseIn(tx: SqliteTx, ids: readonly string[]): Promise<void> {
    const statement = tx.prepare(
      'INSERT INTO event_refusals (id, until) VALUES (?, ?) ON CONFLICT DO UPDATE SET until = excluded.until',
    )
    for (const id of ids) statement.run(bytesOf(id), this.#now() + refusalSeconds)
  }

  refused(ids: readonly string[]): Promise<ReadonlySet<string>> {
    return this.#store.read((tx) => {
      const statement = tx.prepare('SELECT 1 FROM event_refusals WHERE id = ? AND until > ?')
      const now = this.#now()
      return new Set(ids.filter((id) => statement.get(bytesOf(id), now) !== undefined))
    })
  }

  get(ids: readonly string[]): Promise<readonly StoredEvent[]> {
    return this.#read((scope) => readById(scope, ids))
  }

  page(request: PageRequest): Promise<EventPage> {
    return this.#read((scope) => readPage(scope, request))
  }

  query(filters: readonly Filter[], limits: QueryLimits): Promise<EventPage> {
    return this.#read((scope) => readFilters(scope, filters, limits))
  }

  async count(filters: readonly Filter[], visibility: Visibility): Promise<number> {
    const [only = {}, ...others] = filters
    const { limit: _, ...filter } = only
    const tree = filters.length > 0 && others.length === 0 ? this.#trees.for(filter, visibility) : undefined
    if (tree !== undefined && (await this.#read(({ expired }) => expired.size === 0))) {
      using held = await this.#trees.hold(tree, filter)
      return held.set.size
    }
    return await this.#read((scope) => countMatches(scope, filters, visibility))
  }

  async fingerprint({ limit: _, ...filter }: Filter, visibility: Visibility): Promise<SetFingerprint> {
    using held = await this.#hold({ filter, visibility, maxRecords: Number.POSITIVE_INFINITY })
    return await held.load(() => ({ count: held.set.size, fingerprint: fingerprintOf(held.set) }))
  }

  async reconciler(options: ReconcilerOptions): Promise<Reconciler> {
    const { filter, visibility, maxRecords = Number.POSITIVE_INFINITY } = options
    if (filter.limit !== undefined) throw new TypeError('a set to reconcile has no limit')
    return createReconciler(await this.#hold({ filter, visibility, maxRecords }), options)
  }

  lastSeq(): Promise<number> {
    return this.#store.read(lastSeq)
  }

  onAccepted(listener: Listener): Disposable {
    // A listener of its own, so that one function may listen twice and stop once.
    const own: Listener = (...accepted) => listener(...accepted)
    this.#listeners.add(own)
    return { [Symbol.dispose]: () => void this.#listeners.delete(own) }
  }

  async sweep(): Promise<number> {
    const now = this.#now()
    await this.#store.transaction(
      (tx) => void tx.prepare('DELETE FROM event_refusals WHERE until <= ?').run(now),
    )
    // A ban that a crash interrupted is brought to its end here.
    return (await this.#removeAll(expiredSql, now)) + (await this.#removeAll(bannedSql))
  }

  async ban(target: BanTarget, reason: string): Promise<void> {
    await this.#store.transaction((tx) => bans.add(tx, target, reason))
    await this.#removeAll(bannedSql)
  }

  unban(target: BanTarget): Promise<boolean> {
    return this.#store.transaction((tx) => {
      const removed = bans.remove(tx, target)
      // Peers that were refused these events are to be heard again; which ids they were is not known.
      if (removed) tx.prepare('DELETE FROM event_refusals').run()
      return removed
    })
  }

  bans(by: BanTarget['by']): Promise<readonly Ban[]> {
    return this.#store.read((tx) => bans.list(tx, by))
  }

  /** In transactions that keep nobody waiting for long. @param sql selects `seq`, its last parameter is a limit */
  async #removeAll(sql: string, ...values: readonly number[]): Promise<number> {
    for (let all = 0; ; ) {
      const removed = await this.#store.transaction((tx) => {
        const rows = tx.prepare(sql).all(...values, sweepBatch)
        const { changes } = rows.length === 0 ? { changes: [] } : this.#stage(tx)
        for (const row of rows) this.#writer.remove(tx, Number(row.seq), changes)
        return rows.length
      })
      all += removed
      if (removed < sweepBatch) return all
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listeners.clear()
  }

  #now(): number {
    return Math.floor(this.#clock.now() / 1_000)
  }

  async #hold(request: VectorRequest): Promise<HeldSet> {
    const tree = this.#trees.for(request.filter, request.visibility)
    if (tree !== undefined) return await this.#holdTree(tree, request)
    const generation = this.#generation
    const now = this.#now()
    return heldInMemory(await this.#read((scope) => this.#vectors.get(scope, request, generation, now)))
  }

  async #holdTree(tree: EventTree, { filter, maxRecords }: VectorRequest): Promise<HeldSet> {
    // The index counts what is stored, and what has expired must not be counted.
    if ((await this.#read(({ expired }) => expired.size)) > 0) await this.sweep()
    const held = await this.#trees.hold(tree, filter)
    if (held.set.size <= maxRecords) return held
    held[Symbol.dispose]()
    throw new TooManyRecords(maxRecords)
  }

  async #read<T>(work: (scope: ReadScope) => T | Promise<T>): Promise<T> {
    for (;;) {
      const done = await this.#store.read((tx) => {
        const rows = tx.prepare(expiredSql).all(this.#now(), maxUnswept)
        if (rows.length >= maxUnswept) return undefined
        const expired = new Set(rows.map((row) => Number(row.seq)))
        const result = work({ tx, expired, slice: new TimeSlice(this.#clock) })
        // What needs no pause needs no promise either, and the store may end the snapshot at once.
        return result instanceof Promise ? result.then((value) => ({ value })) : { value: result }
      })
      if (done !== undefined) return done.value
      await this.sweep()
    }
  }

  #stage(tx: SqliteTx): Staged {
    const known = this.#staged.get(tx)
    if (known !== undefined) return known
    const staged: Staged = { changes: [], accepted: [] }
    this.#staged.set(tx, staged)
    this.#group.add(staged)
    tx.beforeCommit(this, () =>
      this.#trees.apply(
        tx,
        [...this.#group].flatMap(({ changes }) => changes),
      ),
    )
    tx.afterCommit(() => {
      this.#group.delete(staged)
      this.#trees.commit()
      if (staged.changes.length > 0) this.#generation += 1
      this.#tell(staged.accepted)
    })
    tx.onRollback(() => {
      this.#group.delete(staged)
      this.#trees.rollback()
    })
    return staged
  }

  #tell(accepted: Staged['accepted']): void {
    if (accepted.length === 0) return
    const events = accepted.map(({ event }) => event)
    const raws = accepted.map(({ raw }) => raw)
    const seqs = accepted.map(({ seq }) => seq)
    for (const listener of [...this.#listeners]) {
      try {
        listener(events, raws, seqs)
      } catch (error) {
        // The events are committed: one broken listener must neither fail the writer nor silence the others.
        this.#log.error('a listener for accepted events failed', { error })
      }
    }
  }
}
