import { type EventsCheckpoint, emptyCheckpoint } from './checkpoint.ts'
import type { Coverage, Interval } from './coverage.ts'

/**
 * Where a link may begin whose filter asks for no more than several other links of the same peer did together: what each of
 * them had seen completely it need not ask for again.
 *
 * @param parts undefined for one that has not begun
 * @returns undefined when nothing is shared
 */
export function sharedCheckpoint(
  parts: readonly (EventsCheckpoint | undefined)[],
): EventsCheckpoint | undefined {
  const [first, ...others] = parts
  if (first === undefined) return undefined
  let coverage: Coverage = first.coverage
  for (const part of others) coverage = part === undefined ? [] : intersection(coverage, part.coverage)
  if (coverage.length === 0) return undefined
  // A second that one of them could not get completely is as incomplete here.
  const gaps = parts.flatMap((part) => part?.gaps ?? [])
  const seconds = new Map(gaps.map((gap) => [gap.second, gap]))
  return { ...emptyCheckpoint, coverage: coverage.map(([a, b]) => [a, b]), gaps: [...seconds.values()] }
}

/** The seconds that are in both. */
export function intersection(one: Coverage, other: Coverage): Coverage {
  const common: Interval[] = []
  for (const [a, b] of one)
    for (const [c, d] of other) if (a <= d && c <= b) common.push([Math.max(a, c), Math.min(b, d)])
  return common.sort(([a], [b]) => a - b)
}
