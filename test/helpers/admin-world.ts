import assert from 'node:assert/strict'
import { z } from 'zod'
import { AdminServer } from '../../src/api/admin-server.ts'
import { loadConfig } from '../../src/config/load.ts'
import { silentLogger } from '../../src/kernel/logger.ts'
import type { KeyScope } from '../../src/node/api-key.ts'
import { openNode } from '../../src/node/create-node.ts'
import type { Node } from '../../src/node/node.ts'
import { temporaryFolder } from './temporary-folder.ts'

type Json = Record<string, unknown>

export interface AdminAnswer {
  readonly status: number
  readonly headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: a test reads what came, and fails where it is something else
  readonly body: any
}

export interface AdminRequest {
  /** A token, or undefined for the world's own admin key; null sends no Authorization header. */
  readonly token?: string | null
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

export interface AdminWorld extends AsyncDisposable {
  readonly node: Node
  readonly url: string
  readonly token: string
  key(...scopes: KeyScope[]): Promise<string>
  /** Calls a documented operation and checks the answer against the document the listener itself serves. */
  call(method: string, path: string, request?: AdminRequest): Promise<AdminAnswer>
  /** `get /relays` of every operation called so far, with the statuses that came. */
  readonly called: ReadonlyMap<string, ReadonlySet<number>>
  readonly document: Json
}

/** A node of its own with relay and admin listener on free ports, within this process. */
export async function adminWorld(flags: Readonly<Record<string, unknown>> = {}): Promise<AdminWorld> {
  await using opening = new AsyncDisposableStack()
  const folder = opening.use(await temporaryFolder())
  const ports = { port: 0, adminPort: 0 }
  const config = await loadConfig({ flags: { data: folder.join('node'), ...ports, ...flags } })
  const node = opening.use(await openNode(config, { log: silentLogger }))
  await node.listen()
  const admin = opening.use(await AdminServer.listen({ node, config: config.admin, log: silentLogger }))
  const { token } = await node.keys.create({ name: 'test', scopes: ['admin'] })
  const document = (await (await fetch(`${admin.url}/api/v1/openapi.json`)).json()) as Json
  const called = new Map<string, Set<number>>()
  const resources = opening.move()
  return {
    node,
    url: admin.url,
    token,
    document,
    called,
    key: async (...scopes) => (await node.keys.create({ name: scopes.join(), scopes })).token,
    call: async (method, path, { token: given = token, body, headers = {} } = {}) => {
      const response = await fetch(`${admin.url}/api/v1${path}`, {
        method: method.toUpperCase(),
        headers: {
          ...(given !== null && { authorization: `Bearer ${given}` }),
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...headers,
        },
        body: body === undefined || typeof body === 'string' ? (body ?? null) : JSON.stringify(body),
      })
      const operation = operationOf(document, method, path)
      const statuses = called.get(operation) ?? new Set()
      called.set(operation, statuses.add(response.status))
      const answer = { status: response.status, headers: response.headers, body: await bodyOf(response) }
      assertDocumented(document, operation, answer)
      return answer
    },
    [Symbol.asyncDispose]: () => resources[Symbol.asyncDispose](),
  }
}

async function bodyOf(response: Response): Promise<unknown> {
  const text = await response.text()
  return /json/.test(response.headers.get('content-type') ?? '') ? JSON.parse(text) : text
}

/** `get /relays/{id}` for the path of a request. */
function operationOf(document: Json, method: string, path: string): string {
  const [bare = ''] = path.split('?')
  const known = Object.keys(document.paths as Json).find((template) =>
    new RegExp(`^${template.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(bare),
  )
  assert.ok(known !== undefined, `${path} is not documented`)
  return `${method} ${known}`
}

function assertDocumented(document: Json, operation: string, { status, headers, body }: AdminAnswer): void {
  const [method = '', path = ''] = operation.split(' ')
  const { responses } = (document.paths as Record<string, Record<string, Json>>)[path]![method]!
  const described = (responses as Record<string, Json>)[status]
  assert.ok(described !== undefined, `${operation} answered ${status}, which is not documented`)
  const content = described.content as Record<string, Json> | undefined
  if (content === undefined) return assert.equal(body, '', `${operation} ${status} has no body`)
  const type = headers.get('content-type') ?? ''
  const media = content[type]
  assert.ok(media !== undefined, `${operation} ${status} answered ${type}, which is not documented`)
  const { schemas } = document.components as { schemas: Json }
  const text = JSON.stringify({ ...(media.schema as Json), $defs: schemas })
  const schema = JSON.parse(text.replaceAll('#/components/schemas/', '#/$defs/')) as Json
  const result = z.fromJSONSchema(schema).safeParse(body)
  assert.ok(result.success, `${operation} ${status}: ${JSON.stringify(body)}\n${result.error?.message}`)
}
