import {
  createSyncRouter,
  createSyncService,
  type Handler,
  type ServiceConfig,
  type SyncRouterConfig,
  type SyncService,
  type SyncServiceOptions,
} from '../../src/planes/rows/server/index.ts'
import type { PostgresServer, TestDatabase } from './postgres-server.ts'
import { businessSchema, businessTables } from './rows-business.ts'

/** A service on a database with the example business, and its routes without a network in between. */
export interface RowsServer extends AsyncDisposable {
  readonly database: TestDatabase
  readonly service: SyncService
  readonly handler: Handler
  device(userId: string, sourceId: string): Device
}

/** One client database, as far as HTTP is concerned. */
export interface Device {
  readonly userId: string
  readonly sourceId: string
  get(path: string): Promise<Answer>
  post(path: string, body?: unknown): Promise<Answer>
  delete(path: string): Promise<Answer>
  send(request: Request): Promise<Response>
}

export interface Answer {
  readonly status: number
  /** The body as JSON; undefined if it is empty. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  readonly body: any
  readonly text: string
}

export interface RowsServerOptions extends Omit<SyncServiceOptions, 'pool' | 'config'> {
  readonly config?: ServiceConfig
  readonly router?: Omit<SyncRouterConfig, 'authenticate'>
}

/** On a fresh database of `server`. */
export async function rowsServer(
  server: PostgresServer,
  options: RowsServerOptions = {},
): Promise<RowsServer> {
  return openRowsServer(await server.database(prepareBusiness), options)
}

/** The business tables with everything that a first start does to a database. */
async function prepareBusiness({ pool }: TestDatabase): Promise<void> {
  await pool.query(businessSchema)
  await createSyncService({ pool, config: { registeredTables: businessTables } }).bootstrap()
}

/** On a database that has the business tables already; disposing of it drops the database. */
export async function openRowsServer(
  database: TestDatabase,
  options: RowsServerOptions = {},
): Promise<RowsServer> {
  const { config, router, ...rest } = options
  const service = createSyncService({
    pool: database.pool,
    config: { registeredTables: businessTables, ...config },
    ...rest,
  })
  await service.bootstrap()
  const handler = createSyncRouter(service, {
    authenticate: (request) => request.headers.get('authorization')?.replace(/^Bearer /, '') ?? '',
    ...router,
  })
  return {
    database,
    service,
    handler,
    device: (userId, sourceId) => deviceOf(handler, userId, sourceId),
    async [Symbol.asyncDispose]() {
      await service.close()
      await database[Symbol.asyncDispose]()
    },
  }
}

function deviceOf(handler: Handler, userId: string, sourceId: string): Device {
  const send = (request: Request) => {
    request.headers.set('authorization', `Bearer ${userId}`)
    if (sourceId !== '') request.headers.set('Oversync-Source-ID', sourceId)
    return handler(request)
  }
  const call = async (method: string, path: string, body?: unknown): Promise<Answer> => {
    const content = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
    const request = new Request(`http://rows.test${path}`, {
      method,
      ...(content === undefined ? {} : { body: content }),
    })
    const response = await send(request)
    const text = await response.text()
    return { status: response.status, text, body: text === '' ? undefined : JSON.parse(text) }
  }
  return {
    userId,
    sourceId,
    send,
    get: (path) => call('GET', path),
    post: (path, body) => call('POST', path, body),
    delete: (path) => call('DELETE', path),
  }
}

/** A row of a push, by default an INSERT of something that was never there. */
export interface PushedRow {
  readonly table: string
  readonly key: string
  readonly op?: 'INSERT' | 'UPDATE' | 'DELETE'
  readonly base?: number
  readonly payload?: Readonly<Record<string, unknown>>
}

export function wireRow({ table, key, op = 'INSERT', base = 0, payload }: PushedRow): object {
  return {
    schema: 'business',
    table,
    key: { id: key },
    op,
    base_row_version: base,
    ...(op === 'DELETE' ? {} : { payload: { id: key, ...payload } }),
  }
}

/** Stages rows in chunks of `chunkRows`, and leaves the commit to the caller. */
export async function stage(
  device: Device,
  sourceBundleId: number,
  rows: readonly PushedRow[],
  {
    chunkRows = 1_000,
    initializationId,
  }: { readonly chunkRows?: number; readonly initializationId?: string } = {},
): Promise<string> {
  const created = await device.post('/sync/push-sessions', {
    source_bundle_id: sourceBundleId,
    planned_row_count: rows.length,
    ...(initializationId === undefined ? {} : { initialization_id: initializationId }),
  })
  expectOk(created)
  const id = created.body.push_id as string
  for (let start = 0; start < rows.length; start += chunkRows)
    expectOk(
      await device.post(`/sync/push-sessions/${id}/chunks`, {
        start_row_ordinal: start,
        rows: rows.slice(start, start + chunkRows).map(wireRow),
      }),
    )
  return id
}

/** Pushes rows as one bundle, and returns the answer to the commit. */
export async function push(
  device: Device,
  sourceBundleId: number,
  rows: readonly PushedRow[],
): Promise<Answer> {
  return device.post(`/sync/push-sessions/${await stage(device, sourceBundleId, rows)}/commit`)
}

/** Connects a device that has no rows of its own. */
export async function connected(device: Device): Promise<Device> {
  expectOk(await device.post('/sync/connect', { has_local_pending_rows: false }))
  return device
}

export function expectOk(answer: Answer): Answer {
  if (answer.status !== 200) throw new Error(`answer ${answer.status}: ${answer.text}`)
  return answer
}
