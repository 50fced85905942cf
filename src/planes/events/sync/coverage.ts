/** A closed interval of `created_at` seconds, both ends included. */
export type Interval = readonly [from: number, to: number]

/**
 * For which seconds a link has seen everything its peer had: sorted, disjoint, never adjacent. Progress and cursors
 * are computed from it; only a proof of completeness adds to it (specs: a finished reconciliation, or a page walk
 * that reached its end).
 */
export type Coverage = readonly Interval[]

/** Adds one interval, merging what overlaps or touches; an empty one (`from > to`) changes nothing. */
export function cover(coverage: Coverage, [from, to]: Interval): Coverage {
  if (from > to) return coverage
  const apart = coverage.filter(([a, b]) => b + 1 < from || a > to + 1)
  const merged = coverage.filter(([a, b]) => b + 1 >= from && a <= to + 1)
  const joined: Interval = [
    Math.min(from, ...merged.map(([a]) => a)),
    Math.max(to, ...merged.map(([, b]) => b)),
  ]
  return [...apart, joined].sort(([a], [b]) => a - b)
}

/** Takes one interval out: what was known of it is to be found out again. */
export function uncover(coverage: Coverage, [from, to]: Interval): Coverage {
  return coverage.flatMap(([a, b]): Interval[] => {
    if (b < from || a > to) return [[a, b]]
    const left: Interval[] = a < from ? [[a, from - 1]] : []
    return b > to ? [...left, [to + 1, b]] : left
  })
}

/** What of `wanted` is not covered, newest first. */
export function gaps(coverage: Coverage, [from, to]: Interval): Interval[] {
  const missing: Interval[] = []
  let until = to
  for (const [a, b] of coverage.toReversed()) {
    if (b < from || a > until) continue
    if (b < until) missing.push([b + 1, until])
    until = a - 1
  }
  if (from <= until) missing.push([from, until])
  return missing
}
