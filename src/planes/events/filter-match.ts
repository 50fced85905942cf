import type { NostrEvent } from './event.ts'
import type { Filter } from './filter.ts'
import { tagConditions } from './query-plan.ts'

/** Does the filter select the event? `limit` has no part in it. For many events, see {@link matcher}. */
export function matchFilter(filter: Filter, event: NostrEvent): boolean {
  const { ids, authors, kinds, since, until } = filter
  if (kinds !== undefined && !kinds.includes(event.kind)) return false
  if (since !== undefined && event.created_at < since) return false
  if (until !== undefined && event.created_at > until) return false
  if (authors !== undefined && !authors.includes(event.pubkey)) return false
  if (ids !== undefined && !ids.includes(event.id)) return false
  for (const [letter, values] of tagConditions(filter)) {
    if (!hasTag(event, letter, (value) => values.includes(value))) return false
  }
  return true
}

/** The same, prepared once for many events: the cost no longer depends on how many values the filter has. */
export function matcher(filter: Filter): (event: NostrEvent) => boolean {
  const { since = 0, until = Number.MAX_SAFE_INTEGER } = filter
  const kinds = filter.kinds && new Set(filter.kinds)
  const authors = filter.authors && new Set(filter.authors)
  const ids = filter.ids && new Set(filter.ids)
  const tags = tagConditions(filter).map(([letter, values]) => [letter, new Set(values)] as const)
  return (event) =>
    event.created_at >= since &&
    event.created_at <= until &&
    (kinds === undefined || kinds.has(event.kind)) &&
    (authors === undefined || authors.has(event.pubkey)) &&
    (ids === undefined || ids.has(event.id)) &&
    tags.every(([letter, values]) => hasTag(event, letter, (value) => values.has(value)))
}

/** True when nothing can match: an empty list, or `since` after `until`. */
export function isEmptyFilter(filter: Filter): boolean {
  if ((filter.since ?? 0) > (filter.until ?? Number.MAX_SAFE_INTEGER)) return true
  return Object.values(filter).some((value) => Array.isArray(value) && value.length === 0)
}

/** Only a tag's first value can be asked for (NIP-01). */
function hasTag({ tags }: NostrEvent, letter: string, wanted: (value: string) => boolean): boolean {
  return tags.some(([name, value]) => name === letter && value !== undefined && wanted(value))
}
