import type { Filter } from '../filter.ts'
import type { EventsCheckpoint } from './checkpoint.ts'
import { gaps, type Interval } from './coverage.ts'

/** How far a link is, computed from what it has covered (spec events §2.19, §4.17). Seconds of `created_at`. */
export interface CoverageFacts {
  /** The oldest second that is wanted; undefined before the first attempt. */
  readonly target: number | undefined
  /** The lower end of the newest stretch without a gap: down to here everything is here. */
  readonly until: number | undefined
  /** Of the time from target to the top, how much is covered; 0 to 100 with one decimal. */
  readonly percent: number
  /** Everything wanted is covered, up to the last scan. */
  readonly completed: boolean
  /** From the top of the coverage to now; undefined where nothing is covered. */
  readonly lagSeconds: number | undefined
  /** The greatest event at or below the top, never going back. */
  readonly cursor: readonly [createdAt: number, id: string] | undefined
  /** Stretches that are wanted and not covered, newest first; the time after the top is lag, not a gap. */
  readonly missing: readonly Interval[]
}

/** @param now wall seconds */
export function coverageFacts(
  checkpoint: EventsCheckpoint | undefined,
  filter: Filter,
  now: number,
): CoverageFacts {
  const { coverage = [], target: wanted, cursor } = checkpoint ?? {}
  const target = wanted === undefined ? undefined : Math.max(wanted, filter.since ?? 0)
  const [until, top] = coverage.at(-1) ?? []
  const from = target ?? 0
  const to = Math.min(filter.until ?? Number.MAX_SAFE_INTEGER, top ?? now)
  const missing = checkpoint === undefined ? [] : gaps(coverage, [from, to])
  const open = missing.reduce((sum, [a, b]) => sum + (b - a + 1), 0)
  const completed = top !== undefined && missing.length === 0
  return {
    target,
    until,
    percent: completed ? 100 : top === undefined ? 0 : percentOf(open, to - from + 1),
    completed,
    lagSeconds: top === undefined ? undefined : Math.max(0, Math.min(filter.until ?? now, now) - top),
    cursor,
    missing,
  }
}

/** Never 100 while something is open, however little. */
function percentOf(open: number, all: number): number {
  if (all <= 0) return 0
  return Math.min(99.9, Math.max(0, Math.floor((1 - open / all) * 1_000) / 10))
}
