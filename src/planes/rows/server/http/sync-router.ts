import { silentLogger } from '../../../../kernel/logger.ts'
import { RowsError } from '../rows-error.ts'
import type { SyncService } from '../sync-service.ts'
import { type Authenticator, actorMiddleware } from './actor-middleware.ts'
import { errorAnswer } from './error-answer.ts'
import type { Handler } from './handler.ts'
import { createSyncHandlers, type SyncHandlers, type SyncHandlersConfig } from './sync-handlers.ts'

export interface SyncRouterConfig extends SyncHandlersConfig {
  readonly authenticate: Authenticator
  /** Where the routes are mounted, without a slash at the end; empty by default. */
  readonly basePath?: string
}

/** By method, or one for all: that answers other methods itself. */
type Route = readonly [pattern: RegExp, Handler | Readonly<Record<string, Handler>>]

/**
 * All routes (§2.4) behind one `Request → Response`. Health and status need no authentication; what is not there is answered
 * with 404 `not_found`.
 */
export function createSyncRouter(service: SyncService, config: SyncRouterConfig): Handler {
  const { authenticate, basePath = '', logger = silentLogger } = config
  const handlers = createSyncHandlers(service, config)
  const authenticated = actorMiddleware({ authenticate, logger })
  const routes = routesOf(handlers, authenticated)
  return async (request) => {
    const { pathname } = new URL(request.url)
    const path = pathname.startsWith(basePath) ? pathname.slice(basePath.length) : ''
    const route = routes.find(([pattern]) => pattern.test(path))
    if (route === undefined)
      return errorAnswer(new RowsError('not_found', 'there is no such operation'), 'not_found', logger)
    const [, target] = route
    if (typeof target === 'function') return target(request)
    // Whichever of them it is given, a handler refuses a method that is not its own.
    return (target[request.method] ?? Object.values(target)[0]!)(request)
  }
}

/** Whether `createSyncRouter` has a route for the path. */
export function isSyncPath(path: string): boolean {
  return /^\/syncx?(?:\/|$)/.test(path)
}

function routesOf(handlers: SyncHandlers, authenticated: (next: Handler) => Handler): readonly Route[] {
  const of = (handler: Handler) => authenticated(handler)
  return [
    [/^\/sync\/connect$/, of(handlers.connect)],
    [/^\/sync\/push-sessions$/, of(handlers.createPushSession)],
    [/^\/sync\/push-sessions\/[^/]+\/chunks$/, of(handlers.pushSessionChunk)],
    [/^\/sync\/push-sessions\/[^/]+\/commit$/, of(handlers.commitPushSession)],
    [/^\/sync\/push-sessions\/[^/]+$/, of(handlers.deletePushSession)],
    [/^\/sync\/committed-bundles\/[^/]+\/rows$/, of(handlers.committedBundleRows)],
    [/^\/sync\/pull$/, of(handlers.pull)],
    [/^\/sync\/snapshot-sessions$/, of(handlers.createSnapshotSession)],
    [
      /^\/sync\/snapshot-sessions\/[^/]+$/,
      { GET: of(handlers.snapshotChunk), DELETE: of(handlers.deleteSnapshotSession) },
    ],
    [/^\/sync\/capabilities$/, of(handlers.capabilities)],
    [/^\/sync\/watch$/, of(handlers.watch)],
    [/^\/syncx\/health$/, handlers.health],
    [/^\/syncx\/status$/, handlers.status],
  ]
}
