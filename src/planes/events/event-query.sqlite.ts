import type { Key } from '../../negentropy/index.ts'
import type { SqliteTx } from '../../stores/sqlite/sqlite-tx.ts'
import type { NostrEvent, StoredEvent } from './event.ts'
import type { KeyOrder, KeyRow } from './event-cursor.sqlite.ts'
import { bytesOf, hexOf } from './event-key.sqlite.ts'
import {
  chooseAccess,
  estimateRows,
  keyCompare,
  type Position,
  rowByIdSql,
  type ScanOptions,
  type ScanOrder,
  scanKeys,
} from './event-scan.sqlite.ts'
import type { EventPage, PageRequest, QueryLimits, Visibility } from './event-store.ts'
import type { Filter } from './filter.ts'
import { matcher } from './filter-match.ts'
import { planQuery, type QueryPlan } from './query-plan.ts'
import type { TimeSlice } from './time-slice.sqlite.ts'

/** One consistent moment to read at. */
export interface ReadScope {
  readonly tx: SqliteTx
  /** Rows whose expiration has passed but which no sweep has removed yet (NIP-40). */
  readonly expired: ReadonlySet<number>
  readonly slice: TimeSlice
}

/** A selective filter read by arrival is gathered and sorted up to this many rows; beyond, all arrivals are walked. */
const sortedBySeq = 4_096

export const expiredSql = 'SELECT seq FROM events WHERE expiration <= ? LIMIT ?'
const arrivalSql = 'SELECT created_at, id, kind, seq FROM events WHERE seq > ? ORDER BY seq LIMIT ?'
const rawSql = 'SELECT raw FROM events WHERE seq = ?'

/** One page of one filter, in any order. */
export async function readPage(scope: ReadScope, request: PageRequest): Promise<EventPage> {
  const { filter, order, after, until, visibility, limit, maxCharacters } = request
  if (order === 'seq') {
    if (typeof after === 'object' || typeof until === 'object')
      throw new TypeError('order "seq" goes from number to number')
    const rows = await rowsByArrival(scope, filter, visibility, { after, until }, limit + 1)
    return toPage(scope, rows, limit, maxCharacters)
  }
  if (typeof after === 'number' || typeof until === 'number')
    throw new TypeError(`order "${order}" goes from key to key`)
  const bounds = { after: after && positionOf(after), until: until && positionOf(until) }
  const inTime = until === undefined ? filter : endingAt(filter, order, until)
  const rows = await matchingRows(scope, inTime, visibility, order, limit + 1, bounds)
  return toPage(scope, rows, limit, maxCharacters)
}

function positionOf({ timestamp, id }: Key): Position {
  return { created_at: timestamp, id: bytesOf(id) }
}

/** So that the index stops at the end key's second, however few rows of the filter lie before it. */
function endingAt(filter: Filter, order: KeyOrder, { timestamp }: Key): Filter {
  return order === 'asc'
    ? { ...filter, until: Math.min(filter.until ?? timestamp, timestamp) }
    : { ...filter, since: Math.max(filter.since ?? timestamp, timestamp) }
}

/** The stored phase of a REQ. */
export async function readFilters(
  scope: ReadScope,
  filters: readonly Filter[],
  { defaultLimit, maxLimit, visibility }: QueryLimits,
): Promise<EventPage> {
  const bySeq = new Map<number, KeyRow>()
  let complete = true
  for (const filter of filters) {
    const limit = Math.max(0, Math.min(filter.limit ?? defaultLimit, maxLimit))
    const rows = await matchingRows(scope, filter, visibility, 'desc', limit + 1)
    if (rows.length > limit) complete = false
    for (const row of rows.slice(0, limit)) bySeq.set(row.seq, row)
  }
  const rows = [...bySeq.values()]
  if (filters.length > 1) rows.sort((a, b) => b.created_at - a.created_at || Buffer.compare(a.id, b.id))
  return { events: rows.map((row) => loadEvent(scope, row)), complete }
}

/** Of `ids`, those stored and not expired. */
export async function knownAmong(
  { tx, expired, slice }: ReadScope,
  ids: readonly string[],
): Promise<Set<string>> {
  const statement = tx.prepare('SELECT seq FROM events WHERE id = ?')
  const known = new Set<string>()
  for (const id of ids) {
    const row = statement.get(bytesOf(id))
    if (row !== undefined && !expired.has(Number(row.seq))) known.add(id)
    if (slice.spent) await slice.rest()
  }
  return known
}

export async function readById(scope: ReadScope, ids: readonly string[]): Promise<StoredEvent[]> {
  const { tx, expired, slice } = scope
  const statement = tx.prepare(rowByIdSql)
  const events: StoredEvent[] = []
  for (const id of new Set(ids)) {
    const row = statement.get(bytesOf(id)) as unknown as KeyRow | undefined
    if (row !== undefined && !expired.has(row.seq)) events.push(loadEvent(scope, row))
    if (slice.spent) await slice.rest()
  }
  return events
}

/** Everything the filter matches and the reader may see, in batches. */
export async function* matchingBatches(
  scope: ReadScope,
  filter: Filter,
  visibility: Visibility,
  order: ScanOrder,
  { expect, after }: Pick<ScanOptions, 'expect' | 'after'> = { expect: 512 },
): AsyncGenerator<KeyRow[], void, undefined> {
  const plan = planQuery(filter, chooseAccess(scope.tx, filter))
  const test = rowTest(scope, plan, filter, visibility)
  const { tx, slice } = scope
  for await (const rows of scanKeys(tx, plan, { order, after, expect, slice })) yield rows.filter(test)
}

async function matchingRows(
  scope: ReadScope,
  filter: Filter,
  visibility: Visibility,
  order: KeyOrder,
  wanted: number,
  { after, until }: { readonly after?: Position | undefined; readonly until?: Position | undefined } = {},
): Promise<KeyRow[]> {
  const found: KeyRow[] = []
  const compare = keyCompare[order]
  for await (const rows of matchingBatches(scope, filter, visibility, order, { expect: wanted, after })) {
    for (const row of rows) {
      if (until !== undefined && compare(row, until) > 0) return found
      if (found.push(row) >= wanted) return found
    }
  }
  return found
}

async function rowsByArrival(
  scope: ReadScope,
  filter: Filter,
  visibility: Visibility,
  bounds: { readonly after: number | undefined; readonly until: number | undefined },
  wanted: number,
): Promise<KeyRow[]> {
  const { tx, slice } = scope
  const { after = 0, until = Number.MAX_SAFE_INTEGER } = bounds
  const access = chooseAccess(tx, filter)
  const plan = planQuery(filter, access)
  if (access.by !== 'time' && estimateRows(tx, plan, sortedBySeq) < sortedBySeq) {
    const rows: KeyRow[] = []
    for await (const batch of matchingBatches(scope, filter, visibility, 'any')) {
      for (const row of batch) if (row.seq > after && row.seq <= until) rows.push(row)
    }
    return rows.sort((a, b) => a.seq - b.seq).slice(0, wanted)
  }
  const unindexed = planQuery(filter, { by: 'time' })
  const test = rowTest(scope, unindexed, filter, visibility)
  const inTime = (row: KeyRow) => row.created_at >= plan.since && row.created_at <= plan.until
  const found: KeyRow[] = []
  for (let at = after; ; ) {
    const rows = tx.prepare(arrivalSql).all(at, 512) as unknown as KeyRow[]
    for (const row of rows) {
      if (row.seq > until) return found
      if (inTime(row) && test(row) && found.push(row) >= wanted) return found
    }
    if (rows.length < 512) return found
    at = rows.at(-1)!.seq
    if (slice.spent) await slice.rest()
  }
}

/** Decides what the index left open: kinds, expiry, the rest of the filter, and whether the reader may see it. */
function rowTest(
  { tx, expired }: ReadScope,
  plan: QueryPlan,
  filter: Filter,
  { restrictedKinds, pubkeys, guard }: Visibility,
): (row: KeyRow) => boolean {
  const restricted = new Set(restrictedKinds)
  const readers = new Set(pubkeys)
  const raw = tx.prepare(rawSql)
  const matches = matcher(filter)
  return (row) => {
    if (expired.has(row.seq)) return false
    if (plan.kinds !== undefined && !plan.kinds.has(row.kind)) return false
    const hidden = restricted.has(row.kind)
    if (hidden && readers.size === 0) return false
    const guarded = guard !== undefined && (guard.kinds?.has(row.kind) ?? true)
    if (!hidden && !guarded && !plan.needsEvent) return true
    const event = JSON.parse(String(raw.get(row.seq)?.raw)) as NostrEvent
    if (hidden && !concerns(event, readers)) return false
    if (guarded && !guard.allows(event)) return false
    return !plan.needsEvent || matches(event)
  }
}

function concerns(event: NostrEvent, readers: ReadonlySet<string>): boolean {
  if (readers.has(event.pubkey)) return true
  return event.tags.some(([name, value]) => name === 'p' && value !== undefined && readers.has(value))
}

function toPage(
  scope: ReadScope,
  rows: readonly KeyRow[],
  limit: number,
  maxCharacters = Number.POSITIVE_INFINITY,
): EventPage {
  const events: StoredEvent[] = []
  let characters = 0
  for (const row of rows.slice(0, limit)) {
    if (events.length > 0 && characters >= maxCharacters) break
    const event = loadEvent(scope, row)
    events.push(event)
    characters += event.raw.length
  }
  return { events, complete: events.length === rows.length }
}

function loadEvent({ tx }: ReadScope, { seq, id, created_at }: KeyRow): StoredEvent {
  return { seq, id: hexOf(id), created_at, raw: String(tx.prepare(rawSql).get(seq)?.raw) }
}
