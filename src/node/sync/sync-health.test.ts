import assert from 'node:assert/strict'
import { test } from 'node:test'
import { unknownHealth } from '../../kernel/health.ts'
import { linkId } from '../../kernel/link.ts'
import { initialRun, type RunEvent, type RunRecord, step } from '../../kernel/run.ts'
import { normalizeServer } from '../../planes/events/definition/normalize-server.ts'
import type { EventsCheckpoint } from '../../planes/events/sync/checkpoint.ts'
import type { ServerEntry } from './server-directory.ts'
import { toPeer } from './server-record.ts'
import { syncHealth } from './sync-health.ts'

const at = Date.UTC(2026, 0, 1)
const fault = { code: 'peer/unreachable', name: undefined, permanent: false } as const
const events = {
  start: { kind: 'start', at },
  failed: { kind: 'failed', at, reason: 'refused', delayMs: 1_000, fault },
  live: {
    kind: 'progress',
    at,
    progress: { phase: 'live', done: 3, counters: { received: 3, rejected: 1 } },
  },
} as const satisfies Record<string, RunEvent>

function server(id: string, run: RunRecord, checkpoint?: Partial<EventsCheckpoint>): ServerEntry {
  const checked = normalizeServer({ id, url: `wss://${id}.example` }, { profile: 'open' })
  assert.ok(checked.ok)
  const record = {
    manager: 'default',
    definition: checked.value,
    profile: 'open',
    state: 'running',
    createdAt: at,
    updatedAt: at,
    cursor: null,
    adHoc: false,
  } as const
  const peer = toPeer(record)
  const link = {
    id: linkId(`link-${id}`),
    peer: peer.id,
    plane: 'events',
    scope: { filter: {} },
    scopeKey: '{}',
    direction: 'down',
    live: true,
    enabled: true,
    schedule: undefined,
  } as const
  const kept = checkpoint && { coverage: [], uploadSeq: 0, gaps: [], ...checkpoint }
  const links = [{ link, run, outbox: { pending: 0, dead: 0 }, checkpoint: kept }]
  return { record, peer, health: unknownHealth, links }
}

const live = step(step(initialRun, events.start), events.live)
const away = step(step(initialRun, events.start), events.failed)

test('E-32 all is well without servers, and an event that was refused changes nothing', () => {
  const none = syncHealth([], [], at)
  assert.deepEqual([none.status, none.servers_total, none.servers_failing], ['ok', 0, []])
  const one = syncHealth([server('a', live)], [], at + 600_000)
  assert.deepEqual([one.status, one.servers_connected, one.servers_failing], ['ok', 1, []])
})

test('E-32 a server that is away for more than a minute degrades, and its return ends that by itself', () => {
  const health = (run: RunRecord, later: number) =>
    syncHealth([server('b', run), server('a', live)], [], at + later)
  assert.equal(health(away, 30_000).status, 'ok')
  const late = health(away, 61_000)
  assert.deepEqual([late.status, late.servers_failing.map(({ id }) => id)], ['degraded', ['b']])
  assert.match(late.servers_failing[0]!.reason, /refused/)
  const back = step(step(away, { kind: 'start', at: at + 70_000 }), { ...events.live, at: at + 70_000 })
  assert.equal(health(back, 120_000).status, 'ok')
})

test('a permanent fault is told at once, a gap and a damaged record too; a store that fails is down', () => {
  const failed = (change: object) =>
    step(step(initialRun, events.start), { ...events.failed, fault: { ...fault, ...change } })
  const pinned = syncHealth([server('a', failed({ permanent: true, name: 'pin_mismatch' }))], [], at)
  assert.match(pinned.servers_failing[0]!.reason, /^pin_mismatch: /)
  const gap = syncHealth([server('a', live, { gaps: [{ second: 7, reason: 'dense_second' }] })], [], at)
  assert.match(gap.servers_failing[0]!.reason, /second 7 .*dense_second/)
  const damaged = syncHealth([], [{ id: 'x', reason: 'not JSON' }], at)
  assert.deepEqual([damaged.status, damaged.config_quarantined.length], ['degraded', 1])
  assert.equal(syncHealth([server('a', failed({ code: 'store/full' }))], [], at).status, 'down')
})

test('a server that was stopped is missed by nobody', () => {
  const { record, ...entry } = server('a', away)
  const stopped = { ...entry, record: { ...record, state: 'stopped' as const } }
  assert.equal(syncHealth([stopped], [], at + 600_000).status, 'ok')
})
