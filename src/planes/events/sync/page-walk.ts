import type { NostrEvent } from '../event.ts'
import { peekId } from '../event-parser.ts'
import type { Filter } from '../filter.ts'
import type { AttemptState } from './attempt-state.ts'
import type { EventsCheckpoint } from './checkpoint.ts'
import type { Interval } from './coverage.ts'
import { windowFilter } from './reconcile.ts'
import { type FetchResult, refusal } from './relay-answer.ts'

const pageSize = 500
const idleMs = 30_000
/** No relay hands out fewer events at once; a smaller page is never taken for a clamped one. */
const smallestClamp = 10
/** Kinds run to 65535 and a filter holds at most so many: the universe splits into a few dozen provable parts. */
const kindsPerFilter = 1_000
const lastKind = 65_535
/** Authors × kinds of one question; each pair is a place of its own in a relay's index. */
const pairsPerFilter = 20_000

/**
 * Walks a gap from its newest second to its oldest with plain REQs (specs §5.17), committing each page together with
 * the seconds it proved complete. For relays without NIP-77.
 *
 * A relay may clamp silently, so a short page proves nothing: the walk ends when a page brought no id unseen in it, or
 * the relay said `finish` (NIP-67). The boundary second is read again by the next page, so none is skipped.
 */
export async function walkGap<Tx>(state: AttemptState<Tx>, [from, to]: Interval): Promise<void> {
  const seen = new Set<string>()
  let largest = smallestClamp
  let until = to
  for (;;) {
    state.session.signal.throwIfAborted()
    const page = await fetchPage(state, {
      ...windowFilter(state.filter, [from, until]),
      limit: pageLimit(state),
    })
    largest = Math.max(largest, page.raws.length)
    const fresh = freshOf(page, seen)
    const oldest = page.times.length === 0 ? undefined : page.times.reduce((a, b) => Math.min(a, b))
    if (page.hint === 'finish' || oldest === undefined) {
      await state.receive(fresh, covered(state, [from, until]))
      return
    }
    // As many events as the relay ever handed out at once, all of one second: there may be more of them.
    const dense = oldest === until && (page.raws.length >= largest || page.hint === 'more')
    if (dense) {
      await state.receive(fresh)
      await walkDenseSecond(state, oldest, page.raws.length)
      if (oldest <= from) return
      until = oldest - 1
      seen.clear()
    } else if (fresh.length === 0 && page.hint !== 'more') {
      await state.advance(covered(state, [from, until]))
      return
    } else {
      await state.receive(fresh, covered(state, [oldest + 1, until]))
      until = oldest
      // Only the boundary second is asked for twice; what came before it can be forgotten.
      keepOnly(seen, page, oldest)
    }
  }
}

interface Page {
  readonly raws: readonly string[]
  readonly ids: readonly string[]
  readonly times: readonly number[]
  readonly hint: FetchResult['hint']
}

async function fetchPage<Tx>(state: AttemptState<Tx>, filter: Filter): Promise<Page> {
  const limit = filter.limit ?? pageSize
  const result = await state.client.fetch(filter, limit * 2, idleMs)
  if (result.end === 'closed') throw refusal(state.client.url, 'a REQ', result.reason)
  const raws: string[] = []
  const ids: string[] = []
  const times: number[] = []
  for (const raw of result.raws) {
    const id = peekId(raw)
    const time = createdAt(raw)
    const inside =
      time !== undefined && time >= (filter.since ?? 0) && time <= (filter.until ?? Number.MAX_SAFE_INTEGER)
    // What lies outside was not asked for; letting it steer the walk would let a peer skip seconds.
    if (id === undefined || !inside) continue
    raws.push(raw)
    ids.push(id)
    times.push(time)
  }
  return { raws, ids, times, hint: result.hint }
}

function createdAt(raw: string): number | undefined {
  try {
    const { created_at } = JSON.parse(raw) as Partial<NostrEvent>
    return Number.isSafeInteger(created_at) ? created_at : undefined
  } catch {
    return undefined
  }
}

/** Events of the page that no page before it brought; remembers their ids. */
function freshOf(page: Page, seen: Set<string>): string[] {
  return page.raws.filter((_, i) => {
    const id = page.ids[i] ?? ''
    if (seen.has(id)) return false
    seen.add(id)
    return true
  })
}

function keepOnly(seen: Set<string>, page: Page, second: number): void {
  seen.clear()
  for (const [i, id] of page.ids.entries()) if (page.times[i] === second) seen.add(id)
}

function pageLimit<Tx>(state: AttemptState<Tx>): number {
  return Math.min(pageSize, state.info.maxLimit ?? pageSize)
}

const covered =
  <Tx>(state: AttemptState<Tx>, interval: Interval) =>
  (checkpoint: EventsCheckpoint): EventsCheckpoint =>
    state.covering(checkpoint, [interval])

/**
 * A second with more events than a page (of `cap` events): split the question by kind until each answer is well below
 * the cap, then by the authors that appeared. Kinds are a closed universe, so that split proves completeness; authors
 * are one only when the filter names them. What stays open is recorded in the checkpoint as a gap, never passed over.
 */
async function walkDenseSecond<Tx>(state: AttemptState<Tx>, second: number, cap: number): Promise<void> {
  const parts: Filter[] = kindParts(state.filter)
  let unproven = 0
  for (let filter = parts.pop(); filter !== undefined; filter = parts.pop()) {
    state.session.signal.throwIfAborted()
    const page = await fetchPage(state, {
      ...windowFilter(filter, [second, second]),
      limit: pageLimit(state),
    })
    await state.receive(page.raws)
    if (page.hint === 'finish' || page.raws.length * 2 <= cap) continue
    const provable = split(filter)
    parts.push(...(provable ?? byAuthor(filter, page)))
    if (provable === undefined) unproven++
  }
  const reason = `dense_second: ${unproven} part(s) with more events than the relay hands out at once`
  const gaps = unproven === 0 ? [] : [{ second, reason }]
  await state.advance((checkpoint) => ({
    ...covered(state, [second, second])(checkpoint),
    gaps: [...checkpoint.gaps.filter((gap) => gap.second !== second), ...gaps],
  }))
}

/** The authors that appeared, one by one; more may be hiding behind them. */
function byAuthor(filter: Filter, page: Page): Filter[] {
  if (filter.authors !== undefined) return []
  const authors = new Set(page.raws.map((raw) => (JSON.parse(raw) as NostrEvent).pubkey))
  return authors.size < 2 ? [] : [...authors].map((author) => ({ ...filter, authors: [author] }))
}

/** The question in parts that relays take: few enough kinds, and few enough pairs of author and kind. */
function kindParts(filter: Filter): Filter[] {
  if (filter.kinds !== undefined || filter.ids !== undefined) return [filter]
  const step = Math.max(
    1,
    Math.min(kindsPerFilter, Math.floor(pairsPerFilter / (filter.authors?.length ?? 1))),
  )
  const parts: Filter[] = []
  for (let kind = 0; kind <= lastKind; kind += step) {
    const kinds = Array.from({ length: Math.min(step, lastKind + 1 - kind) }, (_, i) => kind + i)
    parts.push({ ...filter, kinds })
  }
  return parts
}

function split(filter: Filter): Filter[] | undefined {
  const { kinds, authors, ids } = filter
  if (kinds !== undefined && kinds.length > 1)
    return halves(kinds).map((part) => ({ ...filter, kinds: part }))
  if (authors !== undefined && authors.length > 1)
    return halves(authors).map((part) => ({ ...filter, authors: part }))
  if (ids !== undefined && ids.length > 1) return halves(ids).map((part) => ({ ...filter, ids: part }))
  return undefined
}

function halves<T>(values: readonly T[]): T[][] {
  const middle = values.length >> 1
  return [values.slice(0, middle), values.slice(middle)]
}
