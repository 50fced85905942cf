import type { IncomingMessage, ServerResponse } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import type { Handler } from './handler.ts'
import { isSyncPath } from './sync-router.ts'

export type NodeListener = (request: IncomingMessage, response: ServerResponse) => Promise<void>

/** For `http.createServer`. A client that goes away aborts the request's signal. */
export function nodeListener(handler: Handler): NodeListener {
  return getRequestListener(handler, { overrideGlobalObjects: false })
}

export type ExpressMiddleware = (
  request: IncomingMessage,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => void

/**
 * For Express, Connect and what resembles them: takes `/sync…` and passes on everything else. Must come before middleware
 * that reads bodies.
 */
export function expressMiddleware(handler: Handler): ExpressMiddleware {
  const listener = nodeListener(handler)
  return (request, response, next) => {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname
    if (!isSyncPath(path)) return next()
    listener(request, response).catch(next)
  }
}
