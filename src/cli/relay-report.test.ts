import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Server, ServerRuntime, SyncState } from '../node/sync-control.ts'
import { normalizeServer } from '../planes/events/definition/normalize-server.ts'
import { relayReport, relayRow } from './relay-report.ts'

const now = Date.UTC(2026, 10, 26, 12)
const second = Math.floor(now / 1_000)
const at = (msAgo: number) => `${new Date(now - msAgo).toISOString().slice(0, 19)}Z`
const minute = 60_000
const since2021 = Date.UTC(2021, 10, 2) / 1_000
const url = 'wss://relay.example'

const untouched: ServerRuntime = {
  server_id: 'a',
  state: 'running',
  'connected?': false,
  last_connected_at: null,
  last_disconnected_at: null,
  last_sync_started_at: null,
  last_sync_completed_at: null,
  last_event_received_at: null,
  last_eose_at: null,
  last_remote_eose_at: null,
  reconnect_attempts: 0,
  last_error: null,
  events_received: 0,
  events_accepted: 0,
  events_duplicate: 0,
  events_rejected: 0,
  query_runs: 0,
  subscription_restarts: 0,
  reconnects: 0,
  cursor_created_at: null,
  cursor_event_id: null,
  phase: 'idle',
  status: 'idle',
  events_uploaded: 0,
  events_upload_failed: 0,
  upload_seq: 0,
  bytes_in: 0,
  bytes_out: 0,
  neg_rounds: 0,
  backfill_progress_percent: null,
  lag_seconds: null,
  next_retry_at: null,
  fault: null,
  last_rejection: null,
  created_at: at(0),
  updated_at: at(0),
}

const empty: SyncState = {
  id: 'l',
  relay_id: 'a',
  relay_url: url,
  filter: {},
  filter_hash: '',
  direction: 'down',
  live: true,
  schedule: null,
  status: 'idle',
  phase: 'idle',
  error_message: null,
  events_downloaded: 0,
  events_uploaded: 0,
  last_download_event_id: null,
  last_download_timestamp: null,
  last_upload_event_id: null,
  last_upload_timestamp: null,
  last_synced_at: null,
  backfill_target: since2021,
  backfill_until: null,
  backfill_progress_percent: 0,
  coverage: [],
  gaps: [],
  strategy: null,
  upload_seq: 0,
  outbox: { pending: 0, dead: 0 },
  next_run_at: null,
  next_retry_at: null,
  proof: null,
  created_at: null,
  updated_at: null,
}

function server(runtime: Partial<ServerRuntime>, definition: object = {}): Server {
  const result = normalizeServer({ id: 'a', url, ...definition }, { profile: 'open' })
  assert.ok(result.ok)
  return { ...result.value, runtime: { ...untouched, ...runtime } }
}

const report = (
  runtime: Partial<ServerRuntime>,
  state: Partial<SyncState> = {},
  { definition = {}, running = true }: { definition?: object; running?: boolean } = {},
) => relayReport(server(runtime, definition), [{ ...empty, ...state }], { now, running }).join('\n')

const whole: Partial<SyncState> = { coverage: [[since2021, second]], backfill_progress_percent: 100 }
const done: Partial<ServerRuntime> = {
  last_sync_started_at: at(6 * minute),
  last_sync_completed_at: at(5 * minute),
}

describe('syncline status says of a relay', () => {
  it('that it was never tried, and when it will be', () => {
    const text = report({}, { next_run_at: at(-5 * minute) })
    assert.match(text, /^wss:\/\/relay\.example: not tried yet, next sync in 5 min$/m)
    assert.match(text, /^ {2}down everything: nothing is known to be complete yet; 0 down$/m)
  })

  it('that it syncs, what of it, and how far it is', () => {
    const text = report(
      {
        status: 'syncing',
        phase: 'transferring',
        backfill_progress_percent: 42.5,
        last_sync_started_at: at(9),
      },
      {
        coverage: [[second - 86_400 * 30, second]],
        backfill_progress_percent: 42.5,
        status: 'syncing',
        events_downloaded: 12_345,
      },
    )
    assert.match(text, /: syncing: moving events, 42\.5 % of the history done$/m)
    assert.match(
      text,
      /down everything: complete since 2026-10-27; 1 stretch back to 2021-11-02 still missing \(42\.5 %\); 12,345 down/,
    )
    assert.match(report({ status: 'syncing', phase: 'reconciling' }), /comparing what both sides have/)
  })

  it('that it is live', () => {
    const text = report({ phase: 'live', status: 'completed', ...done }, { ...whole, phase: 'live' })
    assert.match(text, /: live, new events come as they are published$/m)
    assert.match(text, /complete since 2021-11-02; 0 down$/m)
  })

  it('that it is caught up, since when, and when it looks again', () => {
    const text = report({ status: 'completed', ...done }, { ...whole, next_run_at: at(-5 * minute) })
    assert.match(text, /: caught up, last sync 5 min ago, next sync in 5 min$/m)
    const old = report(
      { status: 'completed', ...done },
      { coverage: [[0, second - 7_200]], backfill_target: 0 },
    )
    assert.match(old, /complete from the first event on, up to 2 h ago/)
  })

  it('that it waits, why, and when it tries again', () => {
    const text = report({
      phase: 'backing_off',
      status: 'error',
      reconnect_attempts: 3,
      next_retry_at: at(-2 * minute),
      fault: {
        code: 'peer/unreachable',
        message: 'nobody listens',
        since: at(60 * minute),
        permanent: false,
      },
    })
    assert.match(text, /: waiting after 3 failures in a row, tries again in 2 min$/m)
    assert.match(text, /^ {2}for 1 h: nobody listens \[peer\/unreachable\]$/m)
  })

  it('that it is blocked and needs a person', () => {
    const fault = { code: 'pin_mismatch', message: 'another key', since: at(minute), permanent: true }
    const text = report({ phase: 'faulted', status: 'error', fault })
    assert.match(text, /: blocked, needs you$/m)
    assert.match(text, /another key \[pin_mismatch\]/)
    assert.match(
      report({ phase: 'faulted', status: 'error', fault, next_retry_at: at(-60 * minute) }),
      /: blocked, needs you, tries again in 1 h$/m,
    )
  })

  it('that it is stopped, or disabled, and what lets it run', () => {
    assert.match(report({ state: 'stopped', phase: 'stopped' }), /: stopped; "syncline relay start wss:/)
    assert.match(
      report({}, {}, { definition: { enabled: false } }),
      /: disabled; "syncline relay set wss:\/\/relay\.example --enable"/,
    )
  })

  it('which seconds it could not get whole', () => {
    const gaps = [1, 2, 3, 4, 5].map((n) => ({ second: since2021 + n, reason: 'dense_second' }))
    const text = report(done, { ...whole, gaps })
    assert.match(
      text,
      /gap: the relay cannot give all of 2021-11-02 00:00:01 UTC \(more events in it than it ever hands out\)/,
    )
    assert.match(text, /and 2 more gaps/)
  })

  it('which events were refused, there and here', () => {
    const rejected = 'f'.repeat(64)
    const text = report(
      { ...done, last_rejection: { event_id: rejected, code: 'invalid', at: at(minute) } },
      { direction: 'both', outbox: { pending: 7, dead: 3 }, events_uploaded: 40 },
    )
    assert.match(text, /7 events wait to be offered again/)
    assert.match(text, /3 events were refused there for good; "syncline relay dead-letters wss:/)
    assert.match(text, new RegExp(`last event refused here 1 min ago: invalid \\(${rejected}\\)`))
    assert.match(text, /0 down, 40 up/)
  })

  it('that it was interrupted, when no node works on it any more', () => {
    const text = report(
      { status: 'syncing', phase: 'transferring' },
      { status: 'syncing' },
      { running: false },
    )
    assert.match(text, /: interrupted; goes on when the node is started$/m)
    assert.match(report({ phase: 'live' }, {}, { running: false }), /: interrupted/)
  })

  it('what an upload offered', () => {
    const up = { direction: 'up', upload_seq: 1_200, events_uploaded: 1_100 } as const
    assert.match(report(done, up), /up everything: offered all that came in up to number 1,200; 1,100 up/)
    assert.match(report({}, { direction: 'up' }), /nothing offered yet/)
  })

  it('what both sides held at the end', () => {
    const side = { count: 10, fingerprint: 'ab' }
    assert.match(report(done, { proof: { local: side, remote: side, equal: true } }), /In step: 10 events/)
  })

  it('its name and its notes, in one line', () => {
    const definition = { labels: { name: 'Ours' }, notes: 'for the archive\nsecond line' }
    assert.match(
      report({}, {}, { definition }),
      /^Ours \(wss:\/\/relay\.example\) – for the archive: not tried yet$/m,
    )
  })

  it('in a list, one line each', () => {
    const row = relayRow(
      server({ phase: 'live', status: 'completed', lag_seconds: 90 }),
      [{ ...empty, events_downloaded: 1_200 }],
      { now, running: true },
    )
    assert.equal(row, 'live           wss://relay.example  down  1,200 down, 0 up  2 min behind')
  })
})
