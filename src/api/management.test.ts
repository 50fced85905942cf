import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import { adminWorld } from '../../test/helpers/admin-world.ts'
import { createSigner, generateSecretKey, type Signer } from '../planes/events/signer.ts'

interface Signed {
  readonly url: string
  readonly signer: Signer
  readonly body: string
}

function authorization({ url, signer, body }: Signed): string {
  const tags = [
    ['u', url],
    ['method', 'POST'],
    ['payload', createHash('sha256').update(body).digest('hex')],
    ['nonce', crypto.randomUUID()],
  ]
  const event = signer.sign({ kind: 27_235, created_at: Math.floor(Date.now() / 1_000), tags, content: '' })
  return `Nostr ${Buffer.from(JSON.stringify(event)).toString('base64')}`
}

const hex = 'ab'.repeat(32)
const pin = Buffer.alloc(32, 7).toString('base64')
const server = {
  id: 'tribes-primary',
  url: 'wss://relay-a.example/relay',
  'enabled?': false,
  auth_pubkey: hex,
  filters: [{ kinds: [5000] }],
  tls: { mode: 'required', pins: [{ type: 'spki_sha256', value: pin }] },
}

async function managed() {
  const signer = createSigner(generateSecretKey())
  const world = await adminWorld({ adminPubkeys: signer.pubkey })
  const url = `${world.url}/management`
  const post = async (body: string, headers: Record<string, string> = {}) => {
    const response = await fetch(url, { method: 'POST', body, headers })
    // biome-ignore lint/suspicious/noExplicitAny: a test reads what came
    return { status: response.status, body: (await response.json()) as any }
  }
  const call = (method: string, params: object = {}, by: Signer = signer) => {
    const body = JSON.stringify({ method, params })
    return post(body, { authorization: authorization({ url, signer: by, body }) })
  }
  return { world, url, signer, post, call, [Symbol.asyncDispose]: () => world[Symbol.asyncDispose]() }
}

describe('POST /management', () => {
  test('a server is put, shown, listed, started, stopped and removed under Parrhesia’s method names', async () => {
    await using m = await managed()
    const put = await m.call('sync_put_server', server)
    assert.deepEqual([put.status, put.body.ok], [200, true], JSON.stringify(put))
    const { id, runtime } = put.body.result
    assert.equal(id, server.id)
    assert.equal(runtime.server_id, server.id)
    const { body: got } = await m.call('sync_get_server', { id })
    assert.deepEqual(got.result.filters, server.filters)
    assert.equal((await m.call('sync_list_servers')).body.result.length, 1)
    assert.equal((await m.call('sync_start_server', { id })).body.ok, true)
    assert.equal((await m.call('sync_stop_server', { id })).body.ok, true)
    const stats = (await m.call('sync_server_stats', { id })).body.result
    assert.equal(stats.state, 'stopped')
    assert.equal((await m.call('sync_stats')).body.result.servers_total, 1)
    assert.equal((await m.call('sync_health')).body.result.status, 'ok')
    assert.equal((await m.call('sync_remove_server', { id })).body.ok, true)
    assert.deepEqual(await m.call('sync_get_server', { id }), {
      status: 404,
      body: { ok: false, error: 'not-found' },
    })
  })

  test('a wrong definition is answered with its code and all that is wrong', async () => {
    await using m = await managed()
    const { status, body } = await m.call('sync_put_server', { ...server, url: 'http://x', mode: 'magic' })
    assert.equal(status, 400)
    assert.equal(body.error, 'invalid_url')
    assert.deepEqual(
      body.details.map(({ code }: { code: string }) => code),
      ['invalid_url', 'invalid_mode'],
    )
  })

  test('grants, identity and audit log have their methods; secrets stay out of the log', async () => {
    await using m = await managed()
    const grant = { principal: hex, capability: 'sync_read', match: { kinds: [5000] } }
    assert.equal((await m.call('acl_grant', grant)).body.ok, true)
    assert.equal((await m.call('acl_list')).body.result.length, 1)
    assert.equal((await m.call('acl_revoke', grant)).body.ok, true)
    assert.equal((await m.call('acl_revoke', grant)).status, 404)
    assert.equal((await m.call('acl_grant', { principal: 'nobody' })).body.error, 'invalid-params')
    const { body: before } = await m.call('identity_get')
    assert.equal(before.result.pubkey, m.world.node.identity.pubkey)
    assert.deepEqual((await m.call('identity_ensure')).body, before)
    const secret = generateSecretKey()
    const { body: imported } = await m.call('identity_import', { secret_key: secret })
    assert.equal(imported.result.pubkey, createSigner(secret).pubkey)
    assert.equal(imported.result.source, 'imported')
    const { body: rotated } = await m.call('identity_rotate')
    assert.notEqual(rotated.result.pubkey, imported.result.pubkey)
    assert.equal((await m.call('identity_import', { secret_key: 'x' })).body.error, 'invalid-params')
    const { body: log } = await m.call('list_audit_logs', { limit: 5 })
    assert.deepEqual(
      log.result.map(({ method, result }: Record<string, string>) => [method, result]),
      [
        ['identity_import', 'invalid-params'],
        ['identity_rotate', 'ok'],
        ['identity_import', 'ok'],
        ['identity_ensure', 'ok'],
        ['identity_get', 'ok'],
      ],
    )
    assert.equal(log.result[0].actor, `nostr ${m.signer.pubkey}`)
    assert.ok(!JSON.stringify(log).includes(secret))
    assert.equal((await m.call('list_audit_logs', { limit: 0 })).body.error, 'invalid-payload')
  })

  test('every method says that it is there', async () => {
    await using m = await managed()
    const { body } = await m.call('supportedmethods')
    assert.ok(body.result.length >= 20)
    for (const method of body.result as string[]) {
      const answer = await m.call(method)
      assert.notEqual(answer.body.error, 'unsupported-method', method)
      assert.ok(answer.status < 500, `${method} answered ${answer.status}`)
    }
    assert.deepEqual(await m.call('frobnicate'), {
      status: 400,
      body: { ok: false, error: 'unsupported-method' },
    })
  })

  test('the moderation methods of NIP-86 are there too, with their parameters in order', async () => {
    await using m = await managed()
    assert.equal((await m.call('banpubkey', [hex, 'spam'])).body.result, true)
    assert.deepEqual((await m.call('listbannedpubkeys', [])).body.result, [{ pubkey: hex, reason: 'spam' }])
    assert.equal((await m.call('banpubkey', ['nobody'])).body.error, 'invalid-params')
    assert.equal((await m.call('unbanpubkey', [hex])).body.ok, true)
    assert.equal((await m.call('stats', [1])).body.error, 'invalid-payload')
  })

  test('who is not on the list is refused, whatever the signature; without one, the code says so', async () => {
    await using m = await managed()
    const stranger = await m.call('sync_list_servers', {}, createSigner(generateSecretKey()))
    assert.deepEqual(stranger, { status: 403, body: { ok: false, error: 'not-allowed' } })
    const body = JSON.stringify({ method: 'stats' })
    assert.deepEqual(await m.post(body), { status: 401, body: { ok: false, error: 'auth-required' } })
    const bearer = await m.post(body, { authorization: `Bearer ${m.world.token}` })
    assert.equal(bearer.body.error, 'invalid-authorization')
    const elsewhere = { url: 'http://evil.example/management', signer: m.signer, body }
    const replayed = await m.post(body, { authorization: authorization(elsewhere), host: 'evil.example' })
    assert.equal(replayed.body.error, 'auth-url-tag-mismatch')
  })

  test('the payload has to be what it says, and signed', async () => {
    await using m = await managed()
    for (const body of ['', '{', '[]', '{"params":{}}', '{"method":1}', '{"method":"stats","params":1}']) {
      const headers = { authorization: authorization({ url: m.url, signer: m.signer, body }) }
      assert.deepEqual(await m.post(body, headers), {
        status: 400,
        body: { ok: false, error: 'invalid-payload' },
      })
    }
    const signed = { authorization: authorization({ url: m.url, signer: m.signer, body: '{}' }) }
    assert.equal((await m.post('{"method":"stats"}', signed)).body.error, 'auth-payload-tag-mismatch')
  })

  test('an administrator may also sign calls of the REST API', async () => {
    await using m = await managed()
    const url = `${m.world.url}/api/v1/relays`
    const body = JSON.stringify({ upstream_relay: { url: 'wss://relay.example', enabled: false } })
    const headers = {
      authorization: authorization({ url, signer: m.signer, body }),
      'content-type': 'application/json',
    }
    assert.equal((await fetch(url, { method: 'POST', body, headers })).status, 201)
    assert.equal((await fetch(url, { method: 'POST', body, headers })).status, 401, 'a second time')
  })

  test('behind a proxy the signature is for the address the administrator knows', async () => {
    const signer = createSigner(generateSecretKey())
    await using world = await adminWorld({
      adminPubkeys: signer.pubkey,
      adminPublicUrls: 'https://admin.example/',
    })
    const body = JSON.stringify({ method: 'stats' })
    const url = 'https://admin.example/management'
    const headers = { authorization: authorization({ url, signer, body }) }
    assert.equal((await fetch(`${world.url}/management`, { method: 'POST', body, headers })).status, 200)
  })
})
