import type { ItemColumns, Key } from '../../../negentropy/index.ts'
import { databaseOf, type SealedEntry } from '../entry/entry.ts'
import {
  compareIds,
  type DatabaseId,
  digestOf,
  type EntryId,
  entryIdOfDigest,
  sortedIds,
} from '../entry/entry-id.ts'
import {
  type BatchOptions,
  compareKeys,
  type DocumentBatch,
  type DocumentStorage,
  type DocumentView,
  type HeldEntry,
  type ListedBytes,
  type ListOptions,
  type SavedState,
  type Verification,
  type Want,
} from './document-storage.ts'

interface MemoryEntry {
  readonly sealed: SealedEntry
  readonly database: DatabaseId
  status: Verification
  wants: readonly Want[]
}

interface MemoryState extends SavedState {
  readonly body: Uint8Array
}

interface MemoryDatabase {
  readonly tips: Set<EntryId>
  /** Verified entries in canonical order. */
  readonly order: SealedEntry[]
}

/** Keeps everything in this process: tests, and databases that need not outlive it. */
export class MemoryDocumentStorage implements DocumentStorage<DocumentBatch> {
  readonly #batch = new MemoryBatch()
  #last: Promise<unknown> = Promise.resolve()

  write<T>(
    work: (batch: DocumentBatch, tx: DocumentBatch) => T | Promise<T>,
    { signal }: BatchOptions = {},
  ): Promise<T> {
    const run = async () => {
      signal?.throwIfAborted()
      try {
        const result = await work(this.#batch, this.#batch)
        this.#batch.commit()
        return result
      } catch (error) {
        this.#batch.rollback()
        throw error
      }
    }
    const result = this.#last.then(run)
    this.#last = result.catch(() => {})
    return result
  }

  /** Waits for the batch under way, so that it never sees half of one. */
  async read<T>(work: (view: DocumentView) => T | Promise<T>): Promise<T> {
    const result = this.#last.then(() => work(this.#batch))
    this.#last = result.catch(() => {})
    return await result
  }

  batchIn(tx: DocumentBatch): DocumentBatch {
    return tx
  }
}

class MemoryBatch implements DocumentBatch {
  readonly #entries = new Map<EntryId, MemoryEntry>()
  readonly #databases = new Map<DatabaseId, MemoryDatabase>()
  /** Held entries by what they wait for. */
  readonly #waiting = new Map<EntryId, Set<EntryId>>()
  readonly #lineages = new Map<EntryId, Uint8Array>()
  readonly #states = new Map<string, MemoryState[]>()
  readonly #values = new Map<string, string>()
  /** How to take back what the batch under way has done, last first. */
  #undo: (() => void)[] = []
  #after: (() => void)[] = []
  #rollback: (() => void)[] = []

  commit(): void {
    const hooks = this.#after
    this.#forget()
    for (const hook of hooks) hook()
  }

  rollback(): void {
    const hooks = this.#rollback.toReversed()
    for (const undo of this.#undo.toReversed()) undo()
    this.#forget()
    for (const hook of hooks) hook()
  }

  databases(): readonly DatabaseId[] {
    return sortedIds(this.#databases.keys().filter((id) => this.count(id) > 0))
  }

  status(id: EntryId): Verification | undefined {
    return this.#entries.get(id)?.status
  }

  present(ids: readonly EntryId[]): ReadonlySet<EntryId> {
    return new Set(ids.filter((id) => this.#entries.has(id)))
  }

  held(id: EntryId): HeldEntry | undefined {
    return this.#entries.get(id)
  }

  entry(id: EntryId): SealedEntry | undefined {
    const held = this.#entries.get(id)
    return held?.status === 'verified' ? held.sealed : undefined
  }

  tips(database: DatabaseId): readonly EntryId[] {
    return sortedIds(this.#databases.get(database)?.tips ?? [])
  }

  count(database: DatabaseId): number {
    return this.#databases.get(database)?.order.length ?? 0
  }

  list(database: DatabaseId, { after, fromHeight = 0, limit }: ListOptions): readonly SealedEntry[] {
    const order = this.#databases.get(database)?.order ?? []
    const key = after ?? { height: fromHeight, id: '' as EntryId }
    const first = placeOf(order, key)
    const equal = order[first]?.id === key.id ? 1 : 0
    return order.slice(first + equal, first + equal + limit)
  }

  listBytes(database: DatabaseId, options: ListOptions): readonly ListedBytes[] {
    return this.list(database, options).map(({ id, entry, bytes }) => ({
      key: { height: entry.height, id },
      bytes,
    }))
  }

  columns(database: DatabaseId, from: Key, to: Key | undefined): ItemColumns {
    const order = this.#databases.get(database)?.order ?? []
    const place = ({ timestamp, id }: Key) =>
      placeOf(order, { height: timestamp, id: entryIdOfDigest(Buffer.from(id, 'hex')) })
    const found = order.slice(place(from), to === undefined ? undefined : place(to))
    const ids = new Uint8Array(found.length * 32)
    for (const [i, { id }] of found.entries()) ids.set(digestOf(id), i * 32)
    return { timestamps: Float64Array.from(found, ({ entry }) => entry.height), ids }
  }

  listByStatus(database: DatabaseId, status: 'unverified' | 'failed'): readonly SealedEntry[] {
    const found = [...this.#entries.values()].filter((held) => {
      return held.database === database && held.status === status
    })
    return found.map(({ sealed }) => sealed).sort(compareEntries)
  }

  isReady(database: DatabaseId): boolean {
    const waiting = new Set<EntryId>()
    for (const [wanted, children] of this.#waiting)
      if (this.status(wanted) !== 'verified') for (const child of children) waiting.add(child)
    return this.listByStatus(database, 'unverified').some(({ id }) => !waiting.has(id))
  }

  heldCount(database: DatabaseId, status: 'unverified' | 'failed' = 'unverified'): number {
    return this.listByStatus(database, status).length
  }

  wanted(database: DatabaseId, limit: number): readonly EntryId[] {
    const ids = [...this.#wants()].filter((want) => want.database === database).map(({ id }) => id)
    return sortedIds(ids).slice(0, limit)
  }

  wantedDatabases(): readonly DatabaseId[] {
    return sortedIds([...this.#wants()].map(({ database }) => database))
  }

  waitingFor(id: EntryId): readonly EntryId[] {
    return [...(this.#waiting.get(id) ?? [])]
  }

  lineage(id: EntryId): Uint8Array | undefined {
    return this.#lineages.get(id)
  }

  states(database: DatabaseId, store: string): readonly SavedState[] {
    return this.#states.get(stateKey(database, store)) ?? []
  }

  state(database: DatabaseId, store: string, tips: readonly EntryId[]): Uint8Array | undefined {
    const states = this.#states.get(stateKey(database, store)) ?? []
    return states.find((state) => tipsKey(state.tips) === tipsKey(tips))?.body
  }

  value(key: string): string | undefined {
    return this.#values.get(key)
  }

  add(sealed: SealedEntry, status: 'verified' | 'unverified'): void {
    if (this.#entries.has(sealed.id)) return
    const held: MemoryEntry = { sealed, database: databaseOf(sealed), status, wants: [] }
    this.#entries.set(sealed.id, held)
    this.#undo.push(() => this.#entries.delete(sealed.id))
    if (status === 'verified') this.#advance(held)
  }

  decide(id: EntryId, status: 'verified' | 'failed'): void {
    const held = this.#entries.get(id)
    if (held === undefined || held.status !== 'unverified') return
    this.setWants(id, [])
    held.status = status
    this.#undo.push(() => {
      held.status = 'unverified'
    })
    if (status === 'verified') this.#advance(held)
  }

  setWants(id: EntryId, wants: readonly Want[]): void {
    const held = this.#entries.get(id)
    if (held === undefined) return
    const before = held.wants
    this.#replaceWants(held, wants)
    this.#undo.push(() => this.#replaceWants(held, before))
  }

  drop(id: EntryId): void {
    const held = this.#entries.get(id)
    if (held === undefined || held.status === 'verified') return
    this.setWants(id, [])
    this.#entries.delete(id)
    this.#undo.push(() => this.#entries.set(id, held))
  }

  saveLineage(id: EntryId, body: Uint8Array): void {
    if (this.#lineages.has(id)) return
    this.#lineages.set(id, body)
    this.#undo.push(() => this.#lineages.delete(id))
  }

  saveState(database: DatabaseId, store: string, saved: SavedState, body: Uint8Array, keep: number): void {
    const key = stateKey(database, store)
    const name = tipsKey(saved.tips)
    const others = (this.#states.get(key) ?? []).filter(({ tips }) => tipsKey(tips) !== name)
    const kept = [{ ...saved, body }, ...others.slice(0, keep)].sort((a, b) => b.count - a.count)
    this.#set(this.#states, key, kept)
  }

  clearStates(database?: DatabaseId): void {
    for (const key of [...this.#states.keys()])
      if (database === undefined || key.startsWith(`${database} `)) this.#set(this.#states, key, undefined)
  }

  setValue(key: string, value: string | undefined): void {
    this.#set(this.#values, key, value)
  }

  flush(): void {}

  afterCommit(work: () => void): void {
    this.#after.push(work)
  }

  onRollback(work: () => void): void {
    this.#rollback.push(work)
  }

  #forget(): void {
    this.#undo = []
    this.#after = []
    this.#rollback = []
  }

  #advance({ sealed, database }: MemoryEntry): void {
    let entries = this.#databases.get(database)
    if (entries === undefined) {
      entries = { tips: new Set(), order: [] }
      this.#databases.set(database, entries)
    }
    const { tips, order } = entries
    const replaced = sealed.entry.parents.filter((parent) => tips.delete(parent))
    tips.add(sealed.id)
    order.splice(placeOf(order, { height: sealed.entry.height, id: sealed.id }), 0, sealed)
    this.#undo.push(() => {
      tips.delete(sealed.id)
      for (const parent of replaced) tips.add(parent)
      order.splice(order.indexOf(sealed), 1)
    })
  }

  #replaceWants(held: MemoryEntry, wants: readonly Want[]): void {
    const { id } = held.sealed
    for (const want of held.wants) {
      const children = this.#waiting.get(want.id)
      children?.delete(id)
      if (children?.size === 0) this.#waiting.delete(want.id)
    }
    for (const want of wants) this.#waiting.set(want.id, (this.#waiting.get(want.id) ?? new Set()).add(id))
    held.wants = wants
  }

  *#wants(): Generator<Want> {
    for (const { wants } of this.#entries.values())
      for (const want of wants) if (!this.#entries.has(want.id)) yield want
  }

  #set<Value>(map: Map<string, Value>, key: string, value: Value | undefined): void {
    const before = map.get(key)
    const put = (next: Value | undefined) => (next === undefined ? map.delete(key) : map.set(key, next))
    put(value)
    this.#undo.push(() => put(before))
  }
}

/** Index of the first entry at or above the key. */
function placeOf(
  order: readonly SealedEntry[],
  key: { readonly height: number; readonly id: EntryId },
): number {
  let low = 0
  let high = order.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const { id, entry } = order[middle]!
    if (compareKeys({ height: entry.height, id }, key, compareIds) < 0) low = middle + 1
    else high = middle
  }
  return low
}

function compareEntries(a: SealedEntry, b: SealedEntry): number {
  return a.entry.height - b.entry.height || compareIds(a.id, b.id)
}

function stateKey(database: DatabaseId, store: string): string {
  return `${database} ${store}`
}

function tipsKey(tips: readonly EntryId[]): string {
  return sortedIds(tips).join()
}
