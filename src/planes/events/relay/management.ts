import type { IncomingMessage, ServerResponse } from 'node:http'
import * as z from 'zod'
import type { Logger } from '../../../kernel/logger.ts'
import type { HttpAuth } from '../http-auth.ts'
import { anyOrigin } from './http.ts'
import type { ManagementMethods } from './management-methods.ts'

export interface ManagementCall {
  /** `nostr <pubkey>` */
  readonly actor: string
  readonly method: string
  readonly params: Readonly<Record<string, unknown>>
  /** `ok`, or why not. */
  readonly result: string
}

export interface ManagementOptions {
  /** Who may: the relay's administrators, by NIP-98. */
  readonly auth: Pick<HttpAuth, 'check'>
  /** Keeps a record of the call; awaited before it is answered. */
  readonly audit: (call: ManagementCall) => Promise<void>
}

interface Context extends ManagementOptions {
  readonly methods: ManagementMethods
  readonly log: Logger
  /** The addresses the relay is known by. */
  urls(): readonly string[]
}

const contentType = 'application/nostr+json+rpc'
const maxBodyBytes = 65_536
const callSchema = z.object({ method: z.string().max(100), params: z.array(z.unknown()).default([]) })

type Answer = readonly [status: number, body: { readonly result: unknown } | { readonly error: string }]

/** Answers the calls of NIP-86: POST on the relay's own address, signed by one of its administrators. */
export class Management {
  readonly #context: Context

  constructor(context: Context) {
    this.#context = context
  }

  /** Never rejects. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let answer: Answer
    try {
      answer = await this.#answer(request)
    } catch (error) {
      this.#context.log.error('a management call failed', { error })
      answer = [500, { error: 'the relay could not do it' }]
    }
    if (response.destroyed) return
    const [status, body] = answer
    const headers = {
      ...anyOrigin,
      'Content-Type': contentType,
      // What was not read of the request cannot be told from the next one.
      ...(request.complete ? {} : { Connection: 'close' }),
      ...(status === 401 ? { 'WWW-Authenticate': 'Nostr' } : {}),
    }
    response.writeHead(status, headers).end(JSON.stringify(body))
  }

  async #answer(request: IncomingMessage): Promise<Answer> {
    if (request.headers['content-type']?.split(';', 1)[0]?.trim() !== contentType)
      return [415, { error: `a call has the content type ${contentType}` }]
    const body = await readBody(request)
    if (body === undefined) return [413, { error: `a call has at most ${maxBodyBytes} bytes` }]
    const { auth, urls } = this.#context
    const { search } = new URL(request.url ?? '/', 'http://relay.invalid')
    const who = await auth.check({
      authorization: request.headers.authorization,
      method: request.method ?? 'POST',
      urls: urls().map((url) => new URL(search, url).href),
      body,
    })
    if (!who.ok) return [who.status, { error: `${who.error}: ${who.message}` }]
    const call = callSchema.safeParse(parseJson(body))
    if (!call.success) return [400, { error: 'a call is {"method": "…", "params": […]}' }]
    return await this.#call(`nostr ${who.pubkey}`, call.data)
  }

  async #call(actor: string, { method, params }: z.infer<typeof callSchema>): Promise<Answer> {
    const { methods, audit } = this.#context
    const record = (result: string) => audit({ actor, method, params: { params }, result })
    const known = methods.get(method)
    if (known === undefined) {
      await record('unknown method')
      return [400, { error: `there is no method ${method}; supportedmethods names those there are` }]
    }
    const checked = known.params.safeParse(params)
    if (!checked.success) {
      await record('invalid params')
      const [issue] = checked.error.issues
      return [400, { error: `params[${issue?.path.join('.') ?? ''}]: ${issue?.message ?? 'not understood'}` }]
    }
    try {
      const result = await known.run(checked.data)
      await record('ok')
      return [200, { result }]
    } catch (error) {
      await record('failed')
      throw error
    }
  }
}

/** Undefined: too large. */
async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    bytes += (chunk as Buffer).length
    if (bytes > maxBodyBytes) return undefined
    chunks.push(chunk as Buffer)
  }
  return Buffer.concat(chunks)
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString())
  } catch {
    return undefined
  }
}
