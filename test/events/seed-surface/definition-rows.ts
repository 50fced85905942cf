import assert from 'node:assert/strict'
import type { Row, Surface, Table } from './surface.ts'

const lives = 'src/planes/events/definition/normalize-server.ts'
const key = 'ab'.repeat(32)
const pin = { type: 'spki_sha256', value: Buffer.alloc(32, 7).toString('base64') }

/** The least that the strict profile takes; it never connects. */
export const leastServer = (id: string) => ({
  id,
  url: `wss://${id}.example/relay`,
  'enabled?': false,
  auth_pubkey: key,
  filters: [{ kinds: [5_000] }],
  tls: { mode: 'required', pins: [pin] },
})

let serial = 0

/** Puts a server with these fields changed; `undefined` leaves one out. */
async function put({ sync }: Surface, changes: object) {
  const server = { ...leastServer(`row-${++serial}`), ...changes }
  const given = Object.entries(server).filter(([, value]) => value !== undefined)
  const result = await sync.putServer(Object.fromEntries(given))
  if (result.ok) await sync.removeServer(result.value.id)
  return result
}

const refused = (name: string, code: string, changes: object, shownAs = name): Row => ({
  name: `${shownAs} → ${code}`,
  lives,
  check: async (surface) => {
    const result = await put(surface, changes)
    assert.equal(result.ok ? 'taken' : result.error, code)
  },
})

/** The value at a path like `tls.hostname`. */
const valueAt = (value: unknown, path: string) =>
  path.split('.').reduce<unknown>((inner, name) => (inner as Record<string, unknown>)[name], value)

const byDefault = (path: string, expected: unknown, changes: object = {}): Row => ({
  name: `${path} is ${JSON.stringify(expected)} by default`,
  lives,
  check: async (surface) => {
    const result = await put(surface, changes)
    assert.ok(result.ok, JSON.stringify(result))
    assert.deepEqual(valueAt(result.value, path), expected)
  },
})

const taken = (name: string, changes: object, path: string, expected: unknown): Row => ({
  name,
  lives,
  check: async (surface) => {
    const result = await put(surface, changes)
    assert.ok(result.ok, JSON.stringify(result))
    assert.deepEqual(valueAt(result.value, path), expected)
  },
})

const tls = (changes: object) => ({ tls: { mode: 'required', pins: [pin], ...changes } })

const fields: readonly Row[] = [
  refused('id', 'invalid_server_id', { id: '' }),
  refused('url', 'invalid_url', { url: 'https://relay.example' }),
  refused('enabled?', 'invalid_enabled_flag', { 'enabled?': 'yes' }),
  refused('auth_pubkey', 'invalid_auth_pubkey', { auth_pubkey: 'abc' }),
  refused('filters', 'invalid_filters', { filters: 'all' }),
  refused('mode', 'invalid_mode', { mode: 'sometimes' }),
  refused('overlap_window_seconds', 'invalid_overlap_window_seconds', { overlap_window_seconds: -1 }),
  refused('relay_info_mode', 'invalid_relay_info_mode', { relay_info_mode: 'maybe' }),
  refused('auth', 'invalid_auth', { auth: 'nip42' }),
  refused('auth.type', 'invalid_auth_type', { auth: { type: 'basic' } }),
  refused('auth.mode', 'invalid_auth_mode', { auth: { type: 'nip42', mode: 'never' } }),
  refused('tls', 'invalid_tls', { tls: 'on' }),
  refused('tls.mode', 'invalid_tls_mode', { tls: { mode: 'sometimes' } }),
  refused('tls.hostname', 'invalid_tls_hostname', tls({ hostname: '' })),
  refused('tls.pins', 'invalid_tls_pins', { tls: { mode: 'required', pins: 'x' } }),
  refused('tls.pins[].type', 'invalid_tls_pin', tls({ pins: [{ ...pin, type: 'sha1' }] })),
  refused('tls.pins[].value', 'invalid_tls_pin', tls({ pins: [{ ...pin, value: 'short' }] })),
  refused('tls.ca_certfile', 'invalid_tls_ca_certfile', tls({ ca_certfile: 7 })),
  refused('tls.client_certfile', 'invalid_tls_client_certfile', tls({ client_certfile: 7 })),
  refused('tls.client_keyfile', 'invalid_tls_client_keyfile', tls({ client_keyfile: 7 })),
  refused('metadata', 'invalid_metadata', { metadata: 'x' }),
  refused('an unknown field', 'unknown_field', { colour: 'blue' }),
  byDefault('enabled?', true, { 'enabled?': undefined }),
  byDefault('mode', 'req_stream'),
  byDefault('overlap_window_seconds', 300),
  byDefault('relay_info_mode', 'required'),
  byDefault('auth.type', 'nip42'),
  byDefault('auth.mode', 'on_challenge'),
  byDefault('tls.ca_certfile', null),
  byDefault('tls.client_certfile', null),
  byDefault('tls.client_keyfile', null),
  byDefault('tls.min_version', 'TLSv1.2'),
  byDefault('metadata', {}),
  byDefault('direction', 'down'),
  byDefault('backfill', true),
  byDefault('negentropy', false),
  byDefault('notes', null),
  byDefault('config', {}),
  byDefault('upload_filters', null, { direction: 'both' }),
  {
    name: 'upload_filters are the filters by default',
    lives: 'src/planes/events/definition/definition-links.ts',
    check: async ({ sync }) => {
      assert.ok((await sync.putServer({ ...leastServer('up'), direction: 'up' })).ok)
      const states = await sync.states('up')
      await sync.removeServer('up')
      assert.deepEqual(
        states.map(({ direction, filter }) => [direction, filter]),
        [['up', { kinds: [5_000] }]],
      )
    },
  },
  byDefault('labels', {}),
  taken('enabled is the same as enabled?', { 'enabled?': undefined, enabled: false }, 'enabled?', false),
  taken(
    'plugins.down and plugins.up',
    { plugins: { down: '/bin/true', up: '/bin/true' } },
    'plugins.down',
    '/bin/true',
  ),
]

const filter = (code: string, ...filters: readonly unknown[]): Row =>
  refused('filters', code, { filters }, JSON.stringify(filters).slice(0, 60))

const filters: readonly Row[] = [
  filter('empty_filters'),
  filter('too_many_filters', ...Array.from({ length: 17 }, (_, kind) => ({ kinds: [kind] }))),
  filter('invalid_filter', 'all'),
  filter('invalid_filter_key', { colours: ['blue'] }),
  filter('invalid_ids', { ids: [] }),
  filter('invalid_authors', { authors: ['aa'] }),
  filter('invalid_kinds', { kinds: [65_536] }),
  filter('invalid_since', { since: -1 }),
  filter('invalid_until', { until: 'now' }),
  filter('invalid_tag_filter', { '#t': [] }),
  filter('too_many_tag_values', { '#t': Array.from({ length: 129 }, (_, i) => `${i}`) }),
  filter('limit_not_allowed', { limit: 5 }),
  filter('search_not_allowed', { search: 'x' }),
  filter('empty_time_range', { since: 5, until: 4 }),
]

const addresses: readonly Row[] = [
  refused('ws: with tls required', 'invalid_url', { url: 'ws://relay.example' }),
  refused('wss: with tls disabled', 'invalid_tls_mode', { tls: { mode: 'disabled' } }),
  refused('user and password', 'invalid_url', { url: 'wss://me:secret@relay.example' }),
  refused('a fragment', 'invalid_url', { url: 'wss://relay.example/#part' }),
  byDefault('tls.hostname', 'relay.example', { url: 'wss://relay.example/x' }),
  taken(
    'tls disabled has no pins',
    { url: 'ws://relay.example', tls: { mode: 'disabled', pins: [pin] } },
    'tls.pins',
    [],
  ),
]

const modes: readonly Row[] = ['req_stream', 'poll', 'negentropy', 'sync_page', 'auto'].map((mode) =>
  taken(`mode ${mode}`, { mode }, 'mode', mode),
)

export const definitionTables: readonly Table[] = [
  { section: '2.2', rows: fields },
  { section: '2.4', rows: filters },
  { section: '2.5', rows: addresses },
  { section: '2.9', rows: modes },
]
