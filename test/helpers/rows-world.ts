import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { DatabaseSync } from 'node:sqlite'
import { nodeListener, type SyncService } from '../../src/planes/rows/server/index.ts'
import type { PostgresServer, TestDatabase } from './postgres-server.ts'
import { businessSchema } from './rows-business.ts'
import { openRowsServer, type RowsServer, type RowsServerOptions } from './rows-server.ts'
import { businessTables, type Device, type DeviceConfig, openDevice } from './rows-tables.ts'
import { temporaryFolder } from './temporary-folder.ts'

/** A rows server on a real socket, its PostgreSQL, and devices with files of their own. */
export interface RowsWorld extends AsyncDisposable {
  readonly url: string
  readonly database: TestDatabase
  readonly service: SyncService
  /** Ends the server's process, as far as a device can tell: connections break, the port refuses. */
  stopServer(): Promise<void>
  /** A new server on the same database and port. */
  startServer(options?: RowsServerOptions): Promise<void>
  /** The path of a device's database. */
  path(name: string): string
  /** A device of `user`; opening a name again opens its file again. The user's name is his token. */
  device(name: string, config?: WorldDeviceConfig): Device & { readonly line: Line }
}

export interface WorldDeviceConfig extends Omit<DeviceConfig, 'fetch'> {
  readonly user?: string
}

/** What stands between a device and the server: a test may look, do something, or fail. */
export interface Line {
  /** Every request that was made, as `METHOD /path`. */
  readonly requests: string[]
  /** Runs before each request; throwing is a connection that breaks before the server hears anything. */
  before?: ((request: string, body: string | undefined) => void | Promise<void>) | undefined
  /** Runs on each answer; throwing is a connection that breaks before the device hears anything. A new answer replaces it. */
  // biome-ignore lint/suspicious/noConfusingVoidType: a test that only looks returns nothing
  after?: ((request: string, response: Response) => void | Response | Promise<void | Response>) | undefined
}

export async function rowsWorld(server: PostgresServer, options: RowsServerOptions = {}): Promise<RowsWorld> {
  const folder = await temporaryFolder()
  const database = await server.database()
  await database.pool.query(businessSchema)
  // The database outlives each server that is started on it.
  const lasting: TestDatabase = { ...database, [Symbol.asyncDispose]: async () => {} }
  let running: { readonly rows: RowsServer; readonly http: Server } | undefined
  let port = 0
  const start = async (given: RowsServerOptions) => {
    const rows = await openRowsServer(lasting, given)
    const http = createServer(nodeListener(rows.handler))
    await new Promise<void>((resolve) => http.listen(port, '127.0.0.1', resolve))
    port = (http.address() as AddressInfo).port
    running = { rows, http }
  }
  const stop = async () => {
    const { rows, http } = running ?? {}
    running = undefined
    http?.closeAllConnections()
    await new Promise<void>((resolve) => (http === undefined ? resolve() : http.close(() => resolve())))
    await rows?.[Symbol.asyncDispose]()
  }
  await start(options)
  const devices: Device[] = []
  return {
    get url() {
      return `http://127.0.0.1:${port}`
    },
    database,
    get service() {
      return running!.rows.service
    },
    stopServer: stop,
    startServer: (again = options) => start(again),
    path: (name) => folder.join(`${name}.db`),
    device(name, { user = 'ada', ...config } = {}) {
      const line: Line = { requests: [] }
      const device = openDevice(folder.join(`${name}.db`), {
        baseUrl: `http://127.0.0.1:${port}`,
        token: () => user,
        fetch: through(line),
        retry: { initialBackoffMs: 1, maxBackoffMs: 2 },
        ...config,
      })
      devices.push(device)
      return Object.assign(device, { line })
    },
    async [Symbol.asyncDispose]() {
      for (const device of devices) device[Symbol.dispose]()
      await stop()
      await database[Symbol.asyncDispose]()
      await folder[Symbol.asyncDispose]()
    },
  }
}

function through(line: Line): typeof fetch {
  return async (input, init) => {
    const request = `${init?.method ?? 'GET'} ${new URL(String(input)).pathname}`
    line.requests.push(request)
    await line.before?.(request, typeof init?.body === 'string' ? init.body : undefined)
    const response = await fetch(input, init)
    return (await line.after?.(request, response)) ?? response
  }
}

/** The content of all business tables of a user on the server, in the form of `deviceRows`. */
export async function serverRows(database: TestDatabase, user = 'ada'): Promise<Record<string, unknown[]>> {
  const tables: Record<string, unknown[]> = {}
  for (const { tableName } of businessTables) {
    const { rows } = await database.pool.query<{ row: Record<string, unknown> }>(
      `select to_jsonb(t) - '_sync_scope_id' as row from business.${tableName} t where _sync_scope_id = $1`,
      [user],
    )
    tables[tableName] = sorted(rows.map(({ row }) => comparable(row)))
  }
  return tables
}

/** The content of all business tables on a device. */
export function deviceRows(db: DatabaseSync): Record<string, unknown[]> {
  const tables: Record<string, unknown[]> = {}
  for (const { tableName } of businessTables) {
    const statement = db.prepare(`SELECT * FROM ${tableName}`)
    statement.setReadBigInts(true)
    tables[tableName] = sorted(statement.all().map((row) => comparable(row)))
  }
  return tables
}

/** One spelling of values that SQLite and PostgreSQL write differently. */
function comparable(row: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(row)
      .map(([name, value]) => [name, spelled(name, value)] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  )
}

function spelled(name: string, value: unknown): unknown {
  if (value instanceof Uint8Array) {
    const hex = Buffer.from(value).toString('hex')
    return name === 'data' ? hex : hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
  }
  if (typeof value === 'string' && value.startsWith('\\x')) return value.slice(2)
  if (typeof value === 'boolean') return Number(value)
  if (typeof value === 'bigint') return Number(value)
  if (name.endsWith('_at') && typeof value === 'string') return new Date(value).toISOString()
  if (name === 'tags') return typeof value === 'string' ? JSON.parse(value) : value
  if (name === 'amount') return value === null ? null : Number(value)
  return value
}

function sorted(rows: Record<string, unknown>[]): Record<string, unknown>[] {
  return rows.sort((a, b) => (String(a.id) < String(b.id) ? -1 : 1))
}

/** As PostgreSQL spells it, so that a row comes back as it was sent. */
export const someTime = '2026-01-01T00:00:00+00:00'

/** Opens and attaches. */
export async function ready<D extends Device>(device: D, user = 'ada'): Promise<D> {
  await device.client.open()
  const { status } = await device.client.attach(user)
  if (status !== 'connected') throw new Error(`attach: ${status}`)
  return device
}

export function addUser({ db }: Device, name: string, id: string = crypto.randomUUID()): string {
  db.prepare('INSERT INTO users VALUES (?, ?, ?, ?, ?)').run(id, name, `${name}@x`, someTime, someTime)
  return id
}

export function addPost(
  { db }: Device,
  author: string,
  title = 'a post',
  id: string = crypto.randomUUID(),
): string {
  db.prepare('INSERT INTO posts VALUES (?, ?, ?, ?, ?, ?)').run(id, title, 'text', author, someTime, someTime)
  return id
}

/** The same answer with another JSON body. */
// biome-ignore lint/suspicious/noExplicitAny: tests change answers of every shape
export async function changed(response: Response, change: (body: any) => void): Promise<Response> {
  const body = await response.json()
  change(body)
  return Response.json(body, { status: response.status })
}

/** Names of users on a device, sorted. */
export function userNames({ db }: Device): string[] {
  return db
    .prepare('SELECT name FROM users ORDER BY name')
    .all()
    .map(({ name }) => String(name))
}

/** How many bundles the server holds for a user. */
export async function bundleCount(database: TestDatabase, user = 'ada'): Promise<number> {
  const { rows } = await database.pool.query(
    'select count(*)::int as count from sync.bundle_log join sync.user_state using (user_pk) where user_id = $1',
    [user],
  )
  return rows[0].count
}
