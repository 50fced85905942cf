import type { Server, SyncState } from '../node/sync-control.ts'
import { coverageWords, gapLines } from './coverage-words.ts'
import { number, proofLine } from './progress-line.ts'
import { ago, duration, until } from './time-words.ts'

export interface ReportOptions {
  /** Wall ms. */
  readonly now: number
  /** Whether a node works on it; else the store only knows how it was left. */
  readonly running: boolean
}

/** A relay for a person: what it is doing, how far it is, what went wrong last and when it tries again. */
export function relayReport(server: Server, states: readonly SyncState[], options: ReportOptions): string[] {
  const { runtime } = server
  const lines = [`${nameOf(server)}: ${headline(server, states, options)}`]
  for (const state of states) lines.push(...linkLines(state, options).map((line) => `  ${line}`))
  const { last_rejection: rejection, fault } = runtime
  if (fault !== null)
    lines.push(`  for ${duration(options.now - Date.parse(fault.since))}: ${fault.message} [${fault.code}]`)
  if (rejection !== null)
    lines.push(
      `  last event refused here ${ago(Date.parse(rejection.at), options.now)}: ${rejection.code}${
        rejection.event_id === null ? '' : ` (${rejection.event_id})`
      }`,
    )
  return lines
}

/** `Ours (wss://relay.example): first line of the notes` as far as there is any of it. */
function nameOf({ url, labels, notes }: Server): string {
  const named = labels.name === undefined ? url : `${labels.name} (${url})`
  return notes === null ? named : `${named} – ${notes.split('\n')[0]}`
}

function headline(server: Server, states: readonly SyncState[], { now, running }: ReportOptions): string {
  const { url, runtime } = server
  const { fault, phase } = runtime
  if (!server['enabled?']) return `disabled; "syncline relay set ${url} --enable" lets it run`
  if (runtime.state === 'stopped') return `stopped; "syncline relay start ${url}" lets it run`
  if (fault?.permanent === true) return `blocked, needs you${retryWords(server, now)}`
  if (phase === 'backing_off' || fault !== null) {
    const failures = runtime.reconnect_attempts
    const times = failures > 1 ? ` after ${failures} failures in a row` : ' after a failure'
    return `waiting${times}${retryWords(server, now)}`
  }
  if (runtime.status === 'syncing' || phase === 'live') {
    if (!running) return 'interrupted; goes on when the node is started'
    return phase === 'live' ? 'live, new events come as they are published' : syncing(server)
  }
  return resting(server, states, now)
}

function syncing({ runtime: { phase, backfill_progress_percent: percent } }: Server): string {
  const done = percent === null ? '' : `, ${number(percent)} % of the history done`
  return `syncing: ${phaseWords[phase] ?? phase}${done}`
}

const phaseWords: Readonly<Record<string, string>> = {
  starting: 'starting',
  connecting: 'connecting',
  queued: 'waiting for its turn',
  reconciling: 'comparing what both sides have',
  transferring: 'moving events',
  verifying: 'checking that both sides hold the same',
}

function resting({ runtime }: Server, states: readonly SyncState[], now: number): string {
  const next = states
    .flatMap(({ next_run_at }) => (next_run_at === null ? [] : [Date.parse(next_run_at)]))
    .sort((a, b) => a - b)[0]
  const then = next === undefined ? '' : `, next sync ${until(next, now)}`
  if (runtime.last_sync_started_at === null) return `not tried yet${then}`
  const completed = runtime.last_sync_completed_at
  const last = completed === null ? 'never finished a sync' : `last sync ${ago(Date.parse(completed), now)}`
  return runtime.status === 'completed' ? `caught up, ${last}${then}` : `idle, ${last}${then}`
}

function retryWords({ runtime }: Server, now: number): string {
  const at = runtime.next_retry_at
  return at === null ? '' : `, tries again ${until(Date.parse(at), now)}`
}

function linkLines(state: SyncState, { now }: ReportOptions): string[] {
  const { direction, filter, outbox, proof } = state
  const what = Object.keys(filter).length === 0 ? 'everything' : JSON.stringify(filter)
  const moved = [
    direction !== 'up' && `${number(state.events_downloaded)} down`,
    direction !== 'down' && `${number(state.events_uploaded)} up`,
  ].filter((text) => text !== false)
  const far = direction === 'up' ? uploadWords(state) : coverageWords(state, now)
  const lines = [`${direction} ${what}: ${far}; ${moved.join(', ')}`]
  lines.push(...gapLines(state).map((line) => `  ${line}`))
  if (outbox.pending > 0) lines.push(`  ${number(outbox.pending)} events wait to be offered again`)
  if (outbox.dead > 0)
    lines.push(
      `  ${number(outbox.dead)} events were refused there for good; "syncline relay dead-letters ${state.relay_url}" shows why`,
    )
  if (proof !== null) lines.push(`  ${proofLine(proof)}`)
  return lines
}

function uploadWords({ last_synced_at, upload_seq }: SyncState): string {
  if (upload_seq > 0) return `offered all that came in up to number ${number(upload_seq)}`
  return last_synced_at === null ? 'nothing offered yet' : 'all offered'
}

/** One line for a list: `live  wss://relay.example/  both  12,000 down, 40 up`. */
export function relayRow(server: Server, states: readonly SyncState[], options: ReportOptions): string {
  const [word = ''] = headline(server, states, options).split(/[,;:]/)
  const down = states.reduce((sum, state) => sum + state.events_downloaded, 0)
  const up = states.reduce((sum, state) => sum + state.events_uploaded, 0)
  const lag = server.runtime.lag_seconds
  const behind = lag === null ? '' : `  ${duration(lag * 1_000)} behind`
  return `${word.padEnd(14)} ${server.url}  ${server.direction}  ${number(down)} down, ${number(up)} up${behind}`
}
