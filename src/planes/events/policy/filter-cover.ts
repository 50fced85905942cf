import type { Filter } from '../filter.ts'
import { isEmptyFilter } from '../filter-match.ts'

type Values = readonly (string | number)[]

/**
 * Does the rule speak for everything the request asks for? Each list of the rule must be narrowed by the request, and its
 * times kept (spec events §2.21). `limit` has no part in it. A request that can match nothing is covered by any rule.
 */
export function covers(rule: Filter, request: Filter): boolean {
  if (isEmptyFilter(request)) return true
  if ((request.since ?? 0) < (rule.since ?? 0)) return false
  if ((request.until ?? Number.MAX_SAFE_INTEGER) > (rule.until ?? Number.MAX_SAFE_INTEGER)) return false
  return lists(rule).every(([key, allowed]) => {
    const asked = request[key] as Values | undefined
    if (asked === undefined) return false
    const known = new Set(allowed)
    return asked.every((value) => known.has(value))
  })
}

/**
 * Does the request ask for what the filter speaks of? No, where a list of both has no value in common, or their times do
 * not meet. An event with several tags of one name can still be in both: what is to be kept from a reader is looked at
 * event by event too.
 */
export function overlaps(filter: Filter, request: Filter): boolean {
  if (isEmptyFilter(filter) || isEmptyFilter(request)) return false
  if (isEmptyFilter({ ...times(filter, request) })) return false
  return lists(filter).every(([key, values]) => {
    const asked = request[key] as Values | undefined
    if (asked === undefined) return true
    const known = new Set(values)
    return asked.some((value) => known.has(value))
  })
}

/** The conditions that are lists. */
function lists(filter: Filter): [key: keyof Filter, values: Values][] {
  return Object.entries(filter).filter(([, value]) => Array.isArray(value)) as [keyof Filter, Values][]
}

function times(a: Filter, b: Filter): Filter {
  const end = Number.MAX_SAFE_INTEGER
  return {
    since: Math.max(a.since ?? 0, b.since ?? 0),
    until: Math.min(a.until ?? end, b.until ?? end),
  }
}
