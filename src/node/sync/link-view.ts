import { type RunRecord, totals } from '../../kernel/run.ts'
import type { EventsScope } from '../../planes/events/sync/attempt-state.ts'
import {
  checkpointSchema,
  type EventsCheckpoint,
  emptyCheckpoint,
} from '../../planes/events/sync/checkpoint.ts'
import { coverageFacts } from '../../planes/events/sync/coverage-facts.ts'
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
  const facts = coverageFacts(checkpoint, (link.scope as EventsScope).filter, nowSeconds)
  const { target = 0, until, percent, completed: complete } = facts
  const backfill = pulls ? { target, until, complete, percent } : undefined
  const done = backfill?.complete ?? run.caughtUpAt !== undefined
  const failing = run.state === 'waiting' || run.state === 'blocked' || run.fault !== undefined
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
    lagSeconds: pulls ? facts.lagSeconds : undefined,
    cursor: pulls && facts.cursor ? { created_at: facts.cursor[0], event_id: facts.cursor[1] } : undefined,
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
