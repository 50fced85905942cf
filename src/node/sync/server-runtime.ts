import type { RunRecord } from '../../kernel/run.ts'
import type { Fault, Server, ServerRuntime, ServerStats, SyncStats } from '../sync-control.ts'
import { isoSeconds } from './iso-seconds.ts'
import { type LinkView, linkView } from './link-view.ts'
import type { ServerEntry } from './server-directory.ts'

/** What a server is doing, from its links' run records and checkpoints (spec events §2.13). Nothing of it is stored. */
function serverRuntime(entry: ServerEntry, now: number): ServerRuntime {
  const { record, links } = entry
  const views = links.map((link) => linkView(link, now))
  const runs = links.map(({ run }) => run)
  const sum = (name: string) => views.reduce((total, { counted }) => total + (counted[name] ?? 0), 0)
  const stopped = record.state === 'stopped'
  const fault = stopped ? null : faultOf(runs)
  const cursor = cursorOf(entry, views)
  return {
    server_id: record.definition.id,
    state: record.state,
    'connected?': views.some(({ connected }) => connected),
    ...times(runs, views),
    reconnect_attempts: Math.max(entry.health.consecutiveFailures, ...runs.map(({ failures }) => failures)),
    last_error: fault?.message ?? null,
    events_received: sum('received'),
    events_accepted: sum('accepted'),
    events_duplicate: sum('duplicate'),
    events_rejected: sum('rejected'),
    query_runs: sum('queryRuns'),
    subscription_restarts: sum('subscriptionRestarts'),
    reconnects: sum('reconnects'),
    cursor_created_at: cursor?.created_at ?? null,
    cursor_event_id: cursor?.event_id ?? null,
    phase: stopped ? 'stopped' : busiest(views),
    status: statusOf(views),
    events_uploaded: sum('uploaded'),
    events_upload_failed: sum('uploadRefused') + sum('uploadPending'),
    upload_seq: Math.max(0, ...views.map(({ checkpoint }) => checkpoint.uploadSeq)),
    bytes_in: sum('bytesReceived'),
    bytes_out: sum('bytesSent'),
    neg_rounds: sum('rounds'),
    backfill_progress_percent: least(views.map(({ backfill }) => backfill?.percent)),
    lag_seconds: most(views.map(({ lagSeconds }) => lagSeconds)),
    next_retry_at: stopped ? null : isoSeconds(nextRetry(entry)),
    fault,
    last_rejection: lastRejection(runs),
    created_at: isoSeconds(record.createdAt),
    updated_at: isoSeconds(record.updatedAt),
  }
}

export function toServer(entry: ServerEntry, now: number): Server {
  return { ...entry.record.definition, runtime: serverRuntime(entry, now) }
}

export function serverStats({ runtime }: Server): ServerStats {
  return {
    server_id: runtime.server_id,
    state: runtime.state,
    connected: runtime['connected?'],
    events_received: runtime.events_received,
    events_accepted: runtime.events_accepted,
    events_duplicate: runtime.events_duplicate,
    events_rejected: runtime.events_rejected,
    query_runs: runtime.query_runs,
    subscription_restarts: runtime.subscription_restarts,
    reconnects: runtime.reconnects,
    last_sync_started_at: runtime.last_sync_started_at,
    last_sync_completed_at: runtime.last_sync_completed_at,
    last_remote_eose_at: runtime.last_remote_eose_at,
    last_error: runtime.last_error,
    cursor_created_at: runtime.cursor_created_at,
    cursor_event_id: runtime.cursor_event_id,
  }
}

export function syncStats(servers: readonly Server[]): SyncStats {
  const sum = (of: (server: Server) => number) => servers.reduce((total, server) => total + of(server), 0)
  return {
    servers_total: servers.length,
    servers_enabled: sum((server) => Number(server['enabled?'])),
    servers_running: sum(({ runtime }) => Number(runtime.state === 'running')),
    servers_connected: sum(({ runtime }) => Number(runtime['connected?'])),
    events_received: sum(({ runtime }) => runtime.events_received),
    events_accepted: sum(({ runtime }) => runtime.events_accepted),
    events_duplicate: sum(({ runtime }) => runtime.events_duplicate),
    events_rejected: sum(({ runtime }) => runtime.events_rejected),
    query_runs: sum(({ runtime }) => runtime.query_runs),
    subscription_restarts: sum(({ runtime }) => runtime.subscription_restarts),
    reconnects: sum(({ runtime }) => runtime.reconnects),
  }
}

function times(runs: readonly RunRecord[], views: readonly LinkView[]) {
  const mark = (name: string) => most(runs.map(({ marks }) => marks[name]))
  const connectedAt = most([mark('connected'), ...views.map(connectedSince)])
  const eose = isoSeconds(mark('eose') ?? undefined)
  return {
    last_connected_at: isoSeconds(connectedAt ?? undefined),
    last_disconnected_at: isoSeconds(most(runs.map(({ finishedAt }) => finishedAt)) ?? undefined),
    last_sync_started_at: isoSeconds(most(runs.map(({ startedAt }) => startedAt)) ?? undefined),
    last_sync_completed_at: isoSeconds(most(runs.map(({ caughtUpAt }) => caughtUpAt)) ?? undefined),
    last_event_received_at: isoSeconds(mark('received') ?? undefined),
    last_eose_at: eose,
    last_remote_eose_at: eose,
  }
}

/** Where a plane sets no mark: an attempt that got anywhere had a connection since about when it began. */
function connectedSince({ entry: { run }, connected }: LinkView): number | undefined {
  return connected ? run.startedAt : undefined
}

function faultOf(runs: readonly RunRecord[]): Fault | null {
  const [worst] = runs
    .flatMap(({ fault }) => fault ?? [])
    .toSorted((a, b) => Number(b.permanent) - Number(a.permanent) || a.since - b.since)
  if (worst === undefined) return null
  const { name, code, message, since, permanent } = worst
  return { code: name ?? code, message, since: isoSeconds(since), permanent }
}

function nextRetry({ links, health: { notBefore = 0 } }: ServerEntry): number | undefined {
  const due = links.map(({ run }) => (run.state === 'waiting' ? run.dueAt : undefined))
  const first = least(due)
  return first === null ? undefined : Math.max(first, notBefore)
}

function lastRejection(runs: readonly RunRecord[]): ServerRuntime['last_rejection'] {
  const [last] = runs
    .flatMap(({ marks, progress }) =>
      marks.rejected === undefined ? [] : [{ at: marks.rejected, notes: progress?.notes }],
    )
    .toSorted((a, b) => b.at - a.at)
  if (last === undefined) return null
  const { rejectedId: event_id = null, rejectedFor: code = 'rejected' } = last.notes ?? {}
  return { event_id, code, at: isoSeconds(last.at) }
}

/** The furthest any link got, and never behind where another program was when its servers were taken over. */
function cursorOf({ record }: ServerEntry, views: readonly LinkView[]): ServerEntry['record']['cursor'] {
  const cursors = views.flatMap(({ cursor }) => cursor ?? [])
  if (record.cursor !== null) cursors.push(record.cursor)
  const [newest = null] = cursors.toSorted(
    (a, b) => b.created_at - a.created_at || (a.event_id < b.event_id ? 1 : -1),
  )
  return newest
}

const phases = [
  'idle',
  'backing_off',
  'faulted',
  'live',
  'queued',
  'connecting',
  'verifying',
  'transferring',
  'reconciling',
]

function busiest(views: readonly LinkView[]): string {
  return (
    views.map(({ phase }) => phase).toSorted((a, b) => phases.indexOf(b) - phases.indexOf(a))[0] ?? 'idle'
  )
}

function statusOf(views: readonly LinkView[]): ServerRuntime['status'] {
  if (views.some(({ status }) => status === 'error')) return 'error'
  if (views.some(({ status }) => status === 'syncing')) return 'syncing'
  return views.length > 0 && views.every(({ status }) => status === 'completed') ? 'completed' : 'idle'
}

function most(numbers: readonly (number | null | undefined)[]): number | null {
  const given = numbers.filter((number) => typeof number === 'number')
  return given.length === 0 ? null : Math.max(...given)
}

function least(numbers: readonly (number | null | undefined)[]): number | null {
  const given = numbers.filter((number) => typeof number === 'number')
  return given.length === 0 ? null : Math.min(...given)
}
