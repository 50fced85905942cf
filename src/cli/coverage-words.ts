import type { SyncState } from '../node/sync-control.ts'
import { number } from './progress-line.ts'
import { day, duration, instant } from './time-words.ts'

/** Behind by less than this is what any sync is between two looks. */
const freshMs = 15 * 60_000

type Covered = Pick<
  SyncState,
  'coverage' | 'backfill_target' | 'backfill_progress_percent' | 'gaps' | 'direction' | 'phase'
>

/** How far a link is, for a person: `complete since 2021-11-02, up to 3 h ago`. */
export function coverageWords(state: Covered, now: number): string {
  const newest = state.coverage.at(-1)
  if (newest === undefined) return 'nothing is known to be complete yet'
  const [from, to] = newest
  const behind = now - to * 1_000
  const upTo = state.phase === 'live' || behind < freshMs ? '' : `, up to ${duration(behind)} ago`
  const target = state.backfill_target ?? 0
  // Windows end on whole seconds; a second more or less is none that is missing.
  if (state.coverage.length === 1 && from <= target + 1)
    return `${from === 0 ? 'complete from the first event on' : `complete since ${day(from)}`}${upTo}`
  const percent =
    state.backfill_progress_percent === null ? '' : ` (${number(state.backfill_progress_percent)} %)`
  const goal = target === 0 ? 'the first event' : day(target)
  const missing = state.coverage.length - 1 + Number((state.coverage[0]?.[0] ?? 0) > target + 1)
  const stretches = missing === 1 ? '1 stretch' : `${missing} stretches`
  return `complete since ${day(from)}${upTo}; ${stretches} back to ${goal} still missing${percent}`
}

/** What a relay cannot hand out whole: one line each for the first ones, and how many there are. */
export function gapLines({ gaps }: Pick<SyncState, 'gaps'>): string[] {
  const shown = gaps.slice(0, 3).map(({ second, reason }) => {
    const why = reason === 'dense_second' ? 'more events in it than it ever hands out' : reason
    return `gap: the relay cannot give all of ${instant(second)} (${why})`
  })
  return gaps.length > 3 ? [...shown, `and ${number(gaps.length - 3)} more gaps`] : shown
}
