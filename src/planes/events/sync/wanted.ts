import type { Filter } from '../filter.ts'
import type { EventsCheckpoint } from './checkpoint.ts'
import { type Coverage, gaps, type Interval } from './coverage.ts'
import type { PeerSettings } from './peer-settings.ts'

/** Clocks differ by so much and no event of a right one is dated further ahead (spec events §2.19). */
const futureSeconds = 900

export type HistorySettings = Pick<PeerSettings, 'backfill' | 'historySeconds' | 'pollingWindowSeconds'>

/** The oldest second a link that began at `createdAt` wants by its settings. */
function targetOf(settings: HistorySettings, createdAt: number): number {
  const { backfill, historySeconds, pollingWindowSeconds } = settings
  const back = backfill ? historySeconds : pollingWindowSeconds
  return back === undefined ? 0 : Math.max(0, createdAt - back)
}

/** The checkpoint with what is fixed when a link begins; a wider history lowers the target later, nothing raises it. */
export function begun(
  checkpoint: EventsCheckpoint,
  settings: HistorySettings,
  now: number,
): EventsCheckpoint {
  const createdAt = checkpoint.createdAt ?? now
  const target = Math.min(checkpoint.target ?? Number.MAX_SAFE_INTEGER, targetOf(settings, createdAt))
  return { ...checkpoint, createdAt, target, fullAt: checkpoint.fullAt ?? createdAt }
}

/** The seconds a link wants, `now` being wall seconds. */
export function wantedRange(filter: Filter, target: number, now: number): Interval {
  const from = Math.max(filter.since ?? 0, target)
  return [from, Math.min(filter.until ?? Number.MAX_SAFE_INTEGER, now + futureSeconds)]
}

/**
 * The coverage without its last seconds, so that they are asked for again: stored events may reach a peer late and bear an
 * older time.
 */
function withoutOverlap(coverage: Coverage, overlapSeconds: number): Coverage {
  const newest = coverage.at(-1)
  if (newest === undefined) return coverage
  const trimmed: Interval = [newest[0], newest[1] - overlapSeconds]
  return trimmed[0] > trimmed[1] ? coverage.slice(0, -1) : [...coverage.slice(0, -1), trimmed]
}

/**
 * Where new events are looked for: from a little before where we are up to date, or from the polling window where we never
 * were. Empty (`from > to`) when the link wants nothing of now.
 */
export function topRange(
  wanted: Interval,
  coverage: Coverage,
  settings: Pick<PeerSettings, 'overlapSeconds' | 'pollingWindowSeconds'>,
  now: number,
): Interval {
  const top = coverage.at(-1)?.[1]
  const since = top === undefined ? now - settings.pollingWindowSeconds : top - settings.overlapSeconds
  return [Math.max(wanted[0], since), wanted[1]]
}

/** What is left to look at of `wanted`, newest first. */
export function openRanges(wanted: Interval, coverage: Coverage, overlapSeconds: number): Interval[] {
  return wanted[0] > wanted[1] ? [] : gaps(withoutOverlap(coverage, overlapSeconds), wanted)
}
