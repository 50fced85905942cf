import type { SqliteTx } from '../../stores/sqlite/sqlite-tx.ts'
import {
  EventCursor,
  type IndexStretch,
  type KeyOrder,
  type KeyRow,
  probeAuthorSql,
  probeSql,
} from './event-cursor.sqlite.ts'
import { bytesOf, tagKey } from './event-key.sqlite.ts'
import type { Filter } from './filter.ts'
import { type Access, accessPaths, planQuery, type QueryPlan } from './query-plan.ts'
import { SeqSet } from './seq-set.ts'
import type { TimeSlice } from './time-slice.sqlite.ts'

export type ScanOrder = KeyOrder | 'any'

export interface ScanOptions {
  /** `any`: stretch after stretch, which is cheapest when all rows are wanted. */
  readonly order: ScanOrder
  /** Exclusive start in the direction of travel. */
  readonly after?: { readonly created_at: number; readonly id: Uint8Array } | undefined
  /** Rows the caller expects to need; sizes the first reads. */
  readonly expect: number
  readonly slice: TimeSlice
}

/** Rows handed over at once: small enough that filtering one batch stays far below a time slice. */
const batchRows = 512

/** Values tried per access path; the rest is extrapolated. */
const probedValues = 8
/** Beyond this many rows two paths count as equally bad and the fixed preference decides. */
const probeLimit = 256

/** The cheapest way into the filter, by counting at most a few hundred index rows per candidate. */
export function chooseAccess(tx: SqliteTx, filter: Filter): Access {
  const paths = accessPaths(filter)
  let best: Access = paths[0]
  if (paths.length === 1) return best
  let least = Number.POSITIVE_INFINITY
  for (const path of paths) {
    const rows = estimateRows(tx, planQuery(filter, path), probeLimit)
    if (rows >= least) continue
    least = rows
    best = path
  }
  return best
}

/** Index rows the plan would read: about right when many values are asked for, exact below `limit` otherwise. */
export function estimateRows(tx: SqliteTx, plan: QueryPlan, limit: number): number {
  const { access, since, until } = plan
  if (access.by === 'ids') return access.ids.length
  if (access.by === 'author' && access.kinds === undefined) {
    const probe = tx.prepare(probeAuthorSql)
    return extrapolate(access.authors, (author) => probe.get(bytesOf(author), limit))
  }
  return extrapolate(stretchesOf(tx, plan), ({ index, values }) => {
    return tx.prepare(probeSql(index)).get(...values, since, until, limit)
  })
}

function extrapolate<T>(all: readonly T[], probe: (one: T) => Record<string, unknown> | undefined): number {
  const tried = all.slice(0, probedValues)
  let rows = 0
  for (const one of tried) rows += Number(probe(one)?.n)
  return tried.length === 0 ? 0 : (rows * all.length) / tried.length
}

/** The stretches of index a plan reads; their union holds every match. */
export function stretchesOf(tx: SqliteTx, plan: QueryPlan): IndexStretch[] {
  const { access, since, until } = plan
  switch (access.by) {
    case 'nothing':
    case 'ids':
      return []
    case 'time':
      return [{ index: 'time', values: [], since, until }]
    case 'kind':
      return access.kinds.map((kind) => ({ index: 'kind', values: [kind], since, until }))
    case 'tag':
      return access.values.map((value) => {
        return { index: 'tag', values: [tagKey(access.letter, value)], since, until }
      })
    case 'author':
      return access.authors.flatMap((author): IndexStretch[] => {
        const pubkey = bytesOf(author)
        const kinds = access.kinds ?? kindsOf(tx, pubkey)
        return kinds.map((kind) => ({ index: 'author', values: [pubkey, kind], since, until }))
      })
  }
}

const nextKindSql =
  'SELECT kind FROM events INDEXED BY event_by_author WHERE pubkey = ? AND kind > ? ORDER BY kind LIMIT 1'

/** The kinds an author has, by one index seek each. */
function kindsOf(tx: SqliteTx, pubkey: Uint8Array): number[] {
  const statement = tx.prepare(nextKindSql)
  const kinds: number[] = []
  for (let row = statement.get(pubkey, -1); row !== undefined; row = statement.get(pubkey, kinds.at(-1)!)) {
    kinds.push(Number(row.kind))
  }
  return kinds
}

/**
 * All index rows of a plan in one order, each id once, merged from its stretches without sorting them. What the
 * index could not decide (`plan.kinds`, `plan.needsEvent`) is still to be checked.
 */
export async function* scanKeys(
  tx: SqliteTx,
  plan: QueryPlan,
  options: ScanOptions,
): AsyncGenerator<readonly KeyRow[], void, undefined> {
  if (plan.access.by === 'ids') return yield* scanIds(tx, plan, plan.access.ids, options)
  const { slice, order, after, expect } = options
  const stretches = stretchesOf(tx, plan)
  if (order === 'any') return yield* scanUnordered(tx, stretches, slice)
  const firstBatch = Math.ceil(expect / Math.max(1, stretches.length)) + 1
  const merge = new CursorHeap(keyCompare[order])
  for (const stretch of stretches) {
    merge.push(new EventCursor(tx, stretch, order, after, firstBatch))
    if (slice.spent) await slice.rest()
  }
  let last: KeyRow | undefined
  for (;;) {
    const rows: KeyRow[] = []
    const enough = Math.min(batchRows, Math.max(expect, 16))
    for (let row = merge.next(); row !== undefined; row = merge.next()) {
      // An event with two of the wanted tags stands in two stretches, and so comes twice in a row.
      if (last === undefined || last.seq !== row.seq) rows.push(row)
      last = row
      if (rows.length >= enough) break
    }
    if (rows.length === 0) return
    yield rows
    if (slice.spent) await slice.rest()
  }
}

async function* scanUnordered(
  tx: SqliteTx,
  stretches: readonly IndexStretch[],
  slice: TimeSlice,
): AsyncGenerator<readonly KeyRow[], void, undefined> {
  // Only two tags of one event can put it into two stretches.
  const seen = stretches.length > 1 && stretches[0]!.index === 'tag' ? new SeqSet() : undefined
  for (const stretch of stretches) {
    const cursor = new EventCursor(tx, stretch, 'desc', undefined, batchRows)
    while (cursor.head !== undefined) {
      const rows = cursor.takeBatch()
      yield seen === undefined ? rows : rows.filter(({ seq }) => seen.add(seq))
      if (slice.spent) await slice.rest()
    }
  }
}

async function* scanIds(
  tx: SqliteTx,
  plan: QueryPlan,
  ids: readonly string[],
  { slice, order, after }: ScanOptions,
): AsyncGenerator<readonly KeyRow[], void, undefined> {
  const statement = tx.prepare(rowByIdSql)
  const compare = keyCompare[order === 'any' ? 'desc' : order]
  const rows: KeyRow[] = []
  for (const id of ids) {
    const row = statement.get(bytesOf(id)) as unknown as KeyRow | undefined
    if (row === undefined || row.created_at < plan.since || row.created_at > plan.until) continue
    if (after === undefined || compare(row, after) > 0) rows.push(row)
    if (slice.spent) await slice.rest()
  }
  if (rows.length > 0) yield rows.sort(compare)
}

export const rowByIdSql = 'SELECT created_at, id, kind, seq FROM events WHERE id = ?'

export type Position = Pick<KeyRow, 'created_at' | 'id'>

/** Negative when `a` comes first in the direction of travel. */
export const keyCompare: Readonly<Record<KeyOrder, (a: Position, b: Position) => number>> = {
  asc: (a, b) => a.created_at - b.created_at || Buffer.compare(a.id, b.id),
  desc: (a, b) => b.created_at - a.created_at || Buffer.compare(a.id, b.id),
  reverse: (a, b) => b.created_at - a.created_at || Buffer.compare(b.id, a.id),
}

/** A binary heap of cursors by their head rows: the ordered merge of any number of stretches. */
class CursorHeap {
  readonly #compare: (a: Position, b: Position) => number
  readonly #heap: EventCursor[] = []

  constructor(compare: (a: Position, b: Position) => number) {
    this.#compare = compare
  }

  push(cursor: EventCursor): void {
    if (cursor.head === undefined) return
    this.#heap.push(cursor)
    for (let at = this.#heap.length - 1; at > 0; ) {
      const parent = (at - 1) >> 1
      if (!this.#before(at, parent)) return
      this.#swap(at, parent)
      at = parent
    }
  }

  next(): KeyRow | undefined {
    const top = this.#heap[0]
    const row = top?.head
    if (top === undefined || row === undefined) return undefined
    top.advance()
    if (top.head === undefined) {
      const bottom = this.#heap.pop()!
      if (bottom === top) return row
      this.#heap[0] = bottom
    }
    this.#sink()
    return row
  }

  #sink(): void {
    for (let at = 0; ; ) {
      const left = 2 * at + 1
      if (left >= this.#heap.length) return
      const child = left + 1 < this.#heap.length && this.#before(left + 1, left) ? left + 1 : left
      if (!this.#before(child, at)) return
      this.#swap(at, child)
      at = child
    }
  }

  #before(a: number, b: number): boolean {
    return this.#compare(this.#heap[a]!.head!, this.#heap[b]!.head!) < 0
  }

  #swap(a: number, b: number): void {
    const cursor = this.#heap[a]!
    this.#heap[a] = this.#heap[b]!
    this.#heap[b] = cursor
  }
}
