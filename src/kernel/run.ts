import type { Link } from './link.ts'
import type { Outcome, Progress, Proof } from './progress.ts'
import type { SyncErrorCode } from './sync-error.ts'

/**
 * The run state of one link, as a pure reducer.
 *
 *              start                caught-up / cancelled
 *     idle ───────────▶ running ───────────────────────▶ idle
 *      ▲                  │  │ ▲                            more, rebuild: idle and due at once
 *      │ resume    failed │  │ │ start
 *      │                  ▼  │ │
 *   paused ◀── pause  waiting┘─┘      blocked: waits for a person; resume, start or a new definition ends it
 *
 * Nothing here waits or reads a clock: time comes with the event.
 */
export type RunState = 'idle' | 'running' | 'waiting' | 'blocked' | 'paused'

/** What is wrong with a link right now. */
export interface Fault {
  readonly code: SyncErrorCode
  /** The finer name of whoever threw it, where it has one. */
  readonly name: string | undefined
  readonly message: string
  /** When it began: the first of the failures in a row that were of this kind; wall ms. */
  readonly since: number
  /** Trying again does not help by itself: it is done in the slow lane, or not at all. */
  readonly permanent: boolean
}

export interface RunRecord {
  readonly state: RunState
  /** Failures in a row; 0 once an attempt caught up, or was live for long enough. */
  readonly failures: number
  /** Since when the running attempt has been live; wall ms. */
  readonly liveSince: number | undefined
  /** Wall ms at which the next attempt is due; undefined: only on demand. */
  readonly dueAt: number | undefined
  /** Why the link is waiting or blocked, for people. */
  readonly reason: string | undefined
  /** Stays while the next attempt runs, until one succeeds. */
  readonly fault: Fault | undefined
  readonly startedAt: number | undefined
  readonly finishedAt: number | undefined
  /** When the link was last known to be caught up. */
  readonly caughtUpAt: number | undefined
  /** The latest report of the running or last attempt. */
  readonly progress: Progress | undefined
  readonly proof: Proof | undefined
  /** Sums of the counters of all attempts that ended; {@link totals} adds the running one. */
  readonly counted: Readonly<Record<string, number>>
  /** The latest of each mark any attempt reported; wall ms. */
  readonly marks: Readonly<Record<string, number>>
  /** Times of recent rebuilds, oldest first; the guard against endless loops. */
  readonly rebuilds: readonly number[]
}

export type RunEvent =
  | { readonly kind: 'start'; readonly at: number }
  | { readonly kind: 'progress'; readonly at: number; readonly progress: Progress }
  | {
      readonly kind: 'ended'
      readonly at: number
      readonly outcome: Outcome
      /** When the link's schedule is due next; undefined: only on demand. */
      readonly nextAt: number | undefined
    }
  /** `delayMs` undefined: not retryable, or the policy gave up. */
  | {
      readonly kind: 'failed'
      readonly at: number
      readonly reason: string
      readonly delayMs: number | undefined
      /** It had been live for long enough: the failures before it are forgotten. */
      readonly stable?: boolean | undefined
      readonly fault?: Pick<Fault, 'code' | 'name' | 'permanent'> | undefined
    }
  /** The attempt was stopped on purpose, or its process died: no verdict about the peer. */
  | { readonly kind: 'cancelled'; readonly at: number }
  | { readonly kind: 'pause'; readonly at: number }
  | { readonly kind: 'resume'; readonly at: number }

export const initialRun: RunRecord = {
  state: 'idle',
  failures: 0,
  liveSince: undefined,
  fault: undefined,
  dueAt: undefined,
  reason: undefined,
  startedAt: undefined,
  finishedAt: undefined,
  caughtUpAt: undefined,
  progress: undefined,
  proof: undefined,
  counted: {},
  marks: {},
  rebuilds: [],
}

/** A second rebuild within this time means the reason does not go away by rebuilding. */
export const rebuildWindowMs = 10 * 60_000

/** Pure and total: every event is defined in every state; what makes no sense leaves the record as it is. */
export function step(run: RunRecord, event: RunEvent): RunRecord {
  switch (event.kind) {
    case 'start':
      if (run.state === 'running' || run.state === 'paused') return run
      return {
        ...run,
        state: 'running',
        dueAt: undefined,
        reason: undefined,
        startedAt: event.at,
        liveSince: undefined,
        progress: undefined,
      }
    case 'progress':
      return run.state === 'running' ? progressed(run, event.progress, event.at) : run
    case 'ended':
      return run.state === 'running' ? ended(settled(run), event.outcome, event.at, event.nextAt) : run
    case 'failed':
      return run.state === 'running' ? failed(settled(run), event) : run
    case 'cancelled':
      return run.state === 'running'
        ? { ...settled(run), state: 'idle', finishedAt: event.at, dueAt: event.at }
        : run
    case 'pause':
      if (run.state === 'paused') return run
      return {
        ...settled(run),
        state: 'paused',
        dueAt: undefined,
        finishedAt: run.state === 'running' ? event.at : run.finishedAt,
      }
    case 'resume':
      if (run.state !== 'paused' && run.state !== 'blocked' && run.state !== 'waiting') return run
      return {
        ...run,
        state: 'idle',
        dueAt: event.at,
        reason: undefined,
        fault: undefined,
        failures: 0,
        rebuilds: [],
      }
  }
}

/** What all attempts of the link counted, the running one included. */
export function totals(run: RunRecord): Readonly<Record<string, number>> {
  return settled(run).counted
}

/** The record with the running attempt's counters among those of the ended ones: they are counted once, when it ends. */
function settled(run: RunRecord): RunRecord {
  const counters = run.progress?.counters
  if (run.state !== 'running' || counters === undefined) return run
  const counted: Record<string, number> = { ...run.counted }
  for (const [name, count] of Object.entries(counters)) counted[name] = (counted[name] ?? 0) + count
  return { ...run, counted }
}

/** A live attempt does not return, so reaching `live` is what counts as caught up. That it holds is another matter. */
function progressed(run: RunRecord, progress: Progress, at: number): RunRecord {
  const marks = progress.marks === undefined ? run.marks : { ...run.marks, ...progress.marks }
  if (progress.phase !== 'live') return { ...run, progress, marks }
  return {
    ...run,
    progress,
    marks,
    liveSince: run.liveSince ?? at,
    fault: undefined,
    rebuilds: [],
    caughtUpAt: at,
    proof: progress.proof ?? run.proof,
  }
}

function ended(run: RunRecord, outcome: Outcome, at: number, nextAt: number | undefined): RunRecord {
  const rested: RunRecord = {
    ...run,
    state: 'idle',
    failures: 0,
    reason: undefined,
    fault: undefined,
    finishedAt: at,
  }
  switch (outcome.kind) {
    case 'caught-up':
      return {
        ...rested,
        dueAt: nextAt,
        caughtUpAt: at,
        proof: outcome.proof,
        rebuilds: [],
      }
    case 'more':
      return { ...rested, dueAt: at }
    case 'rebuild': {
      const recent = run.rebuilds.filter((time) => at - time < rebuildWindowMs)
      if (recent.length > 0) {
        const reason = `asked to start over twice within ten minutes: ${outcome.reason}`
        return { ...rested, state: 'blocked', dueAt: undefined, reason, rebuilds: [...recent, at] }
      }
      return { ...rested, dueAt: at, reason: outcome.reason, rebuilds: [at] }
    }
    case 'blocked':
      return { ...rested, state: 'blocked', dueAt: undefined, reason: outcome.reason }
  }
}

function failed(run: RunRecord, event: Extract<RunEvent, { kind: 'failed' }>): RunRecord {
  const { at, reason, delayMs, stable } = event
  const after = {
    ...run,
    failures: stable === true ? 1 : run.failures + 1,
    reason,
    fault: faultOf(run, event),
    finishedAt: at,
  }
  if (delayMs === undefined) return { ...after, state: 'blocked', dueAt: undefined }
  return { ...after, state: 'waiting', dueAt: at + delayMs }
}

function faultOf(run: RunRecord, event: Extract<RunEvent, { kind: 'failed' }>): Fault | undefined {
  const { fault, at, reason } = event
  if (fault === undefined) return undefined
  const { code, name, permanent } = fault
  const same = run.fault?.code === code && run.fault.name === name
  return { code, name, permanent, message: reason, since: same ? (run.fault?.since ?? at) : at }
}

/**
 * When a link runs by itself, wall ms: a live or repeating link that never ran is due at once; one that is neither only
 * runs when asked.
 */
export function dueAt(link: Link, run: RunRecord): number | undefined {
  if (!link.live && link.schedule === undefined) return undefined
  if (run.state !== 'idle' && run.state !== 'waiting') return undefined
  return run.dueAt ?? (run.startedAt === undefined ? 0 : undefined)
}
