import assert from 'node:assert/strict'
import { loadConfig } from '../../../src/config/load.ts'
import type { Row, Surface, Table } from './surface.ts'

const route = (method: string, path: string, ...statuses: readonly number[]): Row => ({
  name: `${method.toUpperCase()} ${path}`,
  lives: 'src/api/routes.ts',
  check: (surface) => {
    const { responses } = surface.operation(method, path)
    for (const status of statuses) assert.ok(`${status}` in responses, `${status} is not documented`)
  },
})

const routes: readonly Row[] = [
  route('get', '/relays', 200, 401),
  route('get', '/relays/{id}', 200, 401, 404),
  route('post', '/relays', 201, 401, 422, 400),
  route('patch', '/relays/{id}', 200, 401, 404, 422),
  route('put', '/relays/{id}', 200, 401, 404, 422),
  route('delete', '/relays/{id}', 204, 401, 404),
  route('get', '/api_keys', 200, 401),
  route('post', '/api_keys', 201, 401, 422),
  route('delete', '/api_keys/{id}', 204, 401, 404),
  route('post', '/relays/{id}/sync'),
  route('post', '/relays/{id}/start'),
  route('post', '/relays/{id}/stop'),
  route('post', '/relays/{id}/reset'),
  route('get', '/relays/{id}/state'),
  route('get', '/relays/{id}/runs'),
  route('get', '/sync_states'),
  route('get', '/health'),
  route('get', '/stats'),
  {
    name: 'GET /up',
    lives: 'src/api/resource/probes.ts',
    check: async ({ world }) => assert.equal((await fetch(`${world.url}/up`)).status, 200),
  },
  {
    name: 'GET / with Accept: application/nostr+json',
    lives: 'src/planes/events/relay/http.ts',
    check: async ({ world }) => {
      const url = (await world.node.status()).listening!.replace(/^ws/, 'http')
      const response = await fetch(url, { headers: { accept: 'application/nostr+json' } })
      const document = (await response.json()) as { readonly supported_nips: readonly number[] }
      assert.ok(document.supported_nips.includes(77))
    },
  },
]

async function created({ world }: Surface, body: object) {
  const made = await world.call('post', '/relays', { body: { upstream_relay: body } })
  if (made.status === 201) await world.call('delete', `/relays/${made.body.id}`)
  return made
}

const field = (name: string, expected: unknown): Row => ({
  name: `${name} is ${JSON.stringify(expected)} by default`,
  lives: 'src/planes/events/definition/relay-body.ts',
  check: async (surface) => {
    const { status, body } = await created(surface, { url: 'wss://fields.example' })
    assert.equal(status, 201)
    assert.deepEqual(body[name], expected)
  },
})

const message = (text: string, body: object): Row => ({
  name: text,
  lives: 'src/planes/events/definition/relay-body.ts',
  check: async (surface) => {
    const { status, body: answer } = await created(surface, body)
    assert.equal(status, 422)
    assert.ok((answer.errors as string[]).includes(text), JSON.stringify(answer))
  },
})

const fields: readonly Row[] = [
  field('enabled', true),
  field('backfill', true),
  field('negentropy', false),
  field('direction', 'down'),
  field('notes', null),
  message("Url can't be blank", {}),
  message('Url must be a valid WebSocket URL (ws:// or wss://)', { url: 'https://x.example' }),
  message('Direction is not included in the list', { url: 'wss://x.example', direction: 'sideways' }),
  {
    name: 'Url has already been taken',
    lives: 'src/node/sync/relay-control.ts',
    check: async ({ world }) => {
      const body = { upstream_relay: { url: 'wss://twice.example', enabled: false } }
      const first = await world.call('post', '/relays', { body })
      const second = await world.call('post', '/relays', { body })
      assert.equal(second.status, 422)
      assert.ok((second.body.errors as string[]).includes('Url has already been taken'))
      await world.call('delete', `/relays/${first.body.id}`)
    },
  },
  {
    name: 'created_at and updated_at with milliseconds',
    lives: 'src/api/schema/relay.ts',
    check: async (surface) => {
      const { body } = await created(surface, { url: 'wss://times.example' })
      for (const time of [body.created_at, body.updated_at]) assert.match(time, /^\d{4}-.*\.\d{3}Z$/)
    },
  },
]

/** relay.rb's settings with their defaults, and those of ours. */
const defaults: Readonly<Record<string, number>> = {
  batch_size: 100,
  max_concurrent_connections: 10,
  reconnect_delay_seconds: 5,
  max_reconnect_attempts: 10,
  backfill_since_hours: 43_800,
  negentropy_frame_size: 60_000,
  negentropy_chunk_hours: 2,
  polling_chunk_hours: 6,
  polling_window_minutes: 15,
  polling_timeout_seconds: 30,
  upload_batch_size: 50,
  upload_delay_ms: 100,
  resume_overlap_seconds: 300,
  checkpoint_interval: 100,
  stale_threshold_minutes: 10,
  error_retry_after_minutes: 30,
  fetch_timeout_seconds: 10,
  negentropy_timeout_seconds: 300,
  publish_timeout_seconds: 10,
  connect_timeout_seconds: 20,
  max_queue_events: 5_000,
  upload_pipeline: 50,
  full_reconcile_hours: 24,
  negentropy_min_window_seconds: 60,
}

const settings: readonly Row[] = [
  ...Object.entries({ ...defaults, max_filter_limit: 100 }).map(
    ([name, value]): Row => ({
      name: `config.${name} is taken, and checked`,
      lives: 'src/planes/events/definition/config-overrides.ts',
      check: async (surface) => {
        const url = 'wss://config.example'
        const taken = await created(surface, { url, config: { [name]: value } })
        assert.equal(taken.status, 201, JSON.stringify(taken.body))
        assert.equal(taken.body.config[name], value)
        assert.equal((await created(surface, { url, config: { [name]: 'much' } })).status, 422)
      },
    }),
  ),
  {
    name: 'config.event_kinds is taken, and checked',
    lives: 'src/planes/events/definition/config-overrides.ts',
    check: async (surface) => {
      const url = 'wss://config.example'
      assert.equal((await created(surface, { url, config: { event_kinds: [0, 3] } })).status, 201)
      assert.equal((await created(surface, { url, config: { event_kinds: ['all'] } })).status, 422)
    },
  },
  {
    name: 'an unknown setting is refused',
    lives: 'src/planes/events/definition/config-overrides.ts',
    check: async (surface) =>
      assert.equal(
        (await created(surface, { url: 'wss://config.example', config: { speed: 9 } })).status,
        422,
      ),
  },
]

const schedules: Readonly<Record<string, string>> = {
  realtime: '5m',
  backfill: '1h',
  upload: '15m',
  recovery: '10m',
  full: '03:00',
  housekeeping: '1h',
}

const schedule: readonly Row[] = Object.entries(schedules).map(([entry]) => ({
  name: `schedule.${entry}`,
  lives: 'src/config/schema.ts',
  check: async () => {
    const { schedule } = (await loadConfig()) as { schedule?: Readonly<Record<string, unknown>> }
    assert.equal(typeof schedule?.[entry], 'string')
  },
}))

export const restTables: readonly Table[] = [
  { section: '4.1', rows: fields },
  { section: '4.2', rows: settings },
  { section: '4.4', rows: routes },
  { section: '4.6', rows: schedule },
]
