import type { Filter } from '../filter.ts'
import type { Interval } from './coverage.ts'

/** The filter within a window; bounds that all of time does not need are left out, for peers that match filters by text. */
export function windowFilter(filter: Filter, [from, to]: Interval): Filter {
  const since = Math.max(filter.since ?? 0, from)
  const until = Math.min(filter.until ?? Number.MAX_SAFE_INTEGER, to)
  return {
    ...filter,
    ...(since > 0 ? { since } : {}),
    ...(until < Number.MAX_SAFE_INTEGER ? { until } : {}),
  }
}
