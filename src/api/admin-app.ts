import { type Context, Hono } from 'hono'
import { cors } from 'hono/cors'
import type { z } from 'zod'
import { systemClock } from '../kernel/clock.ts'
import type { Logger } from '../kernel/logger.ts'
import type { AuditLog } from '../node/audit-log.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { Caller, Callers, SignedRequest } from './caller.ts'
import { errorResponse, HttpError, invalid, notFound, toHttpError } from './http-error.ts'
import { assertJson, parseJson, readBody } from './json-body.ts'
import { apiBase, openApiDocument } from './openapi-document.ts'
import type { Route } from './route.ts'

export interface AdminAppOptions {
  readonly routes: readonly Route[]
  readonly callers: Callers
  readonly audit: Pick<AuditLog, 'add'>
  readonly metrics: Pick<Metrics, 'adminRequest'>
  readonly log: Logger
  /** Web pages of other origins that may call; none: no CORS header at all. */
  readonly allowedOrigins: readonly string[]
  /** The address of the other end of a connection. */
  readonly addressOf: (context: Context) => string
  /** Aborts when the listener ends. */
  readonly signal: AbortSignal
}

/** The routes of the admin API as an HTTP application: who calls, with what, and what is answered. */
export function createAdminApp(options: AdminAppOptions): Hono {
  const { routes, allowedOrigins, log } = options
  const app = new Hono()
  if (allowedOrigins.length > 0) app.use(`${apiBase}/*`, cors({ origin: [...allowedOrigins], maxAge: 600 }))
  app.onError((error, context) => failed(error, context, log))
  app.notFound((context) => errorResponse(notFound(), context.req.header('accept')))
  const document = JSON.stringify(openApiDocument(routes))
  app.get(`${apiBase}/openapi.json`, (context) =>
    context.body(document, 200, { 'content-type': 'application/json' }),
  )
  for (const route of routes) {
    const path = apiBase + route.path.replaceAll(/\{(\w+)\}/g, ':$1')
    app.on(route.method.toUpperCase(), path, (context) => measured(route, context, options))
  }
  return app
}

async function measured(route: Route, context: Context, options: AdminAppOptions): Promise<Response> {
  const began = systemClock.monotonic()
  const ended = (status: number) =>
    options.metrics.adminRequest(route.id, status, (systemClock.monotonic() - began) / 1_000)
  try {
    const response = await answer(route, context, options)
    ended(response.status)
    return response
  } catch (error) {
    ended(toHttpError(error).status)
    throw error
  }
}

async function answer(route: Route, context: Context, options: AdminAppOptions): Promise<Response> {
  const request = await signedRequest(context, options.addressOf)
  const caller = await options.callers.identify(request, route.scope)
  if (route.method === 'get') return respond(route, context, request, caller, options.signal)
  const params: Record<string, unknown> = { ...context.req.param() }
  try {
    if (request.body.length > 0) params.body = bodyForAudit(request.body)
    const response = await respond(route, context, request, caller, options.signal)
    await options.audit.add({ actor: caller.actor, method: route.id, params, result: 'ok' })
    return response
  } catch (error) {
    const { code } = toHttpError(error)
    await options.audit.add({ actor: caller.actor, method: route.id, params, result: code })
    throw error
  }
}

/** What every door needs to know of a request. The body is read before anything else: a signature covers it. */
export async function signedRequest(
  context: Context,
  addressOf: (context: Context) => string,
): Promise<SignedRequest> {
  const { pathname, search } = new URL(context.req.url)
  return {
    authorization: context.req.header('authorization'),
    method: context.req.method,
    target: pathname + search,
    body: await readBody(context.req.raw),
    address: addressOf(context),
  }
}

async function respond(
  route: Route,
  context: Context,
  { body: bytes }: SignedRequest,
  caller: Caller,
  stopping: AbortSignal,
): Promise<Response> {
  const query = route.query && checked(route.query, context.req.query())
  const body = route.body && checked(route.body, jsonOf(context.req.raw, bytes))
  const signal = AbortSignal.any([context.req.raw.signal, stopping])
  const result = await route.handle({ params: context.req.param(), query, body, caller, signal })
  if (result instanceof Response) return result
  const headers = { 'cache-control': 'no-store' }
  if (route.answer === undefined) return new Response(null, { status: route.status, headers })
  return Response.json(result, { status: route.status, headers })
}

function jsonOf(request: Request, bytes: Uint8Array): unknown {
  assertJson(request)
  return parseJson(bytes)
}

/**
 * The value as its schema wants it.
 *
 * @throws HttpError 400 when it has not even the right shape, or the root key of relay.rb's envelope is missing; else 422
 */
function checked(schema: z.ZodType, value: unknown): unknown {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const shape = result.error.issues.find(
    (issue) => issue.code === 'invalid_type' && issue.path.length <= depthOf(issue.expected),
  )
  if (shape !== undefined) throw new HttpError(400, `${shape.path.join('.') || 'the body'}: ${shape.message}`)
  throw invalid(result.error.issues.flatMap(sentences))
}

/** A root key that holds no object is as if it were missing; any other wrong value is one of an attribute. */
const depthOf = (expected: string): number => (expected === 'object' || expected === 'record' ? 1 : 0)

function sentences(issue: z.core.$ZodIssue): string[] {
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => `${humanized(key)} is not a known attribute`)
  const name = issue.path.filter((part) => typeof part === 'string').at(-1) ?? 'request'
  return [`${humanized(String(name))}: ${issue.message}`]
}

/** The way Rails names an attribute in a message. */
function humanized(name: string): string {
  const words = name.replaceAll('_', ' ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}

function bodyForAudit(bytes: Uint8Array): unknown {
  try {
    return parseJson(bytes)
  } catch {
    return `${bytes.length} bytes that are not JSON`
  }
}

function failed(error: unknown, context: Context, log: Logger): Response {
  const known = toHttpError(error)
  if (known.status === 500)
    log.error('an admin call failed', { method: context.req.method, path: context.req.path, error })
  return errorResponse(known, context.req.header('accept'))
}
