import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { describe, it } from 'node:test'
import { requestRetry, retryDelay } from '../../src/planes/rows/client/retry-policy.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { postgresServer } from '../helpers/postgres-server.ts'
import { openDevice } from '../helpers/rows-tables.ts'
import { addUser, ready, rowsWorld, userNames } from '../helpers/rows-world.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

const postgres = postgresServer()
const isPull = (request: string) => request === 'GET /sync/pull'

describe('R-70 retries', () => {
  it('follow 429, 502, 503, 504 and broken connections, three attempts in all; nothing else', async () => {
    await using world = await rowsWorld(postgres)
    const device = await ready(world.device('a'))
    const attempts = async (answer: () => Response) => {
      let count = 0
      device.line.after = (request) => {
        if (!isPull(request)) return undefined
        count++
        return answer()
      }
      const code = await device.client.pullToStable().then(
        () => 'none',
        (error: { code: string }) => error.code,
      )
      return [count, code]
    }
    for (const status of [429, 502, 503, 504])
      assert.deepEqual(
        await attempts(() => new Response('<html>', { status })),
        [3, 'rows/retries-exhausted'],
        String(status),
      )
    assert.deepEqual(
      await attempts(() => {
        throw new TypeError('terminated')
      }),
      [3, 'rows/retries-exhausted'],
    )
    for (const status of [400, 401, 403, 404, 405, 410, 413, 500, 501])
      assert.deepEqual(
        await attempts(() => Response.json({ error: 'x', message: '' }, { status })),
        [1, 'rows/server-refused'],
        String(status),
      )
    assert.deepEqual(await attempts(() => new Response('{"stable')), [1, 'rows/server-answer'])
  })

  it('end early when the server answers again', async () => {
    await using world = await rowsWorld(postgres)
    const device = await ready(world.device('a'))
    addUser(device, 'x')
    let failures = 0
    device.line.after = (request) =>
      request.endsWith('/chunks') && failures++ < 2 ? new Response('', { status: 503 }) : undefined
    assert.equal((await device.client.sync()).pushOutcome, 'committed')
    assert.equal(failures, 3)
  })

  it('can be switched off', async () => {
    await using world = await rowsWorld(postgres)
    const device = await ready(world.device('a', { retry: { enabled: false } }))
    device.line.after = () => new Response('', { status: 503 })
    device.line.requests.length = 0
    await assert.rejects(device.client.rebuild(), { code: 'rows/server-refused' })
    assert.equal(device.line.requests.filter((request) => request.startsWith('POST')).length, 1)
  })

  it('wait at least as long as Retry-After asks, and a cancellation stops the waiting at once', async () => {
    await using world = await rowsWorld(postgres)
    const clock = new FakeClock()
    const device = await ready(world.device('a', { clock }))
    await device.client.sync()
    let asked = 0
    device.line.after = (request) => {
      if (!isPull(request)) return undefined
      asked++
      return new Response('', { status: 503, headers: { 'Retry-After': '30' } })
    }
    const abort = new AbortController()
    const failed = assert.rejects(device.client.pullToStable({ signal: abort.signal }), /enough/)
    while (asked < 1 || clock.sleeping === 0) await new Promise((resolve) => setImmediate(resolve))
    await clock.advance(29_000)
    assert.equal(asked, 1)
    await clock.advance(1_000)
    while (asked < 2 || clock.sleeping === 0) await new Promise((resolve) => setImmediate(resolve))
    abort.abort(new Error('enough'))
    await failed
    assert.equal(asked, 2)
    assert.equal(clock.sleeping, 0)
  })

  it('wait no longer than a minute, whatever Retry-After asks', async () => {
    await using world = await rowsWorld(postgres)
    const clock = new FakeClock()
    const device = await ready(world.device('a', { clock }))
    await device.client.sync()
    let asked = 0
    device.line.after = (request) => {
      if (!isPull(request) || ++asked > 1) return undefined
      return new Response('', { status: 503, headers: { 'Retry-After': '86400' } })
    }
    const pulled = device.client.pullToStable()
    while (asked < 1 || clock.sleeping === 0) await new Promise((resolve) => setImmediate(resolve))
    await clock.advance(60_000)
    await pulled
    assert.equal(asked, 2)
  })

  it('double the delay up to its maximum, give or take the jitter', () => {
    const policy = requestRetry({ initialBackoffMs: 100, maxBackoffMs: 1_000, jitter: 0.2 })
    assert.deepEqual(
      [1, 2, 3, 4, 5, 60].map((failures) => retryDelay(policy, failures, 0.5)),
      [100, 200, 400, 800, 1_000, 1_000],
    )
    assert.deepEqual([retryDelay(policy, 1, 0), retryDelay(policy, 1, 1)], [80, 120])
    assert.deepEqual(requestRetry({ jitter: 7, maxBackoffMs: 5, initialBackoffMs: 50, maxAttempts: 0 }), {
      enabled: true,
      maxAttempts: 3,
      initialBackoffMs: 50,
      maxBackoffMs: 50,
      jitter: 1,
    })
  })
})

describe('the line to the server', () => {
  it('asks for the token with every request', async () => {
    await using world = await rowsWorld(postgres)
    let asked = 0
    const device = world.device('a', {
      token: async () => {
        asked++
        return 'ada'
      },
    })
    await ready(device)
    await device.client.sync()
    assert.equal(asked, device.line.requests.length)
  })

  it('passes on what the token function throws, and does not take it for a broken line', async () => {
    await using world = await rowsWorld(postgres)
    let expired = false
    const token = () => {
      if (expired) throw new Error('sign in again')
      return 'ada'
    }
    const device = await ready(world.device('a', { token }))
    expired = true
    device.line.requests.length = 0
    await assert.rejects(device.client.sync(), /sign in again/)
    assert.deepEqual(device.line.requests, [])
  })

  it('refuses an answer larger than its limit, unread, and changes nothing', async () => {
    await using world = await rowsWorld(postgres)
    const a = await ready(world.device('a'))
    for (let i = 0; i < 50; i++) addUser(a, `u${i}`)
    await a.client.sync()
    const b = await ready(world.device('b', { maxResponseBytes: 20_000, snapshotChunkRows: 10 }))
    b.line.after = (request) =>
      isPull(request)
        ? new Response(new ReadableStream({ pull: (stream) => stream.enqueue(new Uint8Array(8_192)) }))
        : undefined
    await assert.rejects(b.client.pullToStable(), { code: 'rows/server-answer' })
    assert.equal(userNames(b).length, 50)
  })

  it('gives up a request that gets no answer', async () => {
    await using folder = await temporaryFolder()
    const silent = createServer(() => {})
    silent.listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const clock = new FakeClock()
    const { port } = silent.address() as AddressInfo
    using device = openDevice(folder.join('a.db'), {
      baseUrl: `http://127.0.0.1:${port}/`,
      clock,
      retry: { enabled: false },
    })
    await device.client.open()
    const heard = once(silent, 'connection')
    const attaching = assert.rejects(device.client.attach('ada'), { code: 'rows/unreachable' })
    const [socket] = (await heard) as [Socket]
    await clock.advance(119_999)
    assert.equal(clock.sleeping, 1)
    await clock.advance(1)
    await attaching
    socket.destroy()
    silent.close()
  })

  it('one operation at a time: a second is refused, and closing aborts the first', async () => {
    await using world = await rowsWorld(postgres)
    const device = await ready(world.device('a'))
    const first = device.client.sync()
    await assert.rejects(device.client.sync(), {
      code: 'rows/operation-in-progress',
      details: { operation: 'sync' },
    })
    device.client.close()
    await assert.rejects(first, { code: 'rows/closed' })
  })

  it('paused transfers are skipped', async () => {
    await using world = await rowsWorld(postgres)
    const device = await ready(world.device('a'))
    addUser(device, 'x')
    device.client.pauseUploads()
    device.client.pauseDownloads()
    const report = await device.client.sync()
    assert.deepEqual([report.pushOutcome, report.remoteOutcome], ['skipped_paused', 'skipped_paused'])
    assert.equal((await device.client.rebuild()).outcome, 'skipped_paused')
    device.client.resumeDownloads()
    await assert.rejects(device.client.sync(), { code: 'rows/dirty-rows' })
    device.client.resumeUploads()
    assert.equal((await device.client.sync()).pushOutcome, 'committed')
  })

  it('a transaction of the application on the shared connection is respected', async () => {
    await using world = await rowsWorld(postgres)
    const device = await ready(world.device('a'))
    addUser(device, 'x')
    device.db.exec('BEGIN')
    addUser(device, 'y')
    await assert.rejects(device.client.sync(), { code: 'rows/database-busy' })
    device.db.exec('ROLLBACK')
    await device.client.sync()
    assert.deepEqual(userNames(device), ['x'])
  })
})
