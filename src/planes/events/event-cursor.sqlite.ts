import type { SQLInputValue } from 'node:sqlite'
import type { SqliteTx } from '../../stores/sqlite/sqlite-tx.ts'

/** One row of a covering index: enough to order, page, count and reconcile without touching the event. */
export interface KeyRow {
  readonly created_at: number
  readonly id: Uint8Array
  readonly kind: number
  readonly seq: number
}

/** `desc`: newest first, ties by id ascending. `asc`: by (created_at, id). `reverse`: the exact reverse of `asc`. */
export type KeyOrder = 'asc' | 'desc' | 'reverse'

/** One contiguous stretch of an index: all rows with `values` in its leading columns, within the times given. */
export interface IndexStretch {
  readonly index: IndexName
  readonly values: readonly SQLInputValue[]
  readonly since: number
  readonly until: number
}

export type IndexName = keyof typeof indexes

const indexes = {
  time: { from: 'events INDEXED BY event_by_time', where: '' },
  kind: { from: 'events INDEXED BY event_by_kind', where: 'kind = ? AND ' },
  author: { from: 'events INDEXED BY event_by_author', where: 'pubkey = ? AND kind = ? AND ' },
  tag: { from: 'event_tags', where: 'tag = ? AND ' },
} as const

/** `by` is what the index itself yields, except for `asc` and `reverse`, where SQLite sorts one second at a time. */
const orders = {
  asc: { by: 'created_at ASC, id ASC', tie: 'id > ?', tieBy: 'id ASC' },
  desc: { by: 'created_at DESC, id ASC', tie: 'id > ?', tieBy: 'id ASC' },
  reverse: { by: 'created_at DESC, id DESC', tie: 'id < ?', tieBy: 'id DESC' },
} as const

const columns = 'SELECT created_at, id, kind, seq FROM'

/** Rows of a stretch within [since, until]. Parameters: the stretch's values, since, until, limit. */
function rangeSql(index: IndexName, order: KeyOrder): string {
  const { from, where } = indexes[index]
  return `${columns} ${from} WHERE ${where}created_at >= ? AND created_at <= ? ORDER BY ${orders[order].by} LIMIT ?`
}

/** Rows of one second beyond an id. Parameters: the stretch's values, created_at, id, limit. */
function tieSql(index: IndexName, order: KeyOrder): string {
  const { from, where } = indexes[index]
  const { tie, tieBy } = orders[order]
  return `${columns} ${from} WHERE ${where}created_at = ? AND ${tie} ORDER BY ${tieBy} LIMIT ?`
}

/** How many rows a stretch has, up to a limit. Parameters: the stretch's values, since, until, limit. */
export function probeSql(index: IndexName): string {
  const { from, where } = indexes[index]
  return `SELECT count(*) AS n FROM (SELECT 1 FROM ${from} WHERE ${where}created_at >= ? AND created_at <= ? LIMIT ?)`
}

/** How many events an author has, of any kind and time, up to a limit. Parameters: pubkey, limit. */
export const probeAuthorSql = `SELECT count(*) AS n FROM (SELECT 1 FROM ${indexes.author.from} WHERE pubkey = ? LIMIT ?)`

/** How many rows a stretch has. Parameters: the stretch's values, since, until. */
export function countSql(index: IndexName): string {
  const { from, where } = indexes[index]
  return `SELECT count(*) AS n FROM ${from} WHERE ${where}created_at >= ? AND created_at <= ?`
}

/** The time of the row that so many newer ones precede. Parameters: the stretch's values, since, until, how many. */
export function nthSql(index: IndexName): string {
  const { from, where } = indexes[index]
  return `SELECT created_at FROM ${from} WHERE ${where}created_at >= ? AND created_at <= ?
    ORDER BY created_at DESC LIMIT 1 OFFSET ?`
}

const largestBatch = 1_024

/**
 * Walks one stretch in order, in batches that grow: keyset by keyset, so nothing stays open between two batches and
 * a thousand cursors share one statement.
 */
export class EventCursor {
  readonly #tx: SqliteTx
  readonly #stretch: IndexStretch
  readonly #order: KeyOrder
  #since: number
  #until: number
  #tie: { readonly created_at: number; readonly id: Uint8Array } | undefined
  #size: number
  #rows: readonly KeyRow[] = []
  #at = 0
  #exhausted = false

  constructor(
    tx: SqliteTx,
    stretch: IndexStretch,
    order: KeyOrder,
    after: { readonly created_at: number; readonly id: Uint8Array } | undefined,
    firstBatch: number,
  ) {
    this.#tx = tx
    this.#stretch = stretch
    this.#order = order
    this.#since = stretch.since
    this.#until = stretch.until
    this.#size = Math.max(1, Math.min(firstBatch, largestBatch))
    if (after !== undefined) {
      const within = after.created_at >= stretch.since && after.created_at <= stretch.until
      this.#moveTo(after)
      if (!within) this.#tie = undefined
    }
    this.#fill()
  }

  /** The row the cursor stands on; undefined at the end. */
  get head(): KeyRow | undefined {
    return this.#rows[this.#at]
  }

  advance(): void {
    this.#at += 1
    if (this.#at >= this.#rows.length && !this.#exhausted) this.#fill()
  }

  /** The rows read but not passed yet; the cursor moves beyond them. */
  takeBatch(): readonly KeyRow[] {
    const rows = this.#at === 0 ? this.#rows : this.#rows.slice(this.#at)
    this.#at = this.#rows.length
    if (!this.#exhausted) this.#fill()
    return rows
  }

  /** The rest of `key`'s second comes next, then the seconds beyond it. */
  #moveTo(key: { readonly created_at: number; readonly id: Uint8Array }): void {
    this.#tie = key
    if (this.#order === 'asc') this.#since = Math.max(this.#since, key.created_at + 1)
    else this.#until = Math.min(this.#until, key.created_at - 1)
  }

  #fill(): void {
    const { index, values } = this.#stretch
    let rows: KeyRow[] = []
    if (this.#tie !== undefined) {
      const { created_at, id } = this.#tie
      rows = this.#all(tieSql(index, this.#order), [...values, created_at, id, this.#size])
    }
    const wanted = this.#size - rows.length
    if (wanted > 0 && this.#since <= this.#until) {
      const more = this.#all(rangeSql(index, this.#order), [...values, this.#since, this.#until, wanted])
      rows = rows.length === 0 ? more : rows.concat(more)
    }
    this.#exhausted = rows.length < this.#size
    const last = rows.at(-1)
    if (last !== undefined) this.#moveTo(last)
    this.#rows = rows
    this.#at = 0
    this.#size = Math.min(this.#size * 4, largestBatch)
  }

  #all(sql: string, parameters: SQLInputValue[]): KeyRow[] {
    return this.#tx.prepare(sql).all(...parameters) as unknown as KeyRow[]
  }
}
