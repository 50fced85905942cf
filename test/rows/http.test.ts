import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { before, describe, it } from 'node:test'
import pg from 'pg'
import {
  actorMiddleware,
  actorOf,
  createSyncHandlers,
  createSyncRouter,
  createSyncService,
  expressMiddleware,
  nodeListener,
  RowsError,
  withActor,
} from '../../src/planes/rows/server/index.ts'
import { statusResponseSchema } from '../../src/planes/rows/wire/status.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { postgresServer } from '../helpers/postgres-server.ts'
import { businessTables } from '../helpers/rows-business.ts'
import {
  type Answer,
  connected,
  expectOk,
  push,
  type RowsServer,
  rowsServer,
  stage,
} from '../helpers/rows-server.ts'

const postgres = postgresServer()
let server: RowsServer
before(async () => {
  server = await rowsServer(postgres, {
    config: { appName: 'test', maxSupportedSchemaVersion: 3, maxRequestBytes: 20_000 },
  })
})

let users = 0
const fresh = () => connected(server.device(`user ${++users}`, 'a'))
const insertOf = () => ({ table: 'users', key: randomUUID(), payload: { name: 'x', email: 'x' } })
const refusal = ({ status, body }: Answer) => [status, body?.error]

describe('actor', () => {
  it('is the authenticated user with the source of the header, both trimmed', async () => {
    const seen: unknown[] = []
    const handler = actorMiddleware({ authenticate: () => ' ann ' })(async (request) => {
      seen.push(actorOf(request))
      return new Response()
    })
    await handler(new Request('http://x/', { headers: { 'Oversync-Source-ID': ' a ' } }))
    assert.deepEqual(seen, [{ userId: 'ann', sourceId: 'a' }])
  })

  it('is refused without a user, and then without a source', async () => {
    const next = async () => new Response()
    const answer = async (authenticate: () => string, headers = {}) => {
      const response = await actorMiddleware({ authenticate })(next)(new Request('http://x/', { headers }))
      return [response.status, ((await response.json()) as { error: string }).error]
    }
    const fails = () => {
      throw new Error('no token')
    }
    assert.deepEqual(await answer(fails), [401, 'authentication_failed'])
    assert.deepEqual(await answer(() => ' '), [401, 'authentication_failed'])
    assert.deepEqual(await answer(() => 'ann'), [400, 'invalid_request'])
    assert.deepEqual(await answer(() => 'ann', { 'Oversync-Source-ID': ' ' }), [400, 'invalid_request'])
    assert.throws(() => actorMiddleware({ authenticate: undefined as never }), RowsError)
  })

  it('handlers check the method before the actor', async () => {
    const { pull } = createSyncHandlers(server.service)
    assert.equal((await pull(new Request('http://x/sync/pull', { method: 'PUT' }))).status, 405)
    assert.equal((await pull(new Request('http://x/sync/pull'))).status, 401)
    const blank = withActor(new Request('http://x/sync/pull'), { userId: ' ', sourceId: 'a' })
    assert.equal((await pull(blank)).status, 401)
  })
})

describe('bad requests', () => {
  const requests: readonly [string, string, string, unknown, number, string][] = [
    ['connect without a body', 'POST', '/sync/connect', undefined, 400, 'invalid_request'],
    ['connect with broken JSON', 'POST', '/sync/connect', '{"has_local', 400, 'invalid_request'],
    [
      'connect with another type',
      'POST',
      '/sync/connect',
      { has_local_pending_rows: 'yes' },
      400,
      'invalid_request',
    ],
    ['connect by GET', 'GET', '/sync/connect', undefined, 405, 'method_not_allowed'],
    [
      'create with a fraction',
      'POST',
      '/sync/push-sessions',
      { source_bundle_id: 1.5, planned_row_count: 1 },
      400,
      'invalid_request',
    ],
    [
      'create with a huge number',
      'POST',
      '/sync/push-sessions',
      '{"source_bundle_id":9007199254740993,"planned_row_count":1}',
      400,
      'invalid_request',
    ],
    [
      'create with zero',
      'POST',
      '/sync/push-sessions',
      { source_bundle_id: 0, planned_row_count: 1 },
      400,
      'push_session_invalid',
    ],
    [
      'create without rows',
      'POST',
      '/sync/push-sessions',
      { source_bundle_id: 1, planned_row_count: 0 },
      400,
      'push_session_invalid',
    ],
    [
      'a chunk that is a list',
      'POST',
      `/sync/push-sessions/${randomUUID()}/chunks`,
      [],
      400,
      'invalid_request',
    ],
    [
      'a chunk without rows',
      'POST',
      `/sync/push-sessions/${randomUUID()}/chunks`,
      {},
      400,
      'invalid_request',
    ],
    [
      'a body that is too large',
      'POST',
      `/sync/push-sessions/${randomUUID()}/chunks`,
      'x'.repeat(20_001),
      413,
      'request_too_large',
    ],
    ['JSON that is nested deep', 'POST', '/sync/connect', '['.repeat(9_000), 400, 'invalid_request'],
    [
      'commit by GET',
      'GET',
      `/sync/push-sessions/${randomUUID()}/commit`,
      undefined,
      405,
      'method_not_allowed',
    ],
    ['a session by GET', 'GET', `/sync/push-sessions/${randomUUID()}`, undefined, 405, 'method_not_allowed'],
    [
      'an id that is escaped wrongly',
      'DELETE',
      '/sync/push-sessions/%E0%A4%A',
      undefined,
      404,
      'push_session_not_found',
    ],
    [
      'rows of bundle 0',
      'GET',
      '/sync/committed-bundles/0/rows',
      undefined,
      400,
      'committed_bundle_chunk_invalid',
    ],
    [
      'rows of bundle x',
      'GET',
      '/sync/committed-bundles/x/rows',
      undefined,
      400,
      'committed_bundle_chunk_invalid',
    ],
    [
      'rows after -1',
      'GET',
      '/sync/committed-bundles/1/rows?after_row_ordinal=-1',
      undefined,
      400,
      'committed_bundle_chunk_invalid',
    ],
    [
      '0 rows at most',
      'GET',
      '/sync/committed-bundles/1/rows?max_rows=0',
      undefined,
      400,
      'committed_bundle_chunk_invalid',
    ],
    ['pull after x', 'GET', '/sync/pull?after_bundle_seq=x', undefined, 400, 'invalid_request'],
    ['pull after -1', 'GET', '/sync/pull?after_bundle_seq=-1', undefined, 400, 'invalid_request'],
    ['pull no bundles', 'GET', '/sync/pull?max_bundles=0', undefined, 400, 'invalid_request'],
    ['pull too many bundles', 'GET', '/sync/pull?max_bundles=5001', undefined, 400, 'invalid_request'],
    ['pull to -1', 'GET', '/sync/pull?target_bundle_seq=-1', undefined, 400, 'invalid_request'],
    [
      'a snapshot chunk of 0 rows',
      'GET',
      `/sync/snapshot-sessions/${randomUUID()}?max_rows=0`,
      undefined,
      400,
      'snapshot_chunk_invalid',
    ],
    [
      'a snapshot chunk after -1',
      'GET',
      `/sync/snapshot-sessions/${randomUUID()}?after_row_ordinal=-1`,
      undefined,
      400,
      'snapshot_chunk_invalid',
    ],
    ['snapshots by PUT', 'PUT', `/sync/snapshot-sessions/${randomUUID()}`, {}, 405, 'method_not_allowed'],
    ['nothing', 'GET', '/sync/other', undefined, 404, 'not_found'],
    ['status by POST', 'POST', '/syncx/status', {}, 405, 'method_not_allowed'],
  ]
  for (const [name, method, path, body, status, code] of requests)
    it(`${name}: ${status} ${code}`, async () => {
      const device = await fresh()
      const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
      const response = await device.send(
        new Request(`http://rows.test${path}`, {
          method,
          ...(text === undefined ? {} : { body: text as string }),
        }),
      )
      const answer = (await response.json()) as { error: string; message: string }
      assert.deepEqual([response.status, answer.error], [status, code])
      assert.equal(response.headers.get('content-type'), 'application/json')
      assert.ok(answer.message.length > 3)
    })

  it('an empty query value is an absent one, and signs are allowed', async () => {
    const device = await fresh()
    expectOk(await device.get('/sync/pull?after_bundle_seq=&max_bundles=&target_bundle_seq=%2B0'))
  })

  it('the database being away is answered as a moment, other failures as what failed', async () => {
    const pool = new pg.Pool({ connectionString: 'postgres://x@127.0.0.1:1/x' })
    const service = createSyncService({ pool, config: {} })
    const router = createSyncRouter(service, { authenticate: () => 'ann' })
    const headers = { 'Oversync-Source-ID': 'a' }
    const starting = await router(new Request('http://x/sync/pull', { headers }))
    assert.deepEqual([starting.status, starting.headers.get('retry-after')], [503, '1'])
    assert.equal((await router(new Request('http://x/syncx/status'))).status, 503)
    await assert.rejects(service.bootstrap())
    await pool.end()
    await using broken = await rowsServer(postgres)
    const device = await connected(broken.device('ann', 'a'))
    await broken.database.pool.query('drop table sync.bundle_log cascade')
    expectOk(await device.get('/sync/pull'))
    assert.deepEqual(refusal(await device.get('/sync/committed-bundles/1/rows')), [
      500,
      'committed_bundle_rows_failed',
    ])
    await broken.database.pool.query('drop schema sync cascade')
    assert.deepEqual(refusal(await device.get('/sync/pull')), [500, 'pull_failed'])
    assert.equal((await broken.service.status()).committed_bundle_count, 0)
  })
})

describe('failures that have no code of their own', () => {
  const session = `/sync/push-sessions/%push`
  const frozen = `/sync/snapshot-sessions/%snapshot`
  const failures: readonly [string, string, string, unknown?][] = [
    ['connect_failed', 'table sync.scope_state', 'POST /sync/connect', {}],
    [
      'push_session_create_failed',
      'table sync.push_sessions',
      'POST /sync/push-sessions',
      { source_bundle_id: 2, planned_row_count: 1 },
    ],
    [
      'push_chunk_failed',
      'table sync.push_sessions',
      `POST ${session}/chunks`,
      {
        start_row_ordinal: 1,
        rows: [{ table: 'notes', schema: 'business', key: { id: 'n' }, op: 'DELETE' }],
      },
    ],
    ['push_session_commit_failed', 'table sync.row_state', `POST ${session}/commit`],
    ['push_session_delete_failed', 'table sync.push_sessions', `DELETE ${session}`],
    ['committed_bundle_rows_failed', 'table sync.bundle_rows', 'GET /sync/committed-bundles/1/rows'],
    ['pull_failed', 'table sync.bundle_rows', 'GET /sync/pull'],
    ['snapshot_session_create_failed', 'table sync.row_state', 'POST /sync/snapshot-sessions', {}],
    ['snapshot_chunk_failed', 'table sync.snapshot_session_rows', `GET ${frozen}`],
    ['snapshot_session_delete_failed', 'table sync.snapshot_sessions', `DELETE ${frozen}`],
    ['bundle_change_watch_failed', 'table sync.user_state', 'GET /sync/watch'],
    ['status_failed', 'sequence sync.history_pruned_error_seq', 'GET /syncx/status'],
    ['health_failed', 'sequence sync.history_pruned_error_seq', 'GET /syncx/health'],
  ]
  for (const [code, dropped, request, body] of failures)
    it(`${code}: 500, and no word of the database's`, async () => {
      await using own = await rowsServer(postgres, { config: { bundleChangeWatch: { enabled: true } } })
      const device = await connected(own.device('ann', 'a'))
      expectOk(await push(device, 1, [insertOf()]))
      const pushed = await stage(device, 2, [insertOf()])
      const { snapshot_id } = expectOk(await device.post('/sync/snapshot-sessions')).body
      await own.database.pool.query(`drop ${dropped} cascade`)
      const [method, path] = request.split(' ') as [string, string]
      const target = path.replace('%push', pushed).replace('%snapshot', snapshot_id)
      const response = await device.send(
        new Request(`http://rows.test${target}`, {
          method,
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        }),
      )
      const answer = (await response.json()) as { error: string; message: string }
      assert.deepEqual([response.status, answer.error], [500, code])
      assert.doesNotMatch(answer.message, /sync\.|relation|exist/)
    })
})

describe('rows that the database refuses', () => {
  const typed = (payload: object, key: string = randomUUID()) => ({
    table: 'typed_rows',
    key,
    payload: { name: 'x', enabled_flag: 1, ...payload },
  })
  const note = (key: string, payload: object) => ({ table: 'notes', key, payload: { ...payload } })

  it('are named, with the reason, and nothing of the push is kept', async () => {
    const device = await fresh()
    expectOk(await push(device, 1, [note('taken', { title: 'taken' })]))
    const good = insertOf
    const cases: readonly [ReturnType<typeof note>, object][] = [
      [note('u', { title: 'taken' }), { reason: 'unique', constraint: 'notes_title_key' }],
      [note('c', { amount: -1 }), { reason: 'check', constraint: 'notes_amount_check' }],
      [note('d', { due: 'never' }), { reason: 'bad_value', sqlstate: '22007' }],
      [{ ...typed({ name: null }) }, { reason: 'not_null', column: 'name' }],
      [typed({ count_value: 'x' }), { reason: 'bad_value', sqlstate: '22P02' }],
      [typed({ count_value: 1e30 }), { reason: 'bad_value' }],
      [
        { table: 'posts', key: randomUUID(), payload: { title: 't', content: 'c', author_id: randomUUID() } },
        { reason: 'foreign_key', constraint: 'posts_author_id_fk' },
      ],
      [
        { table: 'team_members', key: randomUUID(), payload: { name: 't', team_id: randomUUID() } },
        { reason: 'foreign_key' },
      ],
    ]
    for (const [row, expected] of cases) {
      const rows = [good(), good(), note(`before ${row.key}`, {}), row, note(`after ${row.key}`, {}), good()]
      const answer = await push(device, 2, rows)
      assert.deepEqual(refusal(answer), [422, 'push_rejected'], answer.text)
      const { rejection } = answer.body
      assert.deepEqual(
        [rejection.schema, rejection.table, rejection.key, rejection.op, rejection.row_ordinal],
        ['business', row.table, { id: row.key }, 'INSERT', 3],
      )
      for (const [name, value] of Object.entries(expected)) assert.equal(rejection[name], value, answer.text)
    }
    const { rows } = await server.database.pool.query(
      'select count(*)::int as n from business.users where _sync_scope_id = $1',
      [device.userId],
    )
    assert.equal(rows[0].n, 0)
    expectOk(await push(device, 2, [good()]))
  })

  it('are found among many, whatever the operation', async () => {
    const device = await fresh()
    const keys = Array.from({ length: 33 }, (_, i) => `n${i}`)
    expectOk(
      await push(
        device,
        1,
        keys.map((key) => note(key, { title: key })),
      ),
    )
    const updates = keys.map((key, i) => ({
      ...note(key, { amount: i === 20 ? -1 : i }),
      op: 'UPDATE' as const,
      base: 1,
    }))
    const { body } = await push(device, 2, updates)
    assert.deepEqual(
      [body.rejection.key.id, body.rejection.op, body.rejection.row_ordinal],
      ['n20', 'UPDATE', 20],
    )
  })

  it('a parent whose children are kept cannot be deleted; the row that would lose it is named', async () => {
    const device = await fresh()
    const [author, post] = [randomUUID(), randomUUID()]
    expectOk(
      await push(device, 1, [
        { ...insertOf(), key: author },
        { table: 'posts', key: post, payload: { title: 't', content: 'c', author_id: author } },
      ]),
    )
    const answer = await push(device, 2, [{ table: 'users', key: author, op: 'DELETE', base: 1 }])
    assert.deepEqual(refusal(answer), [422, 'push_rejected'])
    const { reason, table, key, op } = answer.body.rejection
    assert.deepEqual([reason, table, key, op], ['foreign_key', 'users', { id: author }, 'DELETE'])
  })

  it("what a host's trigger raises is a rejection too", async () => {
    await using own = await rowsServer(postgres)
    await own.database.pool.query(`
      create function business.refuse() returns trigger language plpgsql as $$ begin
        if new.title = 'forbidden' then raise exception 'not this title'; end if; return new; end $$;
      create trigger refuse before insert on business.notes for each row execute function business.refuse()`)
    const device = await connected(own.device('ann', 'a'))
    const answer = await push(device, 1, [note('a', { title: 'fine' }), note('b', { title: 'forbidden' })])
    assert.deepEqual(refusal(answer), [422, 'push_rejected'])
    assert.deepEqual([answer.body.rejection.key, answer.body.rejection.reason], [{ id: 'b' }, 'other'])
    assert.match(answer.body.message, /not this title/)
  })

  it('a key that is too long for an index is named, and an id that is too long is no id', async () => {
    const device = await fresh()
    const long = Array.from({ length: 1_500 }, (_, i) =>
      String.fromCharCode(0x4e00 + ((i * 7919) % 20_000)),
    ).join('')
    const answer = await push(device, 1, [note('a', {}), note(long, {}), note('b', {})])
    assert.deepEqual(refusal(answer), [422, 'push_rejected'])
    assert.deepEqual([answer.body.rejection.row_ordinal, answer.body.rejection.sqlstate], [1, '54000'])
    const endless = server.device('x'.repeat(1_001), 'a')
    assert.deepEqual(refusal(await endless.get('/sync/pull')), [401, 'authentication_failed'])
  })

  it('limits of a bundle are enforced', async () => {
    await using own = await rowsServer(postgres, {
      config: { maxRowsPerBundle: 2, maxBytesPerBundle: 2_000 },
    })
    const device = await connected(own.device('ann', 'a'))
    const created = await device.post('/sync/push-sessions', { source_bundle_id: 1, planned_row_count: 3 })
    assert.deepEqual(refusal(created), [413, 'bundle_too_large'])
    const long = { ...insertOf(), payload: { name: 'x'.repeat(2_000), email: 'x' } }
    const answer = await push(device, 1, [long])
    assert.deepEqual([...refusal(answer), answer.body.dimension], [413, 'bundle_too_large', 'byte_count'])
    expectOk(await push(device, 1, [insertOf(), insertOf()]))
    const { bundle_limits } = (await device.get('/sync/capabilities')).body
    assert.deepEqual([bundle_limits.max_rows_per_bundle, bundle_limits.max_bytes_per_bundle], [2, 2_000])
  })
})

describe('lifecycle', () => {
  it('R-50 R-51 closing waits for what is in flight, and refuses the rest', async () => {
    await using own = await rowsServer(postgres)
    const { service } = own
    const device = await connected(own.device('ann', 'a'))
    const inside = Promise.withResolvers<void>()
    const finish = Promise.withResolvers<void>()
    const writing = service.withinSyncBundle(device, { sourceId: 's', sourceBundleId: 1 }, async (tx) => {
      inside.resolve()
      await finish.promise
      await tx.query(`insert into business.users (id, name, email) values (gen_random_uuid(), 'x', 'x')`)
    })
    await inside.promise
    assert.equal((await service.status()).inflight_operations, 1)
    await assert.rejects(service.close({ signal: AbortSignal.abort() }), { code: 'drain_timeout' })
    const closing = service.close()
    const status = await service.status()
    assert.deepEqual(
      [status.status, status.lifecycle, status.accepting_operations],
      ['unhealthy', 'shutting_down', false],
    )
    assert.equal((await device.get('/syncx/health')).status, 503)
    assert.equal((await device.get('/syncx/status')).status, 200)
    for (const answer of [
      await device.get('/sync/pull'),
      await device.post('/sync/connect', {}),
      await device.post('/sync/snapshot-sessions'),
      await device.get('/sync/committed-bundles/1/rows'),
    ])
      assert.deepEqual(refusal(answer), [503, 'service_unavailable'])
    assert.equal((await device.get('/sync/capabilities')).status, 200)
    finish.resolve()
    await Promise.all([writing, closing, service.close()])
    assert.equal((await service.status()).lifecycle, 'closed')
    assert.deepEqual(refusal(await device.get('/sync/pull')), [503, 'service_unavailable'])
    const { rows } = await own.database.pool.query('select count(*)::int as n from business.users')
    assert.equal(rows[0].n, 1)
  })

  it('R-51 the status has every member, and a floor beyond history is unhealthy', async () => {
    // By this clock adding up takes no time, so it is done whenever there is something new.
    await using own = await rowsServer(postgres, { clock: new FakeClock() })
    const device = await connected(own.device('ann', 'a'))
    expectOk(await push(device, 1, [insertOf()]))
    const { body } = expectOk(await device.get('/syncx/health'))
    statusResponseSchema.parse(body)
    assert.equal(Object.keys(body).length, 19)
    assert.ok(body.committed_bundle_bytes > 100)
    expectOk(await push(device, 2, [insertOf()]))
    const after = (await device.get('/syncx/status')).body
    assert.ok(after.committed_bundle_bytes > body.committed_bundle_bytes)
    await own.database.pool.query(`alter table sync.user_state drop constraint user_state_retained_floor_chk;
      update sync.user_state set retained_bundle_floor = 9`)
    const ill = await device.get('/syncx/health')
    assert.deepEqual(
      [ill.status, ill.body.status, ill.body.user_state_retention_floor_ahead_count],
      [503, 'unhealthy', 1],
    )
    assert.equal((await device.get('/syncx/status')).status, 200)
  })

  it('capabilities name tables, features and limits', async () => {
    const { body } = expectOk(await server.device('ann', 'a').get('/sync/capabilities'))
    assert.deepEqual([body.protocol_version, body.schema_version, body.app_name], ['v1', 3, 'test'])
    assert.equal(body.registered_tables.length, businessTables.length)
    assert.deepEqual(body.registered_table_specs[0], {
      schema: 'business',
      table: 'categories',
      sync_key_columns: ['id'],
    })
    assert.equal(body.features.server_checkpoint_tracking, false)
    assert.equal(Object.keys(body.features).length, 20)
    assert.equal(
      Object.values(body.bundle_limits).join(),
      '0,0,5000,1000,5000,900,1000,5000,1000,5000,900,0,0,900',
    )
  })

  it('one busy user cannot take all connections, nor wait without bound', async () => {
    await using own = await rowsServer(postgres, { config: { maxWaitingPerUser: 3 } })
    const pool = own.database.openPool({ max: 2 })
    const service = createSyncService({
      pool,
      config: { registeredTables: businessTables, maxWaitingPerUser: 3 },
      clock: new FakeClock(),
    })
    await service.bootstrap()
    for (const userId of ['ann', 'eve'])
      await service.connect({ userId, sourceId: 'a' }, { has_local_pending_rows: false })
    const inside = Promise.withResolvers<void>()
    const finish = Promise.withResolvers<void>()
    const busy = service.withinSyncBundle(
      { userId: 'ann' },
      { sourceId: 's', sourceBundleId: 1 },
      async () => {
        inside.resolve()
        await finish.promise
      },
    )
    await inside.promise
    const ask = () => service.connect({ userId: 'ann', sourceId: 'a' }, { has_local_pending_rows: false })
    const waiting = [ask(), ask(), ask()]
    await assert.rejects(ask(), { code: 'service_unavailable' })
    await service.connect({ userId: 'eve', sourceId: 'a' }, { has_local_pending_rows: false })
    finish.resolve()
    await Promise.all([busy, ...waiting])
  })
})

describe('adapters', () => {
  async function listening(listener: RequestListener): Promise<AsyncDisposable & { readonly url: string }> {
    const http = createServer(listener)
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
    return {
      url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
      async [Symbol.asyncDispose]() {
        http.closeAllConnections()
        await new Promise((resolve) => http.close(resolve))
      },
    }
  }
  const headers = { authorization: 'Bearer adapter', 'Oversync-Source-ID': 'a' }

  it('Node: a whole exchange over a socket', async () => {
    await using http = await listening(nodeListener(server.handler))
    const connect = await fetch(`${http.url}/sync/connect`, { method: 'POST', headers, body: '{}' })
    assert.deepEqual(await connect.json(), { resolution: 'initialize_empty' })
    const pull = await fetch(`${http.url}/sync/pull`, { headers })
    assert.equal(await pull.text(), '{"stable_bundle_seq":0,"bundles":[],"has_more":false}\n')
    const none = await fetch(`${http.url}/sync/push-sessions/${randomUUID()}`, { method: 'DELETE', headers })
    assert.equal(none.status, 404)
    const large = await fetch(`${http.url}/sync/connect`, {
      method: 'POST',
      headers,
      body: 'x'.repeat(30_000),
    })
    assert.equal(large.status, 413)
  })

  it('Express: takes its own paths and passes on the rest', async () => {
    const middleware = expressMiddleware(server.handler)
    await using http = await listening((request, response) =>
      middleware(request, response, () => response.end('the application')),
    )
    assert.equal((await fetch(`${http.url}/sync/capabilities`, { headers })).status, 200)
    assert.equal((await fetch(`${http.url}/syncx/health`)).status, 200)
    assert.equal(await (await fetch(`${http.url}/synchronize`)).text(), 'the application')
  })

  it('a router may be mounted below a path', async () => {
    const router = createSyncRouter(server.service, { authenticate: () => 'ann', basePath: '/rows' })
    assert.equal((await router(new Request('http://x/rows/syncx/health'))).status, 200)
    assert.equal((await router(new Request('http://x/syncx/health'))).status, 404)
  })
})
