import { type RunRecord, totals } from '../../kernel/run.ts'
import type { EventsScope } from '../../planes/events/sync/attempt-state.ts'
import {
  checkpointSchema,
  type EventsCheckpoint,
  emptyCheckpoint,
} from '../../planes/events/sync/checkpoint.ts'
import { type Coverage, gaps } from '../../planes/events/sync/coverage.ts'
import type { LinkStatus } from '../sync-control.ts'
import type { LinkEntry } from './server-directory.ts'

/** What people are told about a link, computed when they ask. */
export interface LinkView {
  readonly entry: LinkEntry
  readonly checkpoint: EventsCheckpoint
  readonly counted: Readonly<Record<string, number>>
  readonly status: LinkStatus
  readonly phase: string
  /** Has a connection that was accepted. */
  readonly connected: boolean
  readonly live: boolean
  readonly failing: boolean
  readonly backfill: Backfill | undefined
  /** Seconds between now and the upper end of what is covered. */
  readonly lagSeconds: number | undefined
  /** The newest event up to which everything is here. */
  readonly cursor: { readonly created_at: number; readonly event_id: string } | undefined
}

/** How far back history is complete; undefined where nothing comes down. Seconds of `created_at`. */
export interface Backfill {
  readonly target: number
  /** Lower end of the newest contiguous covered time; undefined before anything is covered. */
  readonly until: number | undefined
  readonly complete: boolean
  /** One decimal. */
  readonly percent: number
}

export function linkView(entry: LinkEntry, now: number): LinkView {
  const { link, run } = entry
  const parsed = checkpointSchema.safeParse(entry.checkpoint ?? emptyCheckpoint)
  const checkpoint = parsed.success ? parsed.data : emptyCheckpoint
  const phase = phaseOf(run)
  const active = run.state === 'running'
  const live = phase === 'live'
  const connected = active && phase !== 'connecting'
  const pulls = link.direction !== 'up'
  const nowSeconds = Math.floor(now / 1_000)
  const backfill = pulls ? backfillOf(entry, checkpoint.coverage, nowSeconds) : undefined
  const done = backfill?.complete ?? run.caughtUpAt !== undefined
  const failing = run.state === 'waiting' || run.state === 'blocked' || run.fault !== undefined
  const top = checkpoint.coverage.at(-1)?.[1]
  return {
    entry,
    checkpoint,
    counted: totals(run),
    status: failing ? 'error' : active && !live ? 'syncing' : done ? 'completed' : 'idle',
    phase,
    connected,
    live,
    failing,
    backfill,
    lagSeconds: pulls && top !== undefined ? Math.max(0, nowSeconds - top) : undefined,
    cursor: undefined,
  }
}

function phaseOf(run: RunRecord): string {
  switch (run.state) {
    case 'running':
      return run.progress?.phase ?? 'connecting'
    case 'waiting':
      return 'backing_off'
    case 'blocked':
      return 'faulted'
    default:
      return 'idle'
  }
}

function backfillOf({ link }: LinkEntry, coverage: Coverage, now: number): Backfill {
  const { filter } = link.scope as EventsScope
  const target = filter.since ?? 0
  const newest = coverage.at(-1)
  if (newest === undefined) return { target, until: undefined, complete: false, percent: 0 }
  const [until, top] = newest
  const complete = gaps(coverage, [target, top]).length === 0
  const end = Math.min(now, filter.until ?? now)
  const share = end <= target ? 1 : (end - Math.max(until, target)) / (end - target)
  return {
    target,
    until,
    complete,
    percent: complete ? 100 : Math.floor(Math.min(share, 0.999) * 1_000) / 10,
  }
}
