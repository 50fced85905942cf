import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, it } from 'node:test'
import { createSyncService, RowsError, type SyncService } from '../../src/planes/rows/server/index.ts'
import { FakeClock, settle } from '../helpers/fake-clock.ts'
import { postgresServer } from '../helpers/postgres-server.ts'
import { businessTables } from '../helpers/rows-business.ts'
import { type Answer, connected, type Device, expectOk, push, rowsServer } from '../helpers/rows-server.ts'

const postgres = postgresServer()
const watching = { bundleChangeWatch: { enabled: true } }
const insertOf = () => ({ table: 'users', key: randomUUID(), payload: { name: 'x', email: 'x' } })
const refusal = ({ status, body }: Answer) => [status, body?.error]

/** The listener of a process, running until it is disposed of. */
async function listening(service: SyncService): Promise<AsyncDisposable> {
  const stop = new AbortController()
  const done = service.runBundleChangeListener({ signal: stop.signal })
  const { pool } = service
  // It listens once a connection is held that is not one of ours: ask the server who listens.
  for (;;) {
    const { rows } = await pool.query(
      `select count(*)::int as n from pg_stat_activity where datname = current_database() and query like 'select user_pk%'`,
    )
    if (rows[0].n > 0) break
  }
  return {
    async [Symbol.asyncDispose]() {
      stop.abort()
      await done
    },
  }
}

interface Stream extends AsyncDisposable {
  readonly response: Response
  /** The next frame: its data, or its comment. */
  next(): Promise<string>
}

async function watch(device: Device, after = 0): Promise<Stream> {
  const leaving = new AbortController()
  const response = await device.send(
    new Request(`http://rows.test/sync/watch?after_bundle_seq=${after}`, { signal: leaving.signal }),
  )
  assert.equal(response.status, 200)
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  return {
    response,
    async next() {
      for (;;) {
        const end = text.indexOf('\n\n')
        if (end !== -1) {
          const frame = text.slice(0, end)
          text = text.slice(end + 2)
          return frame
        }
        const { value, done } = await reader.read()
        if (done) return 'end'
        text += value
      }
    },
    async [Symbol.asyncDispose]() {
      leaving.abort()
      await reader.cancel().catch(() => {})
    },
  }
}

const eventOf = (frame: string) => {
  assert.match(frame, /^event: bundle\ndata: /)
  return JSON.parse(frame.slice('event: bundle\ndata: '.length))
}

describe('watch', () => {
  it('R-53 says at once that there is something to pull, and wakes after each commit of the same user', async () => {
    await using server = await rowsServer(postgres, { config: watching })
    const [ann, eve] = await Promise.all(['ann', 'eve'].map((name) => connected(server.device(name, 'a'))))
    expectOk(await push(ann!, 1, [insertOf()]))
    await using _listener = await listening(server.service)
    await using behind = await watch(ann!, 0)
    assert.equal(behind.response.headers.get('content-type'), 'text/event-stream')
    assert.equal(behind.response.headers.get('cache-control'), 'no-cache')
    assert.equal(behind.response.headers.get('x-accel-buffering'), 'no')
    assert.deepEqual(eventOf(await behind.next()), { bundle_seq: 1 })
    await using current = await watch(ann!, 1)
    expectOk(await push(eve!, 1, [insertOf()]))
    expectOk(await push(ann!, 2, [insertOf()]))
    for (const stream of [behind, current])
      assert.deepEqual(eventOf(await stream.next()), { bundle_seq: 2, source_id: 'a', source_bundle_id: 2 })
  })

  it('R-53 rolled back and empty transactions make no event', async () => {
    await using server = await rowsServer(postgres, { config: watching })
    await using _listener = await listening(server.service)
    const device = await connected(server.device('ann', 'a'))
    await using stream = await watch(device)
    const { service } = server
    const insert = `insert into business.users (id, name, email) values (gen_random_uuid(), 'x', 'x')`
    await assert.rejects(
      service.withinSyncBundle(device, { sourceId: 's', sourceBundleId: 1 }, async (tx) => {
        await tx.query(insert)
        throw new Error('on purpose')
      }),
    )
    await service.withinSyncBundle(device, { sourceId: 's', sourceBundleId: 1 }, async () => {})
    await service.withinSyncBundle(device, { sourceId: 's', sourceBundleId: 1 }, async (tx) => {
      await tx.query(insert)
    })
    assert.deepEqual(eventOf(await stream.next()), { bundle_seq: 1, source_id: 's', source_bundle_id: 1 })
  })

  it('R-53 a slow reader gets the newest, and nothing that is older than what it has', async () => {
    await using server = await rowsServer(postgres, { config: watching })
    const device = await connected(server.device('ann', 'a'))
    using subscription = await server.service.subscribeBundleChanges(device, 0)
    subscription.offer({ bundle_seq: 3 })
    subscription.offer({ bundle_seq: 5, source_id: 'a', source_bundle_id: 5 })
    subscription.offer({ bundle_seq: 4 })
    assert.equal((await subscription.next())?.bundle_seq, 5)
    subscription.offer({ bundle_seq: 5 })
    const next = subscription.next()
    subscription.offer({ bundle_seq: 6 })
    assert.equal((await next)?.bundle_seq, 6)
  })

  it('R-53 a silent stream is kept alive; one that ends leaves no subscriber', async () => {
    const clock = new FakeClock()
    await using server = await rowsServer(postgres, { config: watching, router: { clock } })
    const device = await connected(server.device('ann', 'a'))
    {
      await using stream = await watch(device)
      await clock.advance(25_000)
      assert.equal(await stream.next(), ': heartbeat')
      assert.equal(server.service.hub.count(), 1)
    }
    await settle()
    assert.equal(server.service.hub.count(), 0)
    assert.equal(clock.sleeping, 0)
  })

  it('R-53 a reader that takes nothing is let go', async () => {
    const clock = new FakeClock()
    await using server = await rowsServer(postgres, { config: watching, router: { clock } })
    const device = await connected(server.device('ann', 'a'))
    const response = await device.send(new Request('http://rows.test/sync/watch'))
    assert.equal(server.service.hub.count(), 1)
    for (let beats = 0; beats < 30; beats++) await clock.advance(25_000)
    assert.equal(server.service.hub.count(), 0)
    await response.body?.cancel()
  })

  it('R-53 every process wakes its own, and a listener that lost its connection catches up', async () => {
    await using server = await rowsServer(postgres, { config: watching })
    const clock = new FakeClock()
    const other = createSyncService({
      pool: server.database.openPool(),
      config: { registeredTables: businessTables, ...watching },
      clock,
    })
    await other.bootstrap()
    const device = await connected(server.device('ann', 'a'))
    using there = await other.subscribeBundleChanges(device, 0)
    await using _listener = await listening(other)
    expectOk(await push(device, 1, [insertOf()]))
    assert.equal((await there.next())?.bundle_seq, 1)

    await server.database.pool.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and query like 'select user_pk%' and pid <> pg_backend_pid()`,
    )
    while (clock.sleeping === 0) await settle()
    expectOk(await push(device, 2, [insertOf()]))
    await clock.advance(100)
    assert.equal((await there.next())?.bundle_seq, 2)
  })

  it('R-53 switched off there is neither stream nor notification', async () => {
    await using server = await rowsServer(postgres)
    const device = await connected(server.device('ann', 'a'))
    assert.deepEqual(refusal(await device.get('/sync/watch')), [503, 'bundle_change_watch_disabled'])
    assert.equal((await device.get('/sync/capabilities')).body.features.bundle_change_watch, false)
    await assert.rejects(server.service.runBundleChangeListener({ signal: AbortSignal.abort() }), {
      code: 'bundle_change_watch_disabled',
    })
    const client = await server.database.pool.connect()
    const heard: string[] = []
    client.on('notification', ({ payload }) => heard.push(payload ?? ''))
    await client.query('listen oversync_bundle_change_v1')
    expectOk(await push(device, 1, [insertOf()]))
    await client.query('select 1')
    client.release(true)
    assert.deepEqual(heard, [])
  })

  it('R-53 R-44 checks policy, query, feature, life and scope, in this order', async () => {
    await using server = await rowsServer(postgres, {
      config: watching,
      router: { bundleChangeWatchAllowed: ({ userId }) => userId !== 'eve' },
    })
    const eve = await connected(server.device('eve', 'a'))
    assert.deepEqual(refusal(await eve.get('/sync/watch?after_bundle_seq=x')), [
      403,
      'bundle_change_watch_forbidden',
    ])
    assert.equal((await eve.get('/sync/capabilities')).body.features.bundle_change_watch, false)
    const ann = server.device('ann', 'a')
    assert.equal((await ann.get('/sync/capabilities')).body.features.bundle_change_watch, true)
    for (const bad of ['x', '-1', '1.5', '9007199254740993'])
      assert.deepEqual(refusal(await ann.get(`/sync/watch?after_bundle_seq=${bad}`)), [
        400,
        'invalid_request',
      ])
    assert.deepEqual(refusal(await ann.get('/sync/watch')), [409, 'scope_uninitialized'])
    expectOk(await ann.post('/sync/connect', { has_local_pending_rows: true }))
    assert.deepEqual(refusal(await ann.get('/sync/watch')), [409, 'scope_initializing'])
    await server.service.close()
    assert.deepEqual(refusal(await ann.get('/sync/watch')), [503, 'service_unavailable'])
  })

  it('R-53 a user has so many streams at a time', async () => {
    await using server = await rowsServer(postgres, { config: { ...watching, maxWatchersPerUser: 1 } })
    const device = await connected(server.device('ann', 'a'))
    await using _stream = await watch(device)
    assert.deepEqual(refusal(await device.get('/sync/watch')), [429, 'too_many_watchers'])
  })

  it('R-53 streams end when the service closes', async () => {
    await using server = await rowsServer(postgres, { config: watching })
    const device = await connected(server.device('ann', 'a'))
    await using stream = await watch(device)
    await server.service.close()
    assert.equal(await stream.next(), 'end')
  })

  it('a configuration that cannot be meant is refused', () => {
    const make = (bundleChangeWatch: object) =>
      createSyncService({
        pool: undefined as never,
        config: { bundleChangeWatch: { enabled: true, ...bundleChangeWatch } },
      })
    for (const bad of [
      { notifyChannel: '' },
      { notifyChannel: 'a\0' },
      { notifyChannel: 'x'.repeat(64) },
      { heartbeatIntervalMs: 0 },
      { heartbeatIntervalMs: Number.NaN },
    ])
      assert.throws(
        () => make(bad),
        (error) => error instanceof RowsError && error.code === 'configuration_invalid',
      )
    make({ notifyChannel: 'x'.repeat(63) })
  })
})
