import type { AttemptRecord } from '../../kernel/attempt-record.ts'
import type { RunRecord } from '../../kernel/run.ts'
import type { Filter } from '../../planes/events/filter.ts'
import { filterHash } from '../../planes/events/filter-hash.ts'
import type { EventsScope } from '../../planes/events/sync/attempt-state.ts'
import type { LinkMetrics, SyncRun, SyncState } from '../sync-control.ts'
import { isoSeconds } from './iso-seconds.ts'
import { linkView } from './link-view.ts'
import type { LinkEntry } from './server-directory.ts'
import type { ServerRecord } from './server-record.ts'
import type { EventPlace } from './servers.ts'

/**
 * A link in relay.rb's words (spec events §4.16), with what is ours after them.
 *
 * @param uploaded the event at its upload position
 */
export function syncState(
  { definition, createdAt }: ServerRecord,
  entry: LinkEntry,
  now: number,
  uploaded: EventPlace | undefined,
): SyncState {
  const { link, run, outbox } = entry
  const { checkpoint, counted, status, phase, backfill, cursor } = linkView(entry, now)
  const filter: Filter = (link.scope as EventsScope).filter
  return {
    id: link.id,
    relay_id: definition.id,
    relay_url: definition.url,
    filter,
    filter_hash: filterHash(filter),
    direction: link.direction,
    live: link.live,
    schedule: link.schedule ?? null,
    status,
    phase,
    error_message: run.fault?.message ?? run.reason ?? null,
    events_downloaded: counted.accepted ?? 0,
    events_uploaded: counted.uploaded ?? 0,
    last_download_event_id: cursor?.event_id ?? null,
    last_download_timestamp: cursor?.created_at ?? null,
    last_upload_event_id: uploaded?.id ?? null,
    last_upload_timestamp: uploaded?.created_at ?? null,
    last_synced_at: isoSeconds(run.caughtUpAt),
    backfill_target: backfill?.target ?? null,
    backfill_until: backfill?.until ?? null,
    backfill_progress_percent: backfill?.percent ?? null,
    coverage: checkpoint.coverage,
    gaps: checkpoint.gaps,
    strategy: checkpoint.strategy ?? null,
    upload_seq: checkpoint.uploadSeq,
    outbox,
    next_run_at: run.state === 'idle' ? isoSeconds(run.dueAt) : null,
    next_retry_at: run.state === 'waiting' ? isoSeconds(run.dueAt) : null,
    proof: run.proof ?? null,
    created_at: isoSeconds(createdAt),
    updated_at: isoSeconds(lastMoved(run)),
  }
}

function lastMoved({ startedAt, finishedAt, caughtUpAt }: RunRecord): number | undefined {
  const times = [startedAt, finishedAt, caughtUpAt].filter((time) => time !== undefined)
  return times.length === 0 ? undefined : Math.max(...times)
}

export function syncRun(
  { definition }: ServerRecord,
  { id, link, trigger, startedAt, end }: AttemptRecord,
): SyncRun {
  return {
    id,
    relay_id: definition.id,
    state_id: link,
    trigger,
    started_at: isoSeconds(startedAt),
    finished_at: isoSeconds(end?.finishedAt),
    outcome: end?.result ?? null,
    code: end?.fault ?? end?.code ?? null,
    reason: end?.reason ?? null,
    strategy: end?.notes.strategy ?? null,
    notes: end?.notes ?? {},
    counters: end?.counters ?? {},
  }
}

export function linkMetrics({ definition }: ServerRecord, entry: LinkEntry, now: number): LinkMetrics {
  const { checkpoint, counted, connected, failing, lagSeconds } = linkView(entry, now)
  return {
    peer: definition.id,
    direction: entry.link.direction,
    strategy: checkpoint.strategy ?? 'none',
    connected,
    failing,
    lag_seconds: lagSeconds ?? null,
    outbox: entry.outbox,
    counters: counted,
  }
}
