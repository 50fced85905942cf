import { FingerprintIndex } from '../../negentropy/fingerprint-index.ts'
import type { IndexSnapshot } from '../../negentropy/index-snapshot.ts'
import type { ItemColumns } from '../../negentropy/item-columns.ts'
import type { Key } from '../../negentropy/key.ts'
import { LeafBuilder } from '../../negentropy/leaf-builder.ts'
import type { ItemChange, LeafChange, LeafRecord } from '../../negentropy/leaf-record.ts'
import { NegentropyError } from '../../negentropy/negentropy-error.ts'
import type { SqliteTx } from '../../stores/sqlite/sqlite-tx.ts'
import { EventCursor, type KeyRow } from './event-cursor.sqlite.ts'
import { bytesOf, hexOf } from './event-key.sqlite.ts'
import type { KeyChange } from './event-writer.sqlite.ts'

interface TreeRow {
  readonly hidden: string
  readonly count: number
  readonly seq: number
}

interface LeafRow {
  readonly created_at: number
  readonly id: Uint8Array
  readonly count: number
  readonly sum: Uint8Array
}

/** Rows read between two pauses of a rebuild. */
const rebuildSlice = 8_192

/**
 * The fingerprint index of all events but those of some kinds: its leaf records lie beside the events and change in
 * the same transaction; in memory there is one entry for some hundred events.
 */
export class EventTree {
  readonly #number: number
  readonly #hidden: ReadonlySet<number>
  /** The connection to load items from, while somebody works with the tree. */
  #tx: SqliteTx | undefined
  #index: FingerprintIndex
  /** A rebuilt index that waits for its transaction to commit. */
  #rebuilt: FingerprintIndex | undefined

  /** @param number of the tree in its tables, fixed for ever */
  constructor(number: number, hiddenKinds: readonly number[]) {
    this.#number = number
    this.#hidden = new Set(hiddenKinds)
    this.#index = this.#indexOf([])
  }

  /** Reads the leaf records; false when they are missing, of other kinds, or do not belong to these events. */
  open(tx: SqliteTx): boolean {
    const sql = 'SELECT hidden, count, seq FROM event_trees WHERE tree = ?'
    const row = tx.prepare(sql).get(this.#number) as TreeRow | undefined
    if (row === undefined || row.hidden !== this.#hiddenText() || row.seq !== lastSeq(tx)) return false
    const leaves = tx.prepare(leavesSql).all(this.#number) as unknown as LeafRow[]
    try {
      this.#index = this.#indexOf(leaves.map(toRecord))
    } catch (error) {
      if (isCorrupt(error)) return false
      throw error
    }
    return this.#index.size === row.count
  }

  /** Makes the index anew from the events; yields between slices of work. Becomes valid with `commit`. */
  *rebuild(tx: SqliteTx): Generator<void, void, undefined> {
    const builder = new LeafBuilder()
    const everything = { index: 'time', values: [], since: 0, until: Number.MAX_SAFE_INTEGER } as const
    const cursor = new EventCursor(tx, everything, 'asc', undefined, rebuildSlice)
    while (cursor.head !== undefined) {
      builder.add(this.#take(cursor, rebuildSlice))
      yield
    }
    const leaves = builder.finish()
    tx.prepare('DELETE FROM event_leaves WHERE tree = ?').run(this.#number)
    this.#write(
      tx,
      leaves.map((leaf) => ({ op: 'put', leaf })),
    )
    this.#rebuilt = this.#indexOf(leaves)
    this.#save(
      tx,
      leaves.reduce((count, leaf) => count + leaf.count, 0),
    )
  }

  /** True from a rebuild to the commit that makes it valid. */
  get rebuilt(): boolean {
    return this.#rebuilt !== undefined
  }

  /** Takes over what the transaction changed, after its rows were changed and before it commits. */
  apply(tx: SqliteTx, changes: readonly KeyChange[]): void {
    const own = changes.filter(({ kind }) => !this.#hidden.has(kind))
    const items = own.map(({ sign, created_at, id }): ItemChange => {
      return { key: { timestamp: created_at, id }, op: sign > 0 ? 'add' : 'remove' }
    })
    if (items.length > 0)
      this.#write(
        tx,
        this.within(tx, () => this.#index.apply(items)),
      )
    const stored = tx.prepare('SELECT count FROM event_trees WHERE tree = ?').get(this.#number)
    this.#save(
      tx,
      own.reduce((count, { sign }) => count + sign, Number(stored?.count)),
    )
  }

  commit(): void {
    if (this.#rebuilt !== undefined) this.#index = this.#rebuilt
    this.#rebuilt = undefined
    this.#index.commit()
  }

  rollback(): void {
    this.#rebuilt = undefined
    this.#index.rollback()
  }

  /** The committed events as they are now. Whatever asks it for items has to run in `within`. */
  snapshot(): IndexSnapshot {
    return this.#index.snapshot()
  }

  /** Lets the tree and its snapshots load items from `tx` while `work` runs. */
  within<T>(tx: SqliteTx, work: () => T): T {
    const outer = this.#tx
    this.#tx = tx
    try {
      return work()
    } finally {
      this.#tx = outer
    }
  }

  static exists(tx: SqliteTx, number: number): boolean {
    return tx.prepare('SELECT 1 FROM event_trees WHERE tree = ?').get(number) !== undefined
  }

  /** Drops the stored records of a tree that is no longer kept up to date. */
  static forget(tx: SqliteTx, number: number): void {
    tx.prepare('DELETE FROM event_trees WHERE tree = ?').run(number)
    tx.prepare('DELETE FROM event_leaves WHERE tree = ?').run(number)
  }

  #indexOf(leaves: readonly LeafRecord[]): FingerprintIndex {
    return new FingerprintIndex({ leaves, load: (from, to) => this.#load(from, to) })
  }

  #load(from: Key, to: Key | undefined): ItemColumns {
    if (this.#tx === undefined)
      throw new Error('items of a fingerprint index were asked for outside a transaction')
    const rows: ItemRow[] = []
    for (const { sql, parameters } of rangesOf(from, to)) {
      const found = this.#tx.prepare(sql).all(...parameters) as unknown as ItemRow[]
      for (const row of found) if (!this.#hidden.has(row.kind)) rows.push(row)
    }
    return columnsOf(rows)
  }

  #take(cursor: EventCursor, most: number): ItemColumns {
    const rows: ItemRow[] = []
    for (let row = cursor.head; row !== undefined; row = cursor.head) {
      if (!this.#hidden.has(row.kind)) rows.push(row)
      cursor.advance()
      if (rows.length >= most) break
    }
    return columnsOf(rows)
  }

  #write(tx: SqliteTx, changes: readonly LeafChange[]): void {
    const put = tx.prepare(putLeafSql)
    const remove = tx.prepare('DELETE FROM event_leaves WHERE tree = ? AND created_at = ? AND id = ?')
    for (const change of changes) {
      if (change.op === 'delete') remove.run(this.#number, change.first.timestamp, bytesOf(change.first.id))
      else {
        const { first, count, sum } = change.leaf
        put.run(this.#number, first.timestamp, bytesOf(first.id), count, sum)
      }
    }
  }

  #save(tx: SqliteTx, count: number): void {
    const sql = 'INSERT OR REPLACE INTO event_trees (tree, hidden, count, seq) VALUES (?, ?, ?, ?)'
    tx.prepare(sql).run(this.#number, this.#hiddenText(), count, lastSeq(tx))
  }

  #hiddenText(): string {
    return JSON.stringify([...this.#hidden].sort((a, b) => a - b))
  }
}

type ItemRow = Pick<KeyRow, 'created_at' | 'id' | 'kind'>

const leavesSql = 'SELECT created_at, id, count, sum FROM event_leaves WHERE tree = ? ORDER BY created_at, id'
const putLeafSql =
  'INSERT OR REPLACE INTO event_leaves (tree, created_at, id, count, sum) VALUES (?, ?, ?, ?, ?)'

const items = 'SELECT created_at, id, kind FROM events INDEXED BY event_by_time'
const withinSecondSql = `${items} WHERE created_at = ? AND id >= ? AND id < ? ORDER BY id`
const fromIdSql = `${items} WHERE created_at = ? AND id >= ? ORDER BY id`
const betweenSecondsSql = `${items} WHERE created_at > ? AND created_at < ? ORDER BY created_at, id`
const belowIdSql = `${items} WHERE created_at = ? AND id < ? ORDER BY id`

/** A key range, cut at its seconds: each part is one stretch of the index, however many events share a second. */
function rangesOf(from: Key, to: Key | undefined) {
  const first = bytesOf(from.id)
  if (to !== undefined && to.timestamp === from.timestamp) {
    return [{ sql: withinSecondSql, parameters: [from.timestamp, first, bytesOf(to.id)] }]
  }
  const end = to?.timestamp ?? Number.MAX_SAFE_INTEGER + 1
  const ranges = [
    { sql: fromIdSql, parameters: [from.timestamp, first] },
    { sql: betweenSecondsSql, parameters: [from.timestamp, end] },
  ]
  return to === undefined ? ranges : [...ranges, { sql: belowIdSql, parameters: [end, bytesOf(to.id)] }]
}

function columnsOf(rows: readonly ItemRow[]): ItemColumns {
  const timestamps = new Float64Array(rows.length)
  const ids = new Uint8Array(rows.length * 32)
  for (const [at, row] of rows.entries()) {
    timestamps[at] = row.created_at
    ids.set(row.id, at * 32)
  }
  return { timestamps, ids }
}

function toRecord({ created_at, id, count, sum }: LeafRow): LeafRecord {
  return { first: { timestamp: created_at, id: hexOf(id) }, count, sum }
}

/** The highest `seq` given out, committed or not; 0 when there is none. */
export function lastSeq(tx: SqliteTx): number {
  return Number(tx.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'events'").get()?.seq ?? 0)
}

export function isCorrupt(error: unknown): boolean {
  return error instanceof NegentropyError && error.code === 'negentropy/corrupt-index'
}
