import type { NostrEvent } from '../event.ts'
import type { Filter } from '../filter.ts'
import type { AttemptState } from './attempt-state.ts'
import { covered, fetchPage, type Page } from './page.ts'
import { windowFilter } from './window-filter.ts'

/** Kinds run to 65535 and a filter holds at most so many: the universe splits into a few dozen provable parts. */
const kindsPerFilter = 1_000
const lastKind = 65_535
/** Authors × kinds of one question; each pair is a place of its own in a relay's index. */
const pairsPerFilter = 20_000

/**
 * A second with more events than a page (of `cap` events): split the question by kind until each answer is well below
 * the cap, then by the authors that appeared. Kinds are a closed universe, so that split proves completeness; authors
 * are one only when the filter names them. What stays open is recorded in the checkpoint as a gap, never passed over.
 */
export async function walkDenseSecond<Tx>(
  state: AttemptState<Tx>,
  second: number,
  cap: number,
): Promise<void> {
  const parts: Filter[] = kindParts(state.filter)
  let unproven = 0
  for (let filter = parts.pop(); filter !== undefined; filter = parts.pop()) {
    state.session.signal.throwIfAborted()
    const page = await fetchPage(state, windowFilter(filter, [second, second]))
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
