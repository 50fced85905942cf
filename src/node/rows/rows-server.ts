import { readFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Hono } from 'hono'
import { cors } from 'hono/cors'
import type { Config } from '../../config/schema.ts'
import type { Clock } from '../../kernel/clock.ts'
import type { Logger } from '../../kernel/logger.ts'
import { SyncError } from '../../kernel/sync-error.ts'
import {
  createSyncRouter,
  createSyncService,
  type NodeListener,
  nodeListener,
  RowsError,
  type ServiceConfig,
  type StageMetrics,
  type SyncService,
  sourceIdHeader,
} from '../../planes/rows/server/index.ts'
import { rowsAuthenticator } from './rows-authenticator.ts'
import type { RowsStatus } from './rows-control.ts'
import type { RowsDatabase } from './rows-database.ts'
import type { RowsDefinition } from './rows-definition.ts'

export interface RowsServerOptions {
  readonly config: Config
  readonly definition: RowsDefinition
  readonly database: RowsDatabase
  readonly directory: string
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: StageMetrics
}

/** How long operations in flight may take to end when the node stops. */
const drainMs = 5_000
const sweepMs = 5 * 60_000

/** The rows server as a node runs it: `/sync` for the public listener, news between processes, the sweep. */
export class RowsServer implements AsyncDisposable {
  readonly #service: SyncService
  readonly #listener: NodeListener
  readonly #place: string
  readonly #log: Logger
  readonly #stop = new AbortController()
  #background: Promise<unknown> = Promise.resolve()

  private constructor(service: SyncService, listener: NodeListener, place: string, log: Logger) {
    this.#service = service
    this.#listener = listener
    this.#place = place
    this.#log = log
  }

  /** @throws SyncError `config/invalid` naming what of the settings, the schema file or the tables is wrong */
  static async open(options: RowsServerOptions): Promise<RowsServer> {
    const { config, definition, database, directory, clock, log, metrics } = options
    const authenticate = await rowsAuthenticator({ config, directory, clock, log })
    const { pool, place } = database
    if (definition.setup !== undefined) await setUp(definition.setup, database)
    const service = createSyncService({
      pool,
      config: serviceConfig(definition),
      logger: log,
      metrics,
      clock,
    })
    await service.bootstrap().catch((cause: unknown) => {
      if (!(cause instanceof RowsError)) throw cause
      throw new SyncError('config/invalid', `the tables in ${place} cannot be served: ${cause.message}`, {
        cause,
      })
    })
    const handler = createSyncRouter(service, { authenticate, logger: log, clock })
    const app = new Hono()
    const { allowedOrigins } = config.rows
    const allowHeaders = ['Authorization', 'Content-Type', sourceIdHeader]
    if (allowedOrigins.length > 0) app.use(cors({ origin: [...allowedOrigins], maxAge: 600, allowHeaders }))
    app.all('*', ({ req }) => handler(req.raw))
    const listener = nodeListener(async (request) => app.fetch(request))
    const server = new RowsServer(service, listener, place, log)
    server.#work(definition, clock)
    return server
  }

  /** For the public listener; `/syncx`, which anybody may ask, is not for it. */
  handle(request: IncomingMessage, response: ServerResponse): boolean {
    if (!/^\/sync(?:[/?]|$)/.test(request.url ?? '')) return false
    this.#listener(request, response).catch((error: unknown) => {
      this.#log.error('a rows request failed', { error: String(error) })
      response.destroy()
    })
    return true
  }

  /** Never rejects. */
  async status(): Promise<RowsStatus> {
    const tables = this.#service.capabilities().registered_tables
    const common = { database: this.#place, tables }
    try {
      const status = await this.#service.status()
      const healthy = status.status === 'healthy'
      return {
        ...common,
        healthy,
        ...(!healthy && { problem: problemOf(status) }),
        operationsInFlight: status.inflight_operations,
        history: {
          bundles: status.committed_bundle_count,
          bundleBytes: status.committed_bundle_bytes,
          pushReplays: status.accepted_push_replay_count,
          refusedWrites: status.rejected_registered_write_count,
          prunedRequests: status.history_pruned_error_count,
        },
      }
    } catch (error) {
      const operationsInFlight = this.#service.lifecycle.inFlight
      const why = error instanceof Error ? error.message || String(error) : String(error)
      const problem = `the database does not answer: ${why}`
      return { ...common, healthy: false, problem, operationsInFlight, history: undefined }
    }
  }

  /** Refuses what comes, waits for what is under way, ends the streams. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#service.close({ signal: AbortSignal.timeout(drainMs) }).catch((error: unknown) => {
      this.#log.warn('rows operations were still under way when the node stopped', { error: String(error) })
    })
    this.#stop.abort(new SyncError('peer/unreachable', 'the node is stopping'))
    await this.#background
  }

  #work({ watch }: RowsDefinition, clock: Clock): void {
    const { signal } = this.#stop
    const news = watch ? this.#service.runBundleChangeListener({ signal }) : Promise.resolve()
    const sweeping = async () => {
      for (;;) {
        await clock.sleep(sweepMs, signal)
        await this.#service
          .sweep()
          .catch((error: unknown) =>
            this.#log.warn('the sweep of rows sessions failed', { error: String(error) }),
          )
      }
    }
    this.#background = Promise.all([
      news.catch((error: unknown) => this.#log.error('rows news stopped', { error: String(error) })),
      sweeping().catch(() => {}),
    ])
  }
}

function serviceConfig(definition: RowsDefinition): ServiceConfig {
  const { appName, schemaVersion, tables, watch, ignoreUnknownColumns, limits } = definition
  return {
    ...limits,
    appName,
    maxSupportedSchemaVersion: schemaVersion,
    registeredTables: tables.map(({ schema, table, key }) => ({ schema, table, syncKeyColumns: [key] })),
    bundleChangeWatch: { enabled: watch },
    ignoreUnknownColumns,
  }
}

async function setUp(file: string, { pool, place }: RowsDatabase): Promise<void> {
  const sql = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new SyncError('config/invalid', `setup: ${file} cannot be read: ${String(cause)}`, { cause })
  })
  // Without parameters, the whole text is one transaction unless it says otherwise itself.
  await pool.query(sql).catch((cause: unknown) => {
    const why = cause instanceof Error ? cause.message : String(cause)
    const message = `setup: ${file} failed in ${place}: ${why}; it is run at each start, so it must bear repetition`
    throw new SyncError('config/invalid', message, { cause })
  })
}

function problemOf(status: Awaited<ReturnType<SyncService['status']>>): string {
  return status.user_state_retention_floor_ahead_count > 0
    ? `the history of ${status.user_state_retention_floor_ahead_count} users contradicts itself`
    : `it is ${status.lifecycle}`
}
