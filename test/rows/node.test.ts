import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { loadConfig } from '../../src/config/load.ts'
import { silentLogger } from '../../src/kernel/logger.ts'
import { SyncError } from '../../src/kernel/sync-error.ts'
import { openNode } from '../../src/node/create-node.ts'
import { postgresServer, type TestDatabase } from '../helpers/postgres-server.ts'
import { businessSchema, businessTables } from '../helpers/rows-business.ts'
import { openDevice } from '../helpers/rows-tables.ts'
import { addUser, userNames } from '../helpers/rows-world.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

const postgres = postgresServer()

async function business(database: TestDatabase): Promise<void> {
  await database.pool.query(businessSchema)
}

type Folder = Awaited<ReturnType<typeof temporaryFolder>>

/** A node that serves the business tables of `database`; the user is the token. */
async function servingNode(folder: Folder, database: TestDatabase, limits = {}) {
  const schema = folder.join('schema.json')
  const tables = businessTables.map(({ schema: name = '', table }) => ({ schema: name, table }))
  await writeFile(schema, JSON.stringify({ tables, limits }))
  const flags = {
    data: folder.join('server'),
    port: 0,
    databaseUrl: database.url,
    rows: schema,
    rowsAuth: 'insecure-header',
    rowsAllowedOrigins: 'https://app.example',
  }
  const node = await openNode(await loadConfig({ flags }), { log: silentLogger })
  return { node, url: (await node.listen()).replace('ws', 'http') }
}

describe('a node and rows', { timeout: 120_000 }, () => {
  it('keeps a SQLite file in step by a link, live, and leaves it alone once the link is removed', async () => {
    await using folder = await temporaryFolder()
    await using database = await postgres.database(business)
    const { node: server, url } = await servingNode(folder, database)
    await using _server = server
    using mine = openDevice(folder.join('mine.db'), { baseUrl: url, token: () => 'ada', backoffMinMs: 5 })
    using other = openDevice(folder.join('other.db'), { baseUrl: url, token: () => 'ada' })
    const asked: string[] = []
    const config = await loadConfig({ flags: { data: folder.join('client') } })
    const clientFor = ({ user }: { readonly user: string }) => {
      asked.push(user)
      return mine.client
    }
    await using node = await openNode(config, { log: silentLogger, rows: { clientFor } })
    node.start()
    addUser(mine, 'of the node')
    const link = await node.rowsLinks.put({ url: `${url}/`, user: 'ada' })
    // Its rows are the first: a device that comes before them would begin an empty scope.
    while (((await server.rows.scopes({ after: '', limit: 1 }))[0]?.latestBundle ?? 0) < 1) await pause(5)
    await other.client.open()
    while ((await other.client.attach('ada')).status !== 'connected') await pause(5)
    while (userNames(other).length === 0) {
      await other.client.sync()
      await pause(5)
    }
    addUser(other, 'of the other')
    await other.client.sync()
    while (userNames(mine).length < 2) await pause(5)
    assert.deepEqual(asked, ['ada'])
    assert.deepEqual(await node.rowsLinks.list(), [link])
    const servers = await node.sync.listServers()
    assert.ok(servers.ok && servers.value.length === 0, 'it is no relay')
    assert.equal((await node.rowsLinks.put({ url, user: 'ada', live: false })).id, link.id)
    assert.equal(await node.rowsLinks.remove(link), true)
    assert.deepEqual(await node.rowsLinks.list(), [])
    assert.equal(await node.rowsLinks.remove(link), false)
  })

  it('refuses links where no database was registered, and addresses that are none', async () => {
    await using folder = await temporaryFolder()
    const config = await loadConfig({ flags: { data: folder.join('a') } })
    const isInvalid = (error: unknown) => error instanceof SyncError && error.code === 'config/invalid'
    {
      await using node = await openNode(config, { log: silentLogger })
      await assert.rejects(node.rowsLinks.put({ url: 'http://127.0.0.1:1', user: 'ada' }), isInvalid)
      await assert.rejects(node.rows.scopes({ after: '', limit: 1 }), isInvalid)
    }
    const clientFor = () => assert.fail('nobody asks')
    await using node = await openNode(config, { log: silentLogger, rows: { clientFor } })
    await assert.rejects(node.rowsLinks.put({ url: 'ws://127.0.0.1:1', user: 'ada' }), isInvalid)
    await assert.rejects(node.rowsLinks.put({ url: 'http://127.0.0.1:1', user: ' ' }), isInvalid)
  })

  it('prunes to what each user keeps, lists users by pages, and lets pages of other origins in', async () => {
    await using folder = await temporaryFolder()
    await using database = await postgres.database(business)
    const { node, url } = await servingNode(folder, database, { retainedBundlesPerUser: 4 })
    await using _node = node
    for (const user of ['ada', 'bob']) {
      using device = openDevice(folder.join(`${user}.db`), { baseUrl: url, token: () => user })
      await device.client.open()
      await device.client.attach(user)
      for (let i = 0; i < 4; i++) {
        addUser(device, `${user} ${i}`)
        await device.client.sync()
      }
    }
    assert.equal((await node.rows.prune({})).bundles, 0)
    assert.deepEqual(await node.rows.prune({ keep: 1, user: 'bob' }), {
      users: 1,
      bundles: 3,
      pushSessions: 0,
      snapshotSessions: 0,
    })
    const [ada, ...rest] = await node.rows.scopes({ after: '', limit: 1 })
    assert.deepEqual([ada!.user, ada!.latestBundle, ada!.retainedFloor, rest.length], ['ada', 4, 0, 0])
    const [bob] = await node.rows.scopes({ after: 'ada', limit: 10 })
    assert.deepEqual([bob!.user, bob!.latestBundle, bob!.retainedFloor], ['bob', 4, 3])
    // Rows stay: a device that comes later gets them all.
    using late = openDevice(folder.join('late.db'), { baseUrl: url, token: () => 'bob' })
    await late.client.open()
    await late.client.attach('bob')
    assert.equal(userNames(late).length, 4)
    const preflight = (origin: string) =>
      fetch(`${url}/sync/pull`, {
        method: 'OPTIONS',
        headers: { origin, 'access-control-request-method': 'GET' },
      })
    const allowed = await preflight('https://app.example')
    assert.equal(allowed.headers.get('access-control-allow-origin'), 'https://app.example')
    assert.equal((await preflight('https://evil.example')).headers.get('access-control-allow-origin'), null)
  })

  it('is not ready while its database does not answer', async () => {
    await using folder = await temporaryFolder()
    const database = await postgres.database(business)
    const { node } = await servingNode(folder, database)
    await using _node = node
    assert.deepEqual(await node.probe(), { store: true, relay: true, rows: true })
    await database[Symbol.asyncDispose]()
    assert.deepEqual(await node.probe(), { store: true, relay: true, rows: false })
    const { rows } = await node.status()
    assert.match(rows?.problem ?? '', /does not answer/)
    assert.ok(!JSON.stringify(rows).includes('syncline:syncline'), 'no password')
  })
})
