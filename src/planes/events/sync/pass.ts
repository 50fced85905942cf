import type { AttemptState } from './attempt-state.ts'
import type { EventsCheckpoint } from './checkpoint.ts'
import { gaps, type Interval } from './coverage.ts'
import type { Strategy } from './peer-settings.ts'
import type { Plan } from './plan.ts'
import { openRanges, topRange, wantedRange } from './wanted.ts'

/**
 * A pass compares everything a link wants, covered or not, and may take several attempts: the first sync of a link is one,
 * and each `full` reconcile. What it has done is in the checkpoint.
 */
export async function beginPass<Tx>(state: AttemptState<Tx>, plan: Plan): Promise<void> {
  const { session, checkpoint, scanStart } = state
  if (checkpoint.pass !== undefined) return
  const first =
    session.checkpoint === undefined && checkpoint.uploadSeq === 0 && checkpoint.coverage.length === 0
  if (!first && !plan.full) return
  const pass = { startedAt: scanStart, done: [], oneWay: false }
  if (!first || !state.pushes) return state.advance((before) => ({ ...before, pass }))
  // What is here already is left to the comparison; what arrives from now on is offered in its order of arrival.
  const upTo = await state.store.lastSeq()
  await state.advance((before) => ({
    ...before,
    pass,
    uploadSeq: upTo,
    ...(upTo === 0 ? {} : { backlog: { after: 0, upTo } }),
  }))
}

/** What is left to look at, newest first. */
export function rangesOf<Tx>(state: AttemptState<Tx>, plan: Plan): Interval[] {
  const { checkpoint, settings, scanStart } = state
  const { coverage, pass } = checkpoint
  const wanted = wantedRange(state.filter, state.target, scanStart)
  if (!state.pulls && pass === undefined) return []
  if (plan.history) return openRanges(wanted, pass?.done ?? coverage, settings.overlapSeconds)
  if (!plan.top) return []
  const [from, to] = topRange(wanted, coverage, settings, scanStart)
  return from > to ? [] : [[from, to]]
}

/** Some part of the pass was found without knowing what the peer lacks: the backlog has to be offered one by one. */
export async function markOneWay<Tx>(state: AttemptState<Tx>): Promise<void> {
  const { pass } = state.checkpoint
  if (pass === undefined || pass.oneWay) return
  await state.advance((checkpoint) => ({ ...checkpoint, pass: { ...pass, oneWay: true } }))
}

/** Notes how the difference was found, and ends the pass when it has reached everything it set out for. */
export async function endPass<Tx>(state: AttemptState<Tx>, strategy: Strategy | undefined): Promise<void> {
  const cursor = await cursorOf(state)
  await state.advance((checkpoint) => {
    const { pass, backlog, ...rest } = checkpoint
    const noted = {
      ...rest,
      ...(strategy === undefined ? {} : { strategy }),
      ...(cursor === undefined ? {} : { cursor }),
    }
    if (pass === undefined) return { ...noted, ...(backlog && { backlog }) }
    const [from, to] = wantedRange(state.filter, state.target, pass.startedAt)
    const open = strategy === undefined ? [] : gaps(pass.done, [from, Math.min(to, pass.startedAt)])
    if (from <= to && open.length > 0) return { ...noted, pass, ...(backlog && { backlog }) }
    // A comparison of the whole history tells of everything we had what of it the peer lacks.
    const compared = !pass.oneWay && state.settings.backfill && strategy !== undefined
    const settledGaps = strategy === 'negentropy' && !pass.oneWay ? [] : rest.gaps
    return {
      ...noted,
      gaps: settledGaps,
      fullAt: pass.startedAt,
      ...(backlog && !compared ? { backlog } : {}),
    }
  })
}

/** The greatest event at or below the top of the coverage, or what it was when that was greater (E-72). */
export async function cursorOf<Tx>(state: AttemptState<Tx>): Promise<EventsCheckpoint['cursor']> {
  const { coverage, cursor } = state.checkpoint
  const top = coverage.at(-1)?.[1]
  if (!state.pulls || top === undefined) return cursor
  const filter = { ...state.filter, until: Math.min(state.filter.until ?? top, top) }
  const { events } = await state.store.page({
    filter,
    order: 'reverse',
    limit: 1,
    visibility: { restrictedKinds: [], pubkeys: [] },
  })
  const [greatest] = events
  if (greatest === undefined) return cursor
  const found: [number, string] = [greatest.created_at, greatest.id]
  if (cursor === undefined || found[0] > cursor[0] || (found[0] === cursor[0] && found[1] > cursor[1]))
    return found
  return cursor
}
