import assert from 'node:assert/strict'
import { request } from 'node:http'
import { describe, test } from 'node:test'
import { Validator } from '@seriousme/openapi-schema-validator'
import { adminWorld } from '../../test/helpers/admin-world.ts'

describe('admin listener', () => {
  test('the document of the API is OpenAPI 3.1, and needs no key', async () => {
    await using world = await adminWorld()
    const result = await new Validator().validate(structuredClone(world.document))
    assert.deepEqual(result.errors ?? [], [])
    assert.equal(result.valid, true)
    assert.equal(world.document.openapi, '3.1.0')
  })

  test('E-96 no, malformed, unknown and revoked bearer: 401 with the documented body', async () => {
    await using world = await adminWorld()
    const revoked = await world.node.keys.create({ name: 'old', scopes: ['admin'] })
    await world.node.keys.revoke(revoked.id)
    const headers: (Record<string, string> | undefined)[] = [
      undefined,
      { authorization: `bearer ${world.token}` },
      { authorization: `Bearer  ${world.token}` },
      { authorization: world.token },
      { authorization: `Bearer ${world.token.slice(0, -1)}` },
      { authorization: `Bearer ${revoked.token}` },
    ]
    for (const one of headers) {
      const answer = await world.call('get', '/api_keys', { token: null, ...(one && { headers: one }) })
      assert.equal(answer.status, 401)
      assert.deepEqual(answer.body, { error: 'Invalid or missing API key' })
      assert.equal(answer.headers.get('content-type'), 'application/json')
    }
  })

  test('E-96 a valid bearer is let in, and its use is noted', async () => {
    await using world = await adminWorld()
    const { status, body } = await world.call('get', '/api_keys')
    assert.equal(status, 200)
    assert.equal(body.length, 1)
    assert.match(body[0].last_used_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  })

  test('the eleventh failure within a minute is answered with 429; a right key is let in all the same', async () => {
    await using world = await adminWorld()
    const attempt = () => world.call('get', '/api_keys', { token: 'rlk_wrong' })
    for (let i = 0; i < 10; i++) assert.equal((await attempt()).status, 401)
    const over = await attempt()
    assert.equal(over.status, 429)
    assert.ok(Number(over.headers.get('retry-after')) >= 1)
    assert.equal((await world.call('get', '/api_keys')).status, 200)
  })

  test('behind a trusted proxy failures count for the client, and elsewhere the header counts for nothing', async () => {
    const statuses = async (flags: Readonly<Record<string, unknown>>) => {
      await using world = await adminWorld(flags)
      const attempt = (client: string) =>
        world.call('get', '/api_keys', { token: 'rlk_wrong', headers: { 'x-forwarded-for': client } })
      for (let i = 0; i < 10; i++) await attempt('203.0.113.9')
      return [(await attempt('203.0.113.9')).status, (await attempt('203.0.113.10')).status]
    }
    assert.deepEqual(await statuses({ trustedProxies: '127.0.0.0/8' }), [429, 401])
    assert.deepEqual(await statuses({}), [429, 429])
  })

  test('a key may do what its scopes say, and no more', async () => {
    await using world = await adminWorld()
    const write = await world.key('write')
    const { status, body } = await world.call('get', '/api_keys', { token: write })
    assert.equal(status, 403)
    assert.equal(body.code, 'forbidden')
    assert.match(body.detail, /scope admin/)
  })

  test('E-97 a key is made, used and revoked; its token is in one answer only', async () => {
    await using world = await adminWorld()
    const made = await world.call('post', '/api_keys', { body: { api_key: { name: 'Robot' } } })
    assert.equal(made.status, 201)
    const { token, id, message, ...rest } = made.body
    assert.match(token, /^rlk_.{43}$/)
    assert.ok(message.length > 0)
    assert.deepEqual(rest.scopes, ['read', 'write'])
    const listed = (await world.call('get', '/api_keys')).body
    assert.ok(!JSON.stringify(listed).includes(token))
    assert.deepEqual(listed.map((key: { id: string }) => key.id).includes(id), true)
    assert.equal((await world.call('delete', `/api_keys/${id}`)).status, 204)
    assert.equal((await world.call('delete', `/api_keys/${id}`)).status, 404, 'a second time')
    assert.equal((await world.call('get', '/api_keys', { token })).status, 401)
    assert.ok(!JSON.stringify((await world.call('get', '/audit_log')).body).includes(token))
  })

  const malformed: readonly [string, unknown, Record<string, string>, number, RegExp][] = [
    ['not JSON', '{', {}, 400, /not JSON/],
    ['not UTF-8', '\ud800', {}, 400, /api_key|not JSON|body/],
    ['no object', '[]', {}, 400, /body/],
    ['the root key is missing', { name: 'x' }, {}, 400, /api_key/],
    ['another media type', '{}', { 'content-type': 'text/plain' }, 415, /Content-Type/],
    ['too large', 'x'.repeat(256 * 1024 + 1), {}, 413, /262144/],
    ['a blank name', { api_key: { name: ' ' } }, {}, 422, /Name can't be blank/],
    ['no name', { api_key: {} }, {}, 422, /Name/],
    ['an unknown attribute', { api_key: { name: 'x', foo: 1 } }, {}, 422, /Foo is not a known attribute/],
    ['an unknown scope', { api_key: { name: 'x', scopes: ['root'] } }, {}, 422, /Scopes/],
    ['an end in the past', { api_key: { name: 'x', expires_at: '2020-01-01T00:00:00Z' } }, {}, 422, /future/],
  ]
  test('E-95 each wrong body has its status, and makes nothing', async () => {
    await using world = await adminWorld()
    for (const [what, body, headers, status, text] of malformed) {
      const answer = await world.call('post', '/api_keys', { body, headers })
      assert.equal(answer.status, status, what)
      assert.match(JSON.stringify(answer.body), text, what)
      const type = status === 422 ? 'application/json' : 'application/problem+json'
      assert.equal(answer.headers.get('content-type'), type, what)
    }
    assert.equal((await world.call('get', '/api_keys')).body.length, 1)
  })

  test('who accepts problem documents gets one for every error', async () => {
    await using world = await adminWorld()
    const headers = { accept: 'application/problem+json' }
    const answers = [
      await world.call('get', '/api_keys', { token: null, headers }),
      await world.call('delete', '/api_keys/none', { headers }),
      await world.call('post', '/api_keys', { body: { api_key: { name: '' } }, headers }),
    ]
    assert.deepEqual(
      answers.map(({ status, body }) => [status, body.status, body.code]),
      [
        [401, 401, 'unauthorized'],
        [404, 404, 'not-found'],
        [422, 422, 'invalid'],
      ],
    )
  })

  test('a body without a declared length is cut off at the limit', async () => {
    await using world = await adminWorld()
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const headers = { authorization: `Bearer ${world.token}`, 'content-type': 'application/json' }
      const call = request(`${world.url}/api/v1/api_keys`, { method: 'POST', headers }, (response) => {
        resolve(response.statusCode)
        response.resume()
      })
      call.on('error', reject)
      call.write('"')
      for (let i = 0; i < 300; i++) call.write('x'.repeat(1_024))
      call.end('"')
    })
    assert.equal(status, 413)
  })

  test('who changed what is written down; who only looked is not', async () => {
    await using world = await adminWorld()
    const { body: made } = await world.call('post', '/api_keys', { body: { api_key: { name: 'Robot' } } })
    await world.call('post', '/api_keys', { body: { api_key: { name: '' } } })
    await world.call('delete', `/api_keys/${made.id}`)
    const { body } = await world.call('get', '/audit_log')
    assert.deepEqual(
      body.map(({ method, result }: Record<string, string>) => [method, result]),
      [
        ['revokeApiKey', 'ok'],
        ['createApiKey', 'invalid'],
        ['createApiKey', 'ok'],
      ],
    )
    assert.equal(body[0].actor, `key ${world.token.slice(0, 8)}`)
    assert.deepEqual(body[0].params, { id: made.id })
    const older = await world.call('get', `/audit_log?limit=1&before=${body[0].id}`)
    assert.deepEqual(older.body, [body[1]])
    assert.equal((await world.call('get', '/audit_log?limit=0')).status, 422)
    assert.equal((await world.call('get', '/audit_log?colour=red')).status, 422)
  })

  test('probes need no key and say what is missing', async () => {
    await using world = await adminWorld()
    for (const path of ['/up', '/health/live', '/health/startup', '/health/ready'])
      assert.equal((await fetch(world.url + path)).status, 200, path)
    assert.deepEqual(await (await fetch(`${world.url}/health/ready`)).json(), {
      status: 'ready',
      store: true,
      relay: true,
    })
  })

  test('what is no route is 404 with the documented body', async () => {
    await using world = await adminWorld()
    const response = await fetch(`${world.url}/api/v1/nothing`)
    assert.equal(response.status, 404)
    assert.deepEqual(await response.json(), { error: 'Resource not found' })
  })

  test('pages of other origins may call only where the configuration names them', async () => {
    const headers = { origin: 'https://dashboard.example' }
    await using closed = await adminWorld()
    const refused = await fetch(`${closed.url}/api/v1/openapi.json`, { headers })
    assert.equal(refused.headers.get('access-control-allow-origin'), null)
    await using open = await adminWorld({ adminAllowedOrigins: 'https://dashboard.example' })
    const allowed = await fetch(`${open.url}/api/v1/openapi.json`, { headers })
    assert.equal(allowed.headers.get('access-control-allow-origin'), 'https://dashboard.example')
  })
})
