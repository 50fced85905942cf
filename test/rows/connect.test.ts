import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { before, describe, it } from 'node:test'
import { FakeClock } from '../helpers/fake-clock.ts'
import { postgresServer } from '../helpers/postgres-server.ts'
import {
  type Answer,
  connected,
  type Device,
  expectOk,
  push,
  type RowsServer,
  rowsServer,
  stage,
} from '../helpers/rows-server.ts'

const postgres = postgresServer()
let server: RowsServer
before(async () => {
  server = await rowsServer(postgres)
})

let users = 0
const freshUser = () => `user ${++users}`
const insertOf = (key: string = randomUUID()) => ({ table: 'users', key, payload: { name: 'x', email: 'x' } })
const sql = async (text: string, ...values: unknown[]) =>
  (await server.database.pool.query(text, values)).rows
const refusal = ({ status, body }: Answer) => [status, body?.error]
const connect = async (device: Device, has_local_pending_rows: boolean) =>
  expectOk(await device.post('/sync/connect', { has_local_pending_rows })).body
const expireLease = (userId: string) =>
  sql(
    `update sync.scope_state set lease_expires_at = now() - interval '1 second'
     where user_pk = (select user_pk from sync.user_state where user_id = $1)`,
    userId,
  )
const create = (device: Device, more = {}, source_bundle_id = 1) =>
  device.post('/sync/push-sessions', { source_bundle_id, planned_row_count: 1, ...more })

describe('connect', () => {
  it('R-45 an initialized scope is authoritative for everybody', async () => {
    const userId = freshUser()
    await connected(server.device(userId, 'a'))
    for (const source of ['a', 'b'])
      for (const pending of [true, false])
        assert.deepEqual(await connect(server.device(userId, source), pending), {
          resolution: 'remote_authoritative',
        })
  })

  it('R-45 the first device without rows initializes an empty scope', async () => {
    const userId = freshUser()
    assert.deepEqual(await connect(server.device(userId, 'a'), false), { resolution: 'initialize_empty' })
    assert.deepEqual((await server.device(userId, 'b').get('/sync/pull')).body.stable_bundle_seq, 0)
  })

  it('R-45 the first device with rows may seed; others wait until it has, or gave up', async () => {
    const userId = freshUser()
    const [a, b] = [server.device(userId, 'a'), server.device(userId, 'b')]
    const first = await connect(a, true)
    assert.equal(first.resolution, 'initialize_local')
    assert.match(first.initialization_id, /^[0-9a-f-]{36}$/)
    assert.match(first.lease_expires_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$/)
    for (const pending of [true, false]) {
      const later = await connect(b, pending)
      assert.equal(later.resolution, 'retry_later')
      assert.ok(later.retry_after_seconds > 890 && later.retry_after_seconds <= 900)
      assert.equal(later.lease_expires_at, first.lease_expires_at)
    }
    const again = await connect(a, true)
    assert.equal(again.initialization_id, first.initialization_id)
    assert.ok(again.lease_expires_at > first.lease_expires_at)
    await expireLease(userId)
    const taken = await connect(b, true)
    assert.equal(taken.resolution, 'initialize_local')
    assert.notEqual(taken.initialization_id, first.initialization_id)
    assert.equal((await connect(a, true)).resolution, 'retry_later')
    await expireLease(userId)
    assert.equal((await connect(a, false)).resolution, 'initialize_empty')
  })

  it('R-45 a seeder that has nothing any more initializes the scope', async () => {
    const userId = freshUser()
    const device = server.device(userId, 'a')
    await connect(device, true)
    assert.deepEqual(await connect(device, false), { resolution: 'initialize_empty' })
  })

  it('R-45 a lease has at least a second left for those who wait', async () => {
    const userId = freshUser()
    await connect(server.device(userId, 'a'), true)
    await sql(
      `update sync.scope_state set lease_expires_at = clock_timestamp() + interval '900 milliseconds'
       where user_pk = (select user_pk from sync.user_state where user_id = $1)`,
      userId,
    )
    const answer = await connect(server.device(userId, 'b'), true)
    // Slow machines may take the lease's last second.
    if (answer.resolution === 'retry_later') assert.equal(answer.retry_after_seconds, 1)
    else assert.equal(answer.resolution, 'initialize_local')
  })

  it('R-45 of devices with rows that come at once exactly one may seed', async () => {
    const userId = freshUser()
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, i) => connect(server.device(userId, `d${i}`), true)),
    )
    const resolutions = answers.map((answer) => answer.resolution).sort()
    assert.deepEqual(resolutions, ['initialize_local', ...Array(7).fill('retry_later')])
  })

  it('R-46 only the seeder may push, with its id, until its commit initializes the scope', async () => {
    const userId = freshUser()
    const [a, b] = [server.device(userId, 'a'), server.device(userId, 'b')]
    const initialization_id = (await connect(a, true)).initialization_id
    assert.deepEqual(refusal(await create(a)), [400, 'push_session_invalid'])
    assert.deepEqual(refusal(await create(a, { initialization_id: '' })), [400, 'push_session_invalid'])
    assert.deepEqual(refusal(await create(b, { initialization_id })), [409, 'initialization_stale'])
    for (const wrong of [randomUUID(), 'nonsense'])
      assert.deepEqual(refusal(await create(a, { initialization_id: wrong })), [409, 'initialization_stale'])
    const id = await stage(a, 1, [insertOf()], { initializationId: ` ${initialization_id} ` })
    assert.deepEqual(refusal(await b.get('/sync/pull')), [409, 'scope_initializing'])
    const { body } = expectOk(await a.post(`/sync/push-sessions/${id}/commit`))
    assert.equal(body.bundle_seq, 1)
    assert.equal((await b.get('/sync/pull')).body.stable_bundle_seq, 1)
    assert.deepEqual(await connect(b, true), { resolution: 'remote_authoritative' })
    assert.deepEqual(refusal(await create(a, { initialization_id }, 2)), [400, 'push_session_invalid'])
    // The answer to the commit may have been lost: then the same create comes again.
    assert.deepEqual((await create(a, { initialization_id })).body, { status: 'already_committed', ...body })
  })

  it('R-46 a lease that was lost meanwhile refuses chunks and commit', async () => {
    const userId = freshUser()
    const device = server.device(userId, 'a')
    const initializationId = (await connect(device, true)).initialization_id
    const { push_id } = expectOk(await create(device, { initialization_id: initializationId })).body
    await expireLease(userId)
    const rows = [
      { schema: 'business', table: 'users', key: { id: randomUUID() }, op: 'INSERT', payload: {} },
    ]
    assert.deepEqual(
      refusal(await device.post(`/sync/push-sessions/${push_id}/chunks`, { start_row_ordinal: 0, rows })),
      [409, 'initialization_stale'],
    )
    await sql(`update sync.scope_state set lease_expires_at = now() + interval '1 minute'
      where user_pk = (select user_pk from sync.user_state where user_id = '${userId}')`)
    const id = await stage(device, 1, [insertOf()], { initializationId })
    await expireLease(userId)
    assert.deepEqual(refusal(await device.post(`/sync/push-sessions/${id}/commit`)), [
      409,
      'initialization_stale',
    ])
    assert.deepEqual(refusal(await create(device, { initialization_id: initializationId })), [
      410,
      'initialization_expired',
    ])
    assert.deepEqual(refusal(await create(device)), [409, 'scope_uninitialized'])
    assert.deepEqual(await sql('select * from business.users where _sync_scope_id = $1', userId), [])
  })

  it('R-46 each step of the seeding prolongs the lease', async () => {
    const userId = freshUser()
    const device = server.device(userId, 'a')
    const initializationId = (await connect(device, true)).initialization_id
    const expiry = async () =>
      (
        await sql(
          'select lease_expires_at::text as at from sync.scope_state s join sync.user_state u using (user_pk) where user_id = $1',
          userId,
        )
      )[0].at
    const start = await expiry()
    const { push_id } = expectOk(await create(device, { initialization_id: initializationId })).body
    const created = await expiry()
    assert.ok(created > start)
    const rows = [
      { schema: 'business', table: 'users', key: { id: randomUUID() }, op: 'INSERT', payload: {} },
    ]
    expectOk(await device.post(`/sync/push-sessions/${push_id}/chunks`, { start_row_ordinal: 0, rows }))
    assert.ok((await expiry()) > created)
  })

  it('R-44 nothing is read before the scope is initialized', async () => {
    const device = server.device(freshUser(), 'a')
    const snapshot = () => device.post('/sync/snapshot-sessions')
    const pull = () => device.get('/sync/pull')
    for (const read of [pull, snapshot]) assert.deepEqual(refusal(await read()), [409, 'scope_uninitialized'])
    await connect(device, true)
    for (const read of [pull, snapshot]) assert.deepEqual(refusal(await read()), [409, 'scope_initializing'])
    await expireLease(device.userId)
    for (const read of [pull, snapshot]) assert.deepEqual(refusal(await read()), [409, 'scope_uninitialized'])
  })

  it('devices without rows can be made to wait for one that has some', async () => {
    const clock = new FakeClock()
    await using own = await rowsServer(postgres, { clock, config: { initializeEmptyDelayMs: 5_000 } })
    const [a, b] = [own.device('ann', 'a'), own.device('ann', 'b')]
    assert.equal((await connect(a, false)).retry_after_seconds, 5)
    await clock.advance(2_000)
    assert.equal((await connect(b, false)).retry_after_seconds, 3)
    await clock.advance(3_000)
    assert.equal((await connect(b, false)).retry_after_seconds, 5)
    await clock.advance(5_000)
    assert.equal((await connect(b, false)).resolution, 'initialize_empty')
    const [other, rich] = [own.device('eve', 'a'), own.device('eve', 'b')]
    assert.equal((await connect(other, false)).resolution, 'retry_later')
    assert.equal((await connect(rich, true)).resolution, 'initialize_local')
    assert.equal((await connect(other, false)).resolution, 'retry_later')
  })

  it('R-19 a number that was used is never accepted again, though its bundle is pruned', async () => {
    await using own = await rowsServer(postgres, { config: { retainedBundlesPerUser: 1 } })
    const device = await connected(own.device('ann', 'a'))
    for (let id = 1; id <= 4; id++) expectOk(await push(device, id, [insertOf()]))
    assert.deepEqual(refusal(await create(device, {}, 1)), [409, 'history_pruned'])
    assert.deepEqual(refusal(await create(device, {}, 3)), [409, 'history_pruned'])
    assert.equal((await create(device, {}, 4)).body.status, 'already_committed')
    assert.equal((await create(device, {}, 5)).body.status, 'staging')
  })
})
