import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer, type HttpBindings } from '@hono/node-server'
import type { Context } from 'hono'
import type { Config } from '../config/schema.ts'
import { systemClock } from '../kernel/clock.ts'
import type { Logger } from '../kernel/logger.ts'
import { SyncError } from '../kernel/sync-error.ts'
import type { Node } from '../node/node.ts'
import { Metrics } from '../telemetry/metrics.ts'
import { createAdminApp } from './admin-app.ts'
import { Callers } from './caller.ts'
import { addManagement } from './resource/management.ts'
import { addMetrics } from './resource/metrics.ts'
import { addProbes } from './resource/probes.ts'
import { adminRoutes } from './routes.ts'

export interface AdminServerOptions {
  readonly node: Node
  readonly config: Config['admin']
  readonly log: Logger
}

/** How long calls under way may take to end once the listener stops. */
const graceMs = 2_000

/** The admin listener: REST, probes and metrics over plain HTTP, for programs with a key. */
export class AdminServer implements AsyncDisposable {
  readonly #observing: DisposableStack
  readonly #server: Server
  readonly #stop: AbortController
  readonly #origins: string[]

  private constructor(server: Server, stop: AbortController, origins: string[], observing: DisposableStack) {
    this.#observing = observing
    this.#server = server
    this.#stop = stop
    this.#origins = origins
  }

  /** @throws SyncError `config/invalid` when it cannot listen there */
  static async listen({ node, config, log }: AdminServerOptions): Promise<AdminServer> {
    const stop = new AbortController()
    const origins: string[] = []
    const callers = new Callers({
      keys: node.keys,
      httpAuth: node.httpAuth,
      origins: () => origins,
      clock: systemClock,
    })
    const addressOf = ({ env }: Context) => node.clientAddress((env as HttpBindings).incoming)
    const metrics = new Metrics(() => node.metricsSnapshot())
    using observing = new DisposableStack()
    observing.use(node.rows.onStage((stage) => metrics.rowsStage(stage)))
    const app = createAdminApp({
      metrics,
      routes: adminRoutes(node),
      callers,
      audit: node.audit,
      log,
      allowedOrigins: config.allowedOrigins,
      addressOf,
      signal: stop.signal,
    })
    addProbes(app, node)
    addMetrics(app, { metrics, callers, access: config.metricsAccess, addressOf })
    addManagement(app, { node, callers, addressOf })
    const server = createAdaptorServer({ fetch: app.fetch }) as Server
    server.maxConnections = 256
    // A body of 256 KiB comes within this, or nobody needs it.
    server.requestTimeout = 30_000
    await bind(server, config)
    if (!/^(localhost|127\.[\d.]+|::1)$/.test(config.host))
      log.warn('the admin API is reachable from other machines, and speaks plain HTTP', { host: config.host })
    origins.push(...reachable(server.address() as AddressInfo, config.host), ...config.publicUrls)
    return new AdminServer(server, stop, origins, observing.move())
  }

  get url(): string {
    return this.#origins[0]!
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#observing[Symbol.dispose]()
    this.#stop.abort(new SyncError('peer/unreachable', 'the node is stopping'))
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#server.closeIdleConnections()
    const done = new AbortController()
    const grace = systemClock.sleep(graceMs, done.signal).then(
      () => this.#server.closeAllConnections(),
      () => {},
    )
    await closed
    done.abort()
    await grace
  }
}

async function bind(server: Server, { host, port }: Config['admin']): Promise<void> {
  server.listen({ host, port })
  try {
    await once(server, 'listening')
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    const advice = 'choose another with --admin-port, or do without by --admin-enabled false'
    throw new SyncError(
      'config/invalid',
      `the admin listener cannot listen on ${host}:${port}: ${why}; ${advice}`,
      {
        cause,
      },
    )
  }
}

/** What the listener is called on this machine. */
function reachable({ port }: AddressInfo, host: string): string[] {
  const named = `http://${host.includes(':') ? `[${host}]` : host}:${port}`
  return [named, `http://localhost:${port}`]
}
