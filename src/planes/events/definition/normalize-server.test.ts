import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { filter as anyFilter } from '../../../../test/acceptance/event-arbitrary.ts'
import { filterHash } from '../filter-hash.ts'
import { normalizeServer } from './normalize-server.ts'
import type { DefinitionErrorCode, DefinitionProfile, ServerDefinition } from './server-definition.ts'

const key = 'ab'.repeat(32)
const pin = { type: 'spki_sha256', value: Buffer.alloc(32, 7).toString('base64') }
const tls = { mode: 'required', hostname: 'relay-a.example', pins: [pin] }
const minimal = {
  id: 'tribes-primary',
  url: 'wss://relay-a.example/relay',
  auth_pubkey: key,
  filters: [{ kinds: [5000] }],
  tls: { pins: [pin] },
}

function normal(input: unknown, profile: DefinitionProfile = 'strict'): ServerDefinition {
  const result = normalizeServer(input, { profile })
  assert.ok(result.ok, JSON.stringify(result))
  return result.value
}

function refusals(input: unknown, profile: DefinitionProfile = 'strict'): [string, string][] {
  const result = normalizeServer(input, { profile, selfUrls: ['wss://self.example'] })
  assert.ok(!result.ok, `${JSON.stringify(input)} was accepted`)
  assert.equal(result.error, result.details[0]?.code)
  for (const { message } of result.details) assert.ok(message.length > 5)
  return result.details.map(({ path, code }) => [path, code])
}

describe('normalizeServer', () => {
  it('E-2 takes a full map as it stands', () => {
    const full = {
      ...minimal,
      'enabled?': true,
      mode: 'req_stream',
      overlap_window_seconds: 300,
      auth: { type: 'nip42' },
      tls,
      metadata: { owner: 'ops', nested: { list: [1] } },
    }
    assert.deepEqual(normal(full), {
      ...full,
      relay_info_mode: 'required',
      identity_field: 'self',
      auth: { type: 'nip42', mode: 'on_challenge', identity: 'relay' },
      tls: {
        ...tls,
        ca_certfile: null,
        client_certfile: null,
        client_keyfile: null,
        require_pins: false,
        min_version: 'TLSv1.2',
      },
      direction: 'down',
      backfill: true,
      negentropy: false,
      upload_filters: null,
      schedule: null,
      plugins: { down: null, up: null },
      accept_protected_from_peers: false,
      upload_expiring: 'auto',
      labels: {},
      notes: null,
      config: {},
    })
  })

  it('E-5 fills in the defaults of the strict profile', () => {
    const value = normal(minimal)
    assert.equal(value['enabled?'], true)
    assert.equal(value.mode, 'req_stream')
    assert.equal(value.overlap_window_seconds, 300)
    assert.equal(value.relay_info_mode, 'required')
    assert.deepEqual(value.auth, { type: 'nip42', mode: 'on_challenge', identity: 'relay' })
    assert.deepEqual(value.metadata, {})
    assert.equal(value.tls.hostname, 'relay-a.example')
  })

  it('the open profile takes TLS from the URL and needs no key unless it is to be checked', () => {
    const secure = normal({ id: 'a', url: 'wss://[::1]:8443' }, 'open')
    assert.deepEqual([secure.tls.mode, secure.tls.hostname, secure.tls.pins], ['required', '::1', []])
    assert.deepEqual([secure.auth_pubkey, secure.relay_info_mode, secure.filters], [null, 'optional', [{}]])
    assert.equal(normal({ id: 'a', url: 'ws://localhost' }, 'open').tls.mode, 'disabled')
    assert.deepEqual(refusals({ id: 'a', url: 'wss://x', relay_info_mode: 'required' }, 'open'), [
      ['auth_pubkey', 'invalid_auth_pubkey'],
    ])
    assert.deepEqual(refusals({ id: 'a', url: 'wss://x', tls: { require_pins: true } }, 'open'), [
      ['tls.pins', 'invalid_tls_pins'],
    ])
  })

  it('E-4 a key in upper case is stored in lower case', () => {
    assert.equal(normal({ ...minimal, auth_pubkey: key.toUpperCase() }).auth_pubkey, key)
  })

  it('E-7 without TLS there are no pins, whatever is given', () => {
    for (const pins of [[pin], 'junk', null])
      assert.deepEqual(
        normal({ ...minimal, url: 'ws://localhost', tls: { mode: 'disabled', pins } }).tls.pins,
        [],
      )
  })

  it('E-6 a URL and a TLS mode that contradict each other are told by the one to change', () => {
    const plain = refusals({ ...minimal, url: 'ws://a', tls: { mode: 'required', pins: [pin] } })
    assert.deepEqual(plain, [['url', 'invalid_url']])
    const open = refusals({ ...minimal, tls: { mode: 'disabled' } })
    assert.deepEqual(open, [['tls.mode', 'invalid_tls_mode']])
  })

  it('E-8 a client certificate comes with its key, and a key with its certificate', () => {
    const files = { client_certfile: '/c.pem', client_keyfile: '/k.pem' }
    assert.equal(normal({ ...minimal, tls: { pins: [pin], ...files } }).tls.client_keyfile, '/k.pem')
    assert.deepEqual(refusals({ ...minimal, tls: { pins: [pin], client_certfile: '/c.pem' } }), [
      ['tls.client_keyfile', 'invalid_tls_client_keyfile'],
    ])
    assert.deepEqual(refusals({ ...minimal, tls: { pins: [pin], client_keyfile: '/k.pem' } }), [
      ['tls.client_certfile', 'invalid_tls_client_certfile'],
    ])
  })

  it('E-9 filters that cannot be synced are refused, each with a code of its own', () => {
    const cases: readonly [unknown, DefinitionErrorCode][] = [
      [[], 'empty_filters'],
      [seventeen, 'too_many_filters'],
      [[{ color: ['red'] }], 'invalid_filter_key'],
      [[{ ids: [] }], 'invalid_ids'],
      [[{ limit: 5 }], 'limit_not_allowed'],
      [[{ search: 'x' }], 'search_not_allowed'],
    ]
    for (const [filters, code] of cases)
      assert.deepEqual(
        refusals({ ...minimal, filters }).map(([, given]) => given),
        [code],
      )
    assert.equal(new Set(cases.map(([, code]) => code)).size, cases.length)
  })

  it('what is ours in a definition is checked as strictly', () => {
    const plain = { id: 'a', url: 'wss://a.example' }
    const cases: readonly [object, string, DefinitionErrorCode][] = [
      [{ upload_filters: 7 }, 'upload_filters', 'invalid_upload_filters'],
      [{ upload_filters: [] }, 'upload_filters', 'empty_filters'],
      [{ upload_filters: [{ limit: 1 }] }, 'upload_filters[0].limit', 'limit_not_allowed'],
      [{ schedule: 5 }, 'schedule', 'invalid_schedule'],
      [{ plugins: [] }, 'plugins', 'invalid_plugins'],
      [{ plugins: { down: 'relative/path' } }, 'plugins.down', 'invalid_plugins'],
      [{ plugins: { sideways: '/x' } }, 'plugins.sideways', 'unknown_field'],
      [{ labels: { 'a-b': 'x' } }, 'labels.a-b', 'invalid_labels'],
      [{ labels: { a: 7 } }, 'labels.a', 'invalid_labels'],
      [{ identity_field: 'both' }, 'identity_field', 'invalid_identity_field'],
      [{ auth: { identity: 'sync' } }, 'auth.identity', 'invalid_auth_identity'],
      [{ upload_expiring: 'maybe' }, 'upload_expiring', 'invalid_upload_expiring'],
      [
        { accept_protected_from_peers: 'yes' },
        'accept_protected_from_peers',
        'invalid_accept_protected_from_peers',
      ],
    ]
    for (const [change, path, code] of cases)
      assert.deepEqual(refusals({ ...plain, ...change }, 'open'), [[path, code]], JSON.stringify(change))
  })

  it('the alias enabled is taken, a contradiction is not', () => {
    assert.equal(normal({ ...minimal, enabled: false })['enabled?'], false)
    assert.equal(normal({ ...minimal, enabled: false, 'enabled?': false })['enabled?'], false)
    assert.deepEqual(refusals({ ...minimal, enabled: false, 'enabled?': true }), [
      ['enabled', 'invalid_enabled_flag'],
    ])
  })

  it('a certificate authority of its own stands in for pins, unless pins are required', () => {
    assert.equal(normal({ ...minimal, tls: { ca_certfile: '/ca.pem' } }).tls.ca_certfile, '/ca.pem')
    assert.deepEqual(refusals({ ...minimal, tls: { ca_certfile: '/ca.pem', require_pins: true } }), [
      ['tls.pins', 'invalid_tls_pins'],
    ])
  })

  it('E-10 spellings of one filter are one filter', () => {
    const { filters } = normal({
      ...minimal,
      filters: [{ kinds: [3, 0, 3] }, { kinds: [0, 3] }, { since: 1, kinds: [1] }, { kinds: [1], since: 1 }],
    })
    assert.deepEqual(filters, [{ kinds: [0, 3] }, { kinds: [1], since: 1 }])
    assert.equal(filterHash(filters[0]!), '3ca9686197d191e3955b7844afe653a2fd18b3fe7186a6521ef622cfe4be5a8b')
  })

  it('E-3 all violations are told, the first in the order of checks is the answer', () => {
    const wrong = {
      config: 1,
      tls: 1,
      auth: { type: 'x', mode: 'y' },
      overlap_window_seconds: -1,
      mode: 'x',
      filters: [],
      auth_pubkey: 'x',
      'enabled?': 1,
      url: 'x',
      id: '',
      metadata: 1,
      more: 1,
    }
    const expected: [string, DefinitionErrorCode][] = [
      ['id', 'invalid_server_id'],
      ['url', 'invalid_url'],
      ['enabled?', 'invalid_enabled_flag'],
      ['auth_pubkey', 'invalid_auth_pubkey'],
      ['filters', 'empty_filters'],
      ['mode', 'invalid_mode'],
      ['overlap_window_seconds', 'invalid_overlap_window_seconds'],
      ['auth.type', 'invalid_auth_type'],
      ['auth.mode', 'invalid_auth_mode'],
      ['tls', 'invalid_tls'],
      ['tls.pins', 'invalid_tls_pins'],
      ['metadata', 'invalid_metadata'],
      ['config', 'invalid_config'],
      ['more', 'unknown_field'],
    ]
    assert.deepEqual(refusals(wrong), expected)
  })
})

const hex = (value: unknown) => ({ filters: [value] })
const seventeen = Array.from({ length: 17 }, (_, kind) => ({ kinds: [kind] }))
const many = Array.from({ length: 129 }, (_, at) => `t${at}`)

type Row = readonly [path: string, change: object, code: DefinitionErrorCode]
const rows: readonly Row[] = [
  ...[undefined, 7, '', 'a b', 'x'.repeat(65)].map((id) => ['id', { id }, 'invalid_server_id'] as const),
  ...[undefined, 7, '', 'http://x', 'wss://', 'wss://u:p@x/', 'wss://x/#f', 'wss://SELF.example:443/'].map(
    (url) => ['url', { url }, 'invalid_url'] as const,
  ),
  ['url', { url: 'ws://x', tls: { mode: 'required', pins: [pin] } }, 'invalid_url'],
  ...['yes', null, 1].map((flag) => ['enabled?', { 'enabled?': flag }, 'invalid_enabled_flag'] as const),
  ...[undefined, null, key.slice(1), `${key}0`, `g${key.slice(1)}`].map(
    (auth_pubkey) => ['auth_pubkey', { auth_pubkey }, 'invalid_auth_pubkey'] as const,
  ),
  ...[undefined, null, {}, 'x'].map((filters) => ['filters', { filters }, 'invalid_filters'] as const),
  ['filters', { filters: [] }, 'empty_filters'],
  ['filters', { filters: seventeen }, 'too_many_filters'],
  ['filters[1]', { filters: [{}, 1] }, 'invalid_filter'],
  ['filters[0].x', hex({ x: 1 }), 'invalid_filter_key'],
  ['filters[0].ids', hex({ ids: [] }), 'invalid_ids'],
  ['filters[0].ids', hex({ ids: [key.toUpperCase()] }), 'invalid_ids'],
  ['filters[0].authors', hex({ authors: ['aa'] }), 'invalid_authors'],
  ['filters[0].kinds', hex({ kinds: [65_536] }), 'invalid_kinds'],
  ['filters[0].since', hex({ since: -1 }), 'invalid_since'],
  ['filters[0].until', hex({ until: 1.5 }), 'invalid_until'],
  ['filters[0].#t', hex({ '#t': [] }), 'invalid_tag_filter'],
  ['filters[0].#e', hex({ '#e': ['x'] }), 'invalid_tag_filter'],
  ['filters[0].#t', hex({ '#t': many }), 'too_many_tag_values'],
  ['filters[0].limit', hex({ limit: 1 }), 'limit_not_allowed'],
  ['filters[0].search', hex({ search: 'x' }), 'search_not_allowed'],
  ['filters[0]', hex({ since: 2, until: 1 }), 'empty_time_range'],
  ['mode', { mode: 'stream' }, 'invalid_mode'],
  ...[-1, 1.5, '300', null].map(
    (seconds) =>
      [
        'overlap_window_seconds',
        { overlap_window_seconds: seconds },
        'invalid_overlap_window_seconds',
      ] as const,
  ),
  ['relay_info_mode', { relay_info_mode: 'maybe' }, 'invalid_relay_info_mode'],
  ['auth', { auth: 'nip42' }, 'invalid_auth'],
  ['auth', { auth: null }, 'invalid_auth'],
  ['auth.type', { auth: { type: 'basic' } }, 'invalid_auth_type'],
  ['auth.mode', { auth: { mode: 'always' } }, 'invalid_auth_mode'],
  ['auth.user', { auth: { user: 'x' } }, 'unknown_field'],
  ['tls', { tls: undefined }, 'invalid_tls'],
  ['tls.mode', { tls: { mode: 'insecure', pins: [pin] } }, 'invalid_tls_mode'],
  ['tls.mode', { tls: { mode: 'disabled' } }, 'invalid_tls_mode'],
  ['tls.hostname', { tls: { hostname: '', pins: [pin] } }, 'invalid_tls_hostname'],
  ['tls.pins', { tls: {} }, 'invalid_tls_pins'],
  ['tls.pins', { tls: { pins: 'x' } }, 'invalid_tls_pins'],
  ...[
    1,
    { type: 'sha1', value: pin.value },
    { ...pin, value: '' },
    { ...pin, value: 'YWJj' },
    { ...pin, x: 1 },
  ].map((wrong) => ['tls.pins[1]', { tls: { pins: [pin, wrong] } }, 'invalid_tls_pin'] as const),
  ['tls.ca_certfile', { tls: { ca_certfile: 1, pins: [pin] } }, 'invalid_tls_ca_certfile'],
  ['tls.client_keyfile', { tls: { client_certfile: 'c', pins: [pin] } }, 'invalid_tls_client_keyfile'],
  ['tls.client_certfile', { tls: { client_keyfile: 'k', pins: [pin] } }, 'invalid_tls_client_certfile'],
  ['tls.require_pins', { tls: { require_pins: 1, pins: [pin] } }, 'invalid_tls'],
  ['tls.require_pins', { url: 'ws://x', tls: { mode: 'disabled', require_pins: true } }, 'invalid_tls_pins'],
  ['tls.min_version', { tls: { min_version: 'TLSv1', pins: [pin] } }, 'invalid_tls'],
  ['tls.cacertfile', { tls: { cacertfile: '/ca', pins: [pin] } }, 'unknown_field'],
  ['metadata', { metadata: [] }, 'invalid_metadata'],
  ['direction', { direction: 'sideways' }, 'invalid_direction'],
  ['backfill', { backfill: 'no' }, 'invalid_backfill'],
  ['negentropy', { negentropy: 1 }, 'invalid_negentropy'],
  ['notes', { notes: 1 }, 'invalid_notes'],
  ['config', { config: [] }, 'invalid_config'],
  ['config.batch_sise', { config: { batch_sise: 1 } }, 'unknown_field'],
  ['config.constructor', { config: { constructor: 1 } }, 'unknown_field'],
  ...['100', 0, 1.5, null, 5_001].map(
    (size) => ['config.batch_size', { config: { batch_size: size } }, 'invalid_config'] as const,
  ),
  ['config.event_kinds', { config: { event_kinds: [] } }, 'invalid_config'],
  ['runtime', { runtime: {} }, 'unknown_field'],
  ['__proto__', JSON.parse('{"__proto__":1}'), 'unknown_field'],
]

describe('E-3 a wrong field has exactly its code', () => {
  for (const [at, [path, change, code]] of rows.entries())
    it(`${at} ${JSON.stringify(change).slice(0, 60)}: ${path} ${code}`, () => {
      const input = Object.defineProperties({ ...minimal }, Object.getOwnPropertyDescriptors(change))
      assert.deepEqual(refusals(input), [[path, code]])
    })

  it('what is no map is no server', () => {
    for (const input of [null, undefined, 1, 'x', []])
      assert.deepEqual(refusals(input), [['', 'invalid_server']])
  })
})

const file = fc.option(fc.constantFrom('/etc/a.pem', 'b.pem'), { nil: null })
const validFilter = anyFilter.filter(
  ({ limit, since = 0, until = Infinity, ...lists }) =>
    limit === undefined && since <= until && Object.values(lists).every((list) => list?.length !== 0),
)
const validServer = fc.record(
  {
    id: fc.stringMatching(/^[A-Za-z0-9._:-]{1,64}$/),
    url: fc.constantFrom('wss://A.example', 'wss://b.example:443/x?y=1', 'wss://bücher.example/'),
    'enabled?': fc.boolean(),
    auth_pubkey: fc.constantFrom(key, key.toUpperCase()),
    filters: fc.array(validFilter, { minLength: 1, maxLength: 4 }),
    mode: fc.constantFrom('req_stream', 'poll', 'negentropy', 'sync_page', 'auto'),
    overlap_window_seconds: fc.nat(),
    relay_info_mode: fc.constantFrom('required', 'optional', 'disabled'),
    auth: fc.record(
      { mode: fc.constantFrom('on_challenge', 'on_required', 'disabled') },
      { requiredKeys: [] },
    ),
    tls: fc.record(
      { pins: fc.constantFrom([pin], [pin, pin]), ca_certfile: file, min_version: fc.constant('TLSv1.3') },
      { requiredKeys: ['pins'] },
    ),
    metadata: fc.dictionary(fc.string(), fc.jsonValue()),
    direction: fc.constantFrom('down', 'up', 'both'),
    backfill: fc.boolean(),
    negentropy: fc.boolean(),
    notes: fc.option(fc.string(), { nil: null }),
    config: fc.record(
      { batch_size: fc.integer({ min: 1, max: 5_000 }), event_kinds: fc.constant([7, 1, 7]) },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: ['id', 'url', 'auth_pubkey', 'filters', 'tls'] },
)

it('E-1 a normalised server normalises to itself, also through JSON', () => {
  fc.assert(
    fc.property(validServer, fc.constantFrom<DefinitionProfile>('strict', 'open'), (server, profile) => {
      const once = normal(server, profile)
      assert.deepEqual(normal(once, profile), once)
      assert.deepEqual(normal(JSON.parse(JSON.stringify(once)), profile), JSON.parse(JSON.stringify(once)))
    }),
    { numRuns: 200 },
  )
})

it('any JSON value is a definition or a refusal with a code', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...Object.keys(normal(minimal))), fc.jsonValue()), (input) => {
      const result = normalizeServer(input, { profile: 'open' })
      if (!result.ok) assert.equal(result.error, result.details[0]?.code)
    }),
    { numRuns: 300 },
  )
})
