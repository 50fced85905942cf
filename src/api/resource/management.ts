import type { Context, Hono } from 'hono'
import { z } from 'zod'
import { signedRequest } from '../admin-app.ts'
import type { Callers } from '../caller.ts'
import { HttpError, toHttpError } from '../http-error.ts'
import { parseJson } from '../json-body.ts'
import { callMethod, type ManagedNode, type ManagementResult } from '../management-methods.ts'

export interface ManagementOptions {
  readonly node: ManagedNode
  readonly callers: Callers
  readonly addressOf: (context: Context) => string
}

const payload = z.strictObject({
  method: z.string().max(64),
  params: z.union([z.record(z.string(), z.unknown()), z.array(z.unknown())]).default({}),
})

/**
 * `POST /management`: Parrhesia's admin interface, one method per request, signed by NIP-98. A right signature says who
 * somebody is; only the keys in `admin.pubkeys` may do anything. Every call of theirs is written down.
 */
export function addManagement(app: Hono, { node, callers, addressOf }: ManagementOptions): void {
  app.post('/management', async (context) => {
    const request = await signedRequest(context, addressOf)
    const auth = await callers.check(request)
    if (!auth.ok) {
      const error = callers.refused(request.address, new HttpError(auth.status, auth.message))
      return reply(error.status, auth.error, error.retryAfterSeconds)
    }
    const call = payload.safeParse(parsed(request.body))
    const result: ManagementResult = call.success
      ? await callMethod(node, call.data).catch(refusal)
      : { ok: false, error: 'invalid-payload', status: 400 }
    const { method, params } = call.success ? call.data : { method: 'invalid', params: {} }
    await node.audit.add({
      actor: `nostr ${auth.pubkey}`,
      method,
      params: Array.isArray(params) ? { params } : params,
      result: result.ok ? 'ok' : result.error,
    })
    if (result.ok) return Response.json(result)
    const { status, ...body } = result
    return Response.json(body, { status })
  })
}

function parsed(body: Uint8Array<ArrayBuffer>): unknown {
  try {
    return parseJson(body)
  } catch {
    return undefined
  }
}

/** What a method throws on purpose is about its parameters; everything else is for the listener to answer. */
function refusal(error: unknown): ManagementResult {
  const { status, message } = toHttpError(error)
  if (status !== 422) throw error
  return { ok: false, error: 'invalid-params', status: 400, details: [message] }
}

function reply(status: number, error: string, retryAfterSeconds: number | undefined): Response {
  const headers = new Headers({ 'content-type': 'application/json' })
  if (retryAfterSeconds !== undefined) headers.set('retry-after', String(retryAfterSeconds))
  return new Response(JSON.stringify({ ok: false, error }), { status, headers })
}
