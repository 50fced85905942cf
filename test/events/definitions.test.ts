import assert from 'node:assert/strict'
import { test } from 'node:test'
import { normalizeServer } from '../../src/planes/events/definition/normalize-server.ts'
import { adminWorld } from '../helpers/admin-world.ts'

const pin = { type: 'spki_sha256', value: Buffer.alloc(32, 7).toString('base64') }
const tls = { mode: 'required', pins: [pin] }
const server = {
  id: 'relay',
  url: 'wss://relay.example/',
  'enabled?': false,
  auth_pubkey: 'ab'.repeat(32),
  filters: [{ kinds: [1] }],
  tls,
}

/** The primary code of a refusal; `ok` where there is none. */
function codeOf(changes: object): string {
  const result = normalizeServer({ ...server, ...changes }, { profile: 'strict' })
  return result.ok ? 'ok' : result.error
}

test('E-6 TLS and the scheme of the address have to agree', () => {
  assert.equal(codeOf({}), 'ok')
  assert.equal(codeOf({ url: 'ws://relay.example/' }), 'invalid_url')
  assert.equal(codeOf({ tls: { mode: 'disabled' } }), 'invalid_tls_mode')
  assert.equal(codeOf({ url: 'ws://relay.example/', tls: { mode: 'disabled' } }), 'ok')
})

test('E-8 a client certificate and its key come together or not at all', () => {
  const [client_certfile, client_keyfile] = ['/etc/relay/client.pem', '/etc/relay/client.key']
  assert.equal(codeOf({ tls: { ...tls, client_certfile, client_keyfile } }), 'ok')
  assert.equal(codeOf({ tls: { ...tls, client_certfile } }), 'invalid_tls_client_keyfile')
  assert.equal(codeOf({ tls: { ...tls, client_keyfile } }), 'invalid_tls_client_certfile')
})

test('E-9 each way a list of filters can be wrong has a code of its own', () => {
  const refusals: readonly (readonly [code: string, filters: readonly object[]])[] = [
    ['empty_filters', []],
    ['too_many_filters', Array.from({ length: 17 }, (_, kind) => ({ kinds: [kind] }))],
    ['invalid_filter_key', [{ colours: ['blue'] }]],
    ['invalid_ids', [{ ids: [] }]],
    ['limit_not_allowed', [{ kinds: [1], limit: 10 }]],
    ['search_not_allowed', [{ search: 'words' }]],
  ]
  for (const [code, filters] of refusals) assert.equal(codeOf({ filters }), code)
  assert.equal(codeOf({ filters: Array.from({ length: 16 }, (_, kind) => ({ kinds: [kind] })) }), 'ok')
})

test('E-19 managers of one node do not see each other’s servers', async () => {
  await using world = await adminWorld()
  const { sync } = world.node
  const theirs = { manager: 'theirs' }
  assert.ok((await sync.putServer(server)).ok)
  assert.ok((await sync.putServer({ ...server, id: 'other', url: 'wss://other.example/' }, theirs)).ok)
  const idsOf = async (options?: { manager: string }) => {
    const list = await sync.listServers(options)
    return list.ok && list.value.map(({ id }) => id)
  }
  assert.deepEqual(await idsOf(), ['relay'])
  assert.deepEqual(await idsOf(theirs), ['other'])
  const unseen = [
    await sync.getServer('other'),
    await sync.removeServer('other'),
    await sync.getServer('relay', theirs),
  ]
  assert.deepEqual(
    unseen.map((result) => (result.ok ? 'ok' : result.error)),
    ['unknown_server', 'not_found', 'unknown_server'],
  )
  const stats = await sync.syncStats(theirs)
  assert.equal(stats.ok && stats.value.servers_total, 1)
})
