import assert from 'node:assert/strict'
import { it } from 'node:test'
import { fromRelayBody } from './relay-body.ts'

const options = { id: '5d3f5c1e-7c1f-4a5c-9b57-1d2c8f0a6b11', selfUrls: ['wss://self.example'] }
const errors = (body: unknown): readonly string[] => {
  const result = fromRelayBody(body, options)
  return result.ok ? [] : result.errors
}

it('E-98 a URL is all a body needs', () => {
  const result = fromRelayBody({ url: 'wss://relay.example' }, options)
  assert.ok(result.ok)
  const { id, url, backfill, negentropy, direction, notes, config, filters, tls } = result.value
  assert.deepEqual(
    { id, url, enabled: result.value['enabled?'], backfill, negentropy, direction, notes, config, filters },
    {
      id: options.id,
      url: 'wss://relay.example',
      enabled: true,
      backfill: true,
      negentropy: false,
      direction: 'down',
      notes: null,
      config: {},
      filters: [{}],
    },
  )
  assert.equal(tls.mode, 'required')
})

it('a body keeps every attribute and extra it names', () => {
  const body = {
    url: 'ws://127.0.0.1:7777',
    enabled: false,
    backfill: false,
    negentropy: true,
    direction: 'both',
    notes: 'ours',
    config: { batch_size: 50 },
    filters: [{ kinds: [1] }],
    auth_pubkey: 'AB'.repeat(32),
    relay_info_mode: 'required',
  }
  const result = fromRelayBody(body, options)
  assert.ok(result.ok)
  const { enabled, auth_pubkey, ...same } = body
  assert.deepEqual({ ...result.value, ...same }, result.value)
  assert.equal(result.value['enabled?'], enabled)
  assert.equal(result.value.auth_pubkey, auth_pubkey.toLowerCase())
})

const url = 'wss://relay.example'
const rows: readonly [unknown, readonly string[]][] = [
  [{}, ["Url can't be blank"]],
  [{ url: ' ' }, ["Url can't be blank"]],
  [{ url: 'http://x' }, ['Url must be a valid WebSocket URL (ws:// or wss://)']],
  [{ url: 'wss://self.example/' }, ['Url is this node itself']],
  [{ url, direction: 'sideways' }, ['Direction is not included in the list']],
  [{ url, foo: 1 }, ['Foo is not a known attribute']],
  [{ url, id: 'x', retry_count: 1 }, ['Id is not a known attribute', 'Retry count is not a known attribute']],
  [{ url, enabled: 'yes' }, ['Enabled must be true or false']],
  [
    { direction: 1, foo: 1 },
    ["Url can't be blank", 'Direction is not included in the list', 'Foo is not a known attribute'],
  ],
  [[], ['Upstream relay must be an object']],
  [null, ['Upstream relay must be an object']],
]
for (const [body, expected] of rows)
  it(`E-95 ${JSON.stringify(body)} is refused in relay.rb's words`, () => {
    assert.deepEqual(errors(body), expected)
  })

it('E-101 an unknown setting and one that is no whole number are refused', () => {
  assert.deepEqual(errors({ url, config: { foo: 1 } }), ['Config.foo is not a known attribute'])
  assert.deepEqual(errors({ url, config: { batch_size: '100' } }), [
    'Config.batch size must be a whole number from 1 to 5000',
  ])
})
