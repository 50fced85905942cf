import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ScopeManager, type SyncService } from '../../src/planes/rows/server/index.ts'
import { postgresServer } from '../helpers/postgres-server.ts'
import { addUser, deviceRows, ready, rowsWorld, serverRows, userNames } from '../helpers/rows-world.ts'

const postgres = postgresServer()
const watching = {
  config: { bundleChangeWatch: { enabled: true } },
}
/** So long that only a hint can be the reason when something happens before. */
const never = 3_600_000

/** Waits for `condition`, looking whenever the event loop has turned. */
async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5))
}

describe('the background loops', () => {
  it('send edits and fetch those of others by themselves, and stop when told', async () => {
    await using world = await rowsWorld(postgres)
    const config = { backoffMinMs: 5, backoffMaxMs: 20 }
    const a = await ready(world.device('a', config))
    const b = await ready(world.device('b', config))
    for (const device of [a, b]) device.client.start()
    a.client.start()
    addUser(a, 'of a')
    addUser(b, 'of b')
    await until(() => userNames(a).length === 2 && userNames(b).length === 2)
    await Promise.all([a.client.stop(), b.client.stop()])
    a.line.requests.length = 0
    addUser(a, 'later')
    await new Promise((resolve) => setTimeout(resolve, 50))
    assert.deepEqual(a.line.requests, [])
    a.client.start()
    await until(() => a.client.pendingSyncStatus().pendingRowCount === 0)
    await a.client.stop()
  })

  it('outlive a server that goes away, and rest while paused', async () => {
    await using world = await rowsWorld(postgres)
    const a = await ready(world.device('a', { backoffMinMs: 5, backoffMaxMs: 20 }))
    a.client.start()
    await world.stopServer()
    addUser(a, 'offline')
    await until(() => a.line.requests.length > 20)
    await world.startServer()
    await until(async () => (await serverRows(world.database)).users!.length === 1)
    a.client.pauseUploads()
    a.client.pauseDownloads()
    // An operation that had begun may still finish.
    await until(async () => {
      const before = a.line.requests.length
      await new Promise((resolve) => setTimeout(resolve, 60))
      return a.line.requests.length === before
    })
    a.client.close()
  })
})

describe('watching', () => {
  it('wakes the downloader when a peer commits', async () => {
    await using world = await rowsWorld(postgres, watching)
    await using _listener = listen(world.service)
    const a = await ready(world.device('a'))
    const b = await ready(world.device('b', { watch: 'auto', backoffMinMs: 5, watchFallbackMs: never }))
    b.client.start()
    await until(() => b.line.requests.includes('GET /sync/watch'))
    for (const name of ['1', '2']) {
      addUser(a, name)
      await a.client.sync()
      await until(() => userNames(b).includes(name))
    }
    await b.client.stop()
    assert.equal(b.line.requests.filter((request) => request === 'GET /sync/watch').length, 1)
  })

  it('is taken up again after the server restarted, and what was committed meanwhile arrives', async () => {
    await using world = await rowsWorld(postgres, watching)
    const a = await ready(world.device('a'))
    const b = await ready(
      world.device('b', { watch: 'auto', backoffMinMs: 5, backoffMaxMs: 10, watchFallbackMs: never }),
    )
    b.client.start()
    await until(() => b.line.requests.includes('GET /sync/watch'))
    await world.stopServer()
    await world.startServer()
    await using _listener = listen(world.service)
    addUser(a, 'meanwhile')
    await a.client.sync()
    await until(() => userNames(b).includes('meanwhile'))
    await b.client.stop()
    assert.deepEqual(deviceRows(b.db), await serverRows(world.database))
  })

  it('falls back to asking where the server does not offer it, or forbids it', async () => {
    await using world = await rowsWorld(postgres)
    const a = await ready(world.device('a'))
    const b = await ready(world.device('b', { watch: 'auto', backoffMinMs: 5, watchFallbackMs: never }))
    b.client.start()
    addUser(a, '1')
    await a.client.sync()
    await until(() => userNames(b).includes('1'))
    assert.ok(!b.line.requests.includes('GET /sync/watch'))
    await b.client.stop()

    const c = await ready(world.device('c', { watch: 'auto', backoffMinMs: 5, watchFallbackMs: never }))
    c.line.after = async (request, response) => {
      if (request === 'GET /sync/watch')
        return Response.json({ error: 'bundle_change_watch_forbidden', message: '' }, { status: 403 })
      if (request !== 'GET /sync/capabilities') return undefined
      const body = (await response.json()) as { features: object }
      return Response.json({ ...body, features: { ...body.features, bundle_change_watch: true } })
    }
    c.client.start()
    await until(() => c.line.requests.includes('GET /sync/watch'))
    addUser(a, '2')
    await a.client.sync()
    await until(() => userNames(c).includes('2'))
    await c.client.stop()
    assert.equal(c.line.requests.filter((request) => request === 'GET /sync/watch').length, 1)
  })

  it('a stream of nonsense ends, and is replaced by asking', async () => {
    await using world = await rowsWorld(postgres, watching)
    const a = await ready(world.device('a'))
    const b = await ready(
      world.device('b', { watch: 'auto', backoffMinMs: 5, backoffMaxMs: 10, watchFallbackMs: never }),
    )
    b.line.after = (request) =>
      request === 'GET /sync/watch' ? new Response('event: bundle\ndata: {"bundle_seq":-1}\n\n') : undefined
    b.client.start()
    const added = addUser(a, '1')
    await a.client.sync()
    await until(() => userNames(b).includes('1'))
    await b.client.stop()
    assert.ok(added)
  })

  it('waitForWork ends by an edit here and by a hint from there', async () => {
    await using world = await rowsWorld(postgres, watching)
    await using _listener = listen(world.service)
    const a = await ready(world.device('a'))
    const b = await ready(world.device('b', { watch: 'auto', backoffMinMs: 5, watchFallbackMs: never }))
    const waiting = b.client.waitForWork()
    addUser(b, 'here')
    await waiting
    await b.client.sync()
    const again = b.client.waitForWork()
    addUser(a, 'there')
    await a.client.sync()
    await again
    const abort = new AbortController()
    const third = assert.rejects(b.client.waitForWork({ signal: abort.signal }), /enough/)
    abort.abort(new Error('enough'))
    await third
  })

  it('is not opened by default (watch-default-off)', async () => {
    await using world = await rowsWorld(postgres, watching)
    const device = await ready(world.device('a', { backoffMinMs: 5 }))
    device.client.start()
    await until(() => device.line.requests.filter((request) => request === 'GET /sync/pull').length > 5)
    await device.client.stop()
    assert.ok(!device.line.requests.includes('GET /sync/watch'))
  })

  it('many watching devices converge (watch-many-clients-converge), and let go when they stop (watch-idle-cleanup)', async () => {
    await using world = await rowsWorld(postgres, watching)
    await using _listener = listen(world.service)
    const names = ['a', 'b', 'c', 'd', 'e', 'f']
    const devices: ReturnType<typeof world.device>[] = []
    for (const name of names)
      devices.push(
        await ready(world.device(name, { watch: 'auto', backoffMinMs: 5, watchFallbackMs: never })),
      )
    for (const { client } of devices) client.start()
    for (const [i, device] of devices.entries()) addUser(device, names[i]!)
    await until(() => devices.every((device) => userNames(device).length === names.length))
    await Promise.all(devices.map(({ client }) => client.stop()))
    for (const { db } of devices) assert.deepEqual(deviceRows(db), await serverRows(world.database))
    await until(() => world.service.hub.users().length === 0)
  })
})

describe('R-49 rows that the server writes', () => {
  it('reach devices by pull, by watch and by snapshot like any other (watch-server-originated)', async () => {
    await using world = await rowsWorld(postgres, watching)
    await using _listener = listen(world.service)
    const a = await ready(world.device('a'))
    const b = await ready(world.device('b', { watch: 'auto', backoffMinMs: 5, watchFallbackMs: never }))
    b.client.start()
    await until(() => b.line.requests.includes('GET /sync/watch'))
    await new ScopeManager(world.service).execWrite('ada', { writerId: 'billing' }, async (tx) => {
      await tx.query(
        `insert into business.users (id, name, email) values (gen_random_uuid(), 'of the server', 's@x')`,
      )
    })
    await until(() => userNames(b).length === 1)
    await b.client.stop()
    await a.client.sync()
    const c = await ready(world.device('c'))
    for (const { db } of [a, b, c]) assert.deepEqual(deviceRows(db), await serverRows(world.database))
    assert.deepEqual(userNames(c), ['of the server'])
  })
})

/** What a host starts once per process. */
function listen(service: SyncService): AsyncDisposable {
  const abort = new AbortController()
  const running = service.runBundleChangeListener({ signal: abort.signal }).catch(() => {})
  return {
    async [Symbol.asyncDispose]() {
      abort.abort()
      await running
    },
  }
}
