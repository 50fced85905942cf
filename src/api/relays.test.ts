import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { adminWorld } from '../../test/helpers/admin-world.ts'
import { documentsStage } from '../../test/helpers/documents-stage.ts'

const url = 'wss://relay.example'
const create = (attributes: object) => ({ body: { upstream_relay: attributes } })

describe('relays over REST', () => {
  test('E-98 a body with nothing but a URL gets the defaults', async () => {
    await using world = await adminWorld()
    const { status, body } = await world.call('post', '/relays', create({ url }))
    assert.equal(status, 201)
    const { enabled, backfill, negentropy, direction, notes, config, filters, id } = body
    assert.deepEqual(
      { enabled, backfill, negentropy, direction, notes, filters },
      { enabled: true, backfill: true, negentropy: false, direction: 'down', notes: null, filters: [{}] },
    )
    assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    assert.equal(config.polling_window_minutes, 15)
    assert.equal(config.negentropy_frame_size, 60_000)
    assert.equal(config.backfill_since_hours, null)
    assert.match(body.created_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  })

  test('a setting of the node for all relays is shown with each that says nothing else', async () => {
    await using world = await adminWorld({ syncRelays: 'batch_size=77,upload_delay_ms=5' })
    const { body } = await world.call('post', '/relays', create({ url, config: { upload_delay_ms: 9 } }))
    assert.deepEqual([body.config.batch_size, body.config.upload_delay_ms], [77, 9])
  })

  test('E-95 relays are listed, shown, changed and deleted, by id or URL', async () => {
    await using world = await adminWorld()
    const { body: made } = await world.call('post', '/relays', create({ url, notes: 'a' }))
    await world.call(
      'post',
      '/relays',
      create({ url: 'wss://other.example', direction: 'up', enabled: false }),
    )
    const list = async (query = '') => (await world.call('get', `/relays${query}`)).body as { url: string }[]
    assert.equal((await list()).length, 2)
    assert.deepEqual(
      (await list('?enabled=true')).map((one) => one.url),
      [url],
    )
    assert.deepEqual(
      (await list('?direction=up')).map((one) => one.url),
      ['wss://other.example'],
    )
    assert.equal((await world.call('get', '/relays?enabled=maybe')).status, 422)
    assert.equal((await world.call('get', `/relays/${made.id}`)).body.notes, 'a')
    assert.equal((await world.call('get', `/relays/${encodeURIComponent(url)}`)).body.id, made.id)
    for (const method of ['patch', 'put']) {
      const changed = await world.call(method, `/relays/${made.id}`, create({ notes: method }))
      assert.equal(changed.status, 200)
      assert.equal(changed.body.notes, method)
      assert.equal(changed.body.url, url, 'what is not named stays')
    }
    const gone = await world.call('delete', `/relays/${made.id}`)
    assert.equal(gone.status, 204)
    assert.equal(gone.body, '')
    for (const [method, request] of [
      ['get', {}],
      ['patch', create({ notes: 'x' })],
      ['delete', {}],
    ] as const) {
      const answer = await world.call(method, `/relays/${made.id}`, request)
      assert.equal(answer.status, 404)
      assert.deepEqual(answer.body, { error: 'Resource not found' })
    }
  })

  const refused: readonly [string, object, RegExp | string][] = [
    ['no URL', {}, "Url can't be blank"],
    ['a blank URL', { url: ' ' }, "Url can't be blank"],
    ['another scheme', { url: 'http://x' }, 'Url must be a valid WebSocket URL (ws:// or wss://)'],
    ['a direction there is not', { url, direction: 'sideways' }, 'Direction is not included in the list'],
    ['an unknown attribute', { url, foo: 1 }, 'Foo is not a known attribute'],
    ['a filter with a limit', { url, filters: [{ limit: 1 }] }, /limit/],
  ]
  test('E-95 what is wrong with a relay is told in relay.rb’s sentences, and nothing is stored', async () => {
    await using world = await adminWorld()
    for (const [what, attributes, message] of refused) {
      const { status, body } = await world.call('post', '/relays', create(attributes))
      assert.equal(status, 422, what)
      const found = body.errors.some((error: string) =>
        typeof message === 'string' ? error === message : message.test(error),
      )
      assert.ok(found, `${what}: ${JSON.stringify(body)}`)
    }
    assert.deepEqual((await world.call('get', '/relays')).body, [])
    await world.call('post', '/relays', create({ url }))
    for (const spelling of [url, 'WSS://RELAY.example:443/']) {
      const { status, body } = await world.call('post', '/relays', create({ url: spelling }))
      assert.equal(status, 422)
      assert.deepEqual(body, { errors: ['Url has already been taken'] })
    }
    assert.equal((await world.call('get', '/relays')).body.length, 1)
  })

  test('E-101 an unknown setting, or one that is no whole number, is refused and nothing is stored', async () => {
    await using world = await adminWorld()
    const { body: made } = await world.call('post', '/relays', create({ url, config: { batch_size: 50 } }))
    assert.equal(made.config.batch_size, 50)
    for (const config of [{ colour: 1 }, { batch_size: '50' }, { batch_size: 1.5 }, { batch_size: 0 }, []]) {
      const other = { url: 'wss://other.example', config }
      assert.equal((await world.call('post', '/relays', create(other))).status, 422, JSON.stringify(config))
      assert.equal((await world.call('patch', `/relays/${made.id}`, create({ config }))).status, 422)
    }
    const { body } = await world.call('get', '/relays')
    assert.equal(body.length, 1)
    assert.equal(body[0].config.batch_size, 50)
  })

  test('E-95 the root key has to be there, and every route asks for a key', async () => {
    await using world = await adminWorld()
    assert.equal((await world.call('post', '/relays', { body: { url } })).status, 400)
    assert.equal((await world.call('post', '/relays', { body: { upstream_relay: 'x' } })).status, 400)
    for (const [path, item] of Object.entries(world.document.paths as Record<string, object>))
      for (const method of Object.keys(item)) {
        const { status, body } = await world.call(method, path.replaceAll(/\{\w+\}/g, 'x'), { token: null })
        // The eleventh of a minute is counted instead.
        assert.ok(status === 401 || status === 429, `${method} ${path} answered ${status}`)
        if (status === 401) assert.deepEqual(body, { error: 'Invalid or missing API key' })
      }
  })

  test('a key with the scope read changes nothing', async () => {
    await using world = await adminWorld()
    const token = await world.key('read')
    assert.equal((await world.call('get', '/relays', { token })).status, 200)
    for (const [method, path, body] of [
      ['post', '/relays', { upstream_relay: { url } }],
      ['post', '/sync/reset', {}],
      ['post', '/relays/x/start', undefined],
      ['post', '/documents/databases', { name: 'x' }],
      ['post', '/documents/requests/x/approve', {}],
      ['delete', '/documents/peers/x', undefined],
    ] as const)
      assert.equal((await world.call(method, path, { token, ...(body && { body }) })).status, 403, path)
    assert.deepEqual((await world.call('get', '/relays')).body, [])
  })

  test('who may change relays may not name programs this machine runs', async () => {
    await using world = await adminWorld()
    const token = await world.key('write')
    const plugins = { down: '/bin/true' }
    const refused = await world.call('post', '/relays', { token, ...create({ url, plugins }) })
    assert.equal(refused.status, 403)
    const { body } = await world.call('post', '/relays', { token, ...create({ url, enabled: false }) })
    const change = await world.call('patch', `/relays/${body.id}`, { token, ...create({ plugins }) })
    assert.equal(change.status, 403)
  })

  test('every documented operation answers as the document says', async () => {
    await using world = await adminWorld({ documents: true })
    await using documents = await documentsStage(world.node)
    const { body: made } = await world.call(
      'post',
      '/relays',
      create({ url: 'ws://127.0.0.1:1', enabled: false }),
    )
    const { body: key } = await world.call('post', '/api_keys', { body: { api_key: { name: 'x' } } })
    const bodies: Record<string, unknown> = {
      'post /relays': { upstream_relay: { url: 'wss://second.example', enabled: false } },
      'patch /relays/{id}': { upstream_relay: { notes: 'x' } },
      'put /relays/{id}': { upstream_relay: { notes: 'y' } },
      'post /relays/{id}/sync': { mode: 'realtime' },
      'post /relays/{id}/dead_letters/revive': {},
      'post /sync/trigger': {},
      'post /sync/reset': {},
      'post /api_keys': { api_key: { name: 'y' } },
      ...documents.bodies,
    }
    const operations = Object.entries(world.document.paths as Record<string, object>)
      .flatMap(([path, item]) => Object.keys(item).map((method) => [method, path] as const))
      .filter(([, path]) => path !== '/events')
      // What removes comes last.
      .toSorted(([a], [b]) => Number(a === 'delete') - Number(b === 'delete'))
    for (const [method, path] of operations) {
      const id = documents.idFor(path) ?? (path.startsWith('/api_keys') ? key.id : made.id)
      const body = bodies[`${method} ${path}`]
      const request = body === undefined ? {} : { body }
      const { status } = await world.call(method, path.replace(/\{\w+\}/, encodeURIComponent(id)), request)
      assert.ok(status < 300, `${method} ${path} answered ${status}`)
    }
    assert.equal(world.called.size, operations.length)
  })
})
