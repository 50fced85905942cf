import assert from 'node:assert/strict'
import { leastServer } from './definition-rows.ts'
import type { Row, Surface, Table } from './surface.ts'

const lives = 'src/node/sync-control.ts'

/** Puts one server, asks about it, and removes it whatever came of that. */
async function withServer<T>({ sync }: Surface, id: string, work: () => Promise<T>): Promise<T> {
  const put = await sync.putServer(leastServer(id))
  assert.ok(put.ok, JSON.stringify(put))
  try {
    return await work()
  } finally {
    await sync.removeServer(id)
  }
}

const errorOf = (result: { readonly ok: boolean; readonly error?: string }) =>
  result.ok ? 'ok' : result.error

const row = (name: string, check: Row['check']): Row => ({ name, lives, check })

const functions: readonly Row[] = [
  row('putServer answers the server with its runtime', async ({ sync }) => {
    const put = await sync.putServer(leastServer('put'))
    assert.ok(put.ok)
    assert.equal(put.value.runtime.server_id, 'put')
    await sync.removeServer('put')
  }),
  row('putServer of what is no map', async ({ sync }) => {
    assert.equal(errorOf(await sync.putServer('x')), 'invalid_server')
  }),
  row('getServer', (surface) =>
    withServer(surface, 'get', async () => {
      const got = await surface.sync.getServer('get')
      assert.ok(got.ok)
      assert.equal(got.value.url, 'wss://get.example/relay')
    }),
  ),
  row('getServer of an unknown id is told from a failure', async ({ sync }) => {
    assert.equal(errorOf(await sync.getServer('nobody')), 'unknown_server')
  }),
  row('getServer of what is no id', async ({ sync }) => {
    assert.equal(errorOf(await sync.getServer(7 as unknown as string)), 'invalid_server_id')
  }),
  row('listServers is sorted by id', (surface) =>
    withServer(surface, 'b', () =>
      withServer(surface, 'a', async () => {
        const list = await surface.sync.listServers()
        assert.ok(list.ok)
        assert.deepEqual(
          list.value.map(({ id }) => id),
          ['a', 'b'],
        )
      }),
    ),
  ),
  ...(['removeServer', 'startServer', 'stopServer', 'syncNow'] as const).map((name) =>
    row(`${name} of an unknown id`, async ({ sync }) => {
      assert.equal(errorOf(await sync[name]('nobody')), 'not_found')
    }),
  ),
  ...(['startServer', 'stopServer', 'syncNow'] as const).map((name) =>
    row(name, (surface) =>
      withServer(surface, 'acts', async () => {
        assert.ok((await surface.sync[name]('acts')).ok)
        await surface.sync.stopServer('acts')
      }),
    ),
  ),
  row('removeServer', async ({ sync }) => {
    assert.ok((await sync.putServer(leastServer('gone'))).ok)
    assert.ok((await sync.removeServer('gone')).ok)
    assert.equal(errorOf(await sync.getServer('gone')), 'unknown_server')
  }),
  row('serverStats of an unknown id', async ({ sync }) => {
    assert.equal(errorOf(await sync.serverStats('nobody')), 'unknown_server')
  }),
  row('syncStats', async ({ sync }) => assert.ok((await sync.syncStats()).ok)),
  row('syncHealth', async ({ sync }) => assert.ok((await sync.syncHealth()).ok)),
  ...(['pageEvents', 'streamEvents', 'copyEvents', 'importEvents'] as const).map((name) =>
    row(name, ({ sync }) => assert.equal(typeof sync[name], 'function')),
  ),
  ...(['manager', 'name'] as const).map((option) =>
    row(`${option} chooses another manager`, (surface) =>
      withServer(surface, 'mine', async () => {
        const theirs = await surface.sync.listServers({ [option]: 'other' })
        assert.ok(theirs.ok)
        assert.deepEqual(theirs.value, [])
      }),
    ),
  ),
]

/** Every runtime field of a server that was never started, with its first value. */
const runtime: Readonly<Record<string, unknown>> = {
  server_id: 'fresh',
  state: 'stopped',
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
  phase: 'stopped',
  status: 'idle',
  events_uploaded: 0,
  events_upload_failed: 0,
  upload_seq: 0,
  bytes_in: 0,
  bytes_out: 0,
  neg_rounds: 0,
  lag_seconds: null,
  next_retry_at: null,
  fault: null,
  last_rejection: null,
}

const runtimeRows: readonly Row[] = [
  ...Object.entries(runtime).map(([field, first]) =>
    row(`runtime.${field}`, (surface) =>
      withServer(surface, 'fresh', async () => {
        const got = await surface.sync.getServer('fresh')
        assert.ok(got.ok)
        assert.ok(field in got.value.runtime)
        assert.deepEqual((got.value.runtime as unknown as Record<string, unknown>)[field], first)
      }),
    ),
  ),
  row('runtime.backfill_progress_percent', (surface) =>
    withServer(surface, 'fresh', async () => {
      const got = await surface.sync.getServer('fresh')
      assert.ok(got.ok && 'backfill_progress_percent' in got.value.runtime)
    }),
  ),
]

const sums = [
  'events_received',
  'events_accepted',
  'events_duplicate',
  'events_rejected',
  'query_runs',
  'subscription_restarts',
  'reconnects',
]
const serverStats = [
  'server_id',
  'state',
  'connected',
  ...sums,
  'last_sync_started_at',
  'last_sync_completed_at',
  'last_remote_eose_at',
  'last_error',
  'cursor_created_at',
  'cursor_event_id',
]
const syncStats = ['servers_total', 'servers_enabled', 'servers_running', 'servers_connected', ...sums]

const stats: readonly Row[] = [
  row('serverStats has exactly its keys', (surface) =>
    withServer(surface, 'counted', async () => {
      const got = await surface.sync.serverStats('counted')
      assert.ok(got.ok)
      assert.deepEqual(Object.keys(got.value).sort(), serverStats.toSorted())
    }),
  ),
  row('syncStats has exactly its keys', async ({ sync }) => {
    const got = await sync.syncStats()
    assert.ok(got.ok)
    assert.deepEqual(Object.keys(got.value).sort(), syncStats.toSorted())
  }),
  row('syncHealth has its keys, and is ok without servers', async ({ sync }) => {
    const got = await sync.syncHealth()
    assert.ok(got.ok)
    const { status, servers_total, servers_connected, servers_failing } = got.value
    assert.deepEqual([status, servers_total, servers_connected, servers_failing], ['ok', 0, 0, []])
  }),
]

export const controlTables: readonly Table[] = [
  { section: '2.1', rows: functions },
  { section: '2.13', rows: runtimeRows },
  { section: '2.16', rows: stats },
]
