import { z } from 'zod'
import { version } from '../node/package-file.ts'
import type { Route } from './route.ts'
import { components, errorBody, errorsBody, problem } from './schema/component.ts'

type Json = Record<string, unknown>

/** The base of every path of the document. */
export const apiBase = '/api/v1'

const problemContent = { 'application/problem+json': { schema: refTo(problem) } }
const withProblem = (schema: z.ZodType) => ({
  'application/json': { schema: refTo(schema) },
  ...problemContent,
})

const errorAnswers: Readonly<Record<number, Json>> = {
  400: { description: 'The request cannot be read.', content: problemContent },
  401: { description: 'No key, or none that is in force.', content: withProblem(errorBody) },
  403: { description: 'The key may not do this.', content: problemContent },
  404: { description: 'There is no such thing.', content: withProblem(errorBody) },
  409: { description: 'It contradicts how things are now.', content: problemContent },
  413: { description: 'The body is larger than 256 KiB.', content: problemContent },
  415: { description: 'The body is not JSON.', content: problemContent },
  422: { description: 'What was asked for is wrong; nothing was changed.', content: withProblem(errorsBody) },
  429: { description: 'Too many requests without a valid key from this address.', content: problemContent },
  500: { description: 'The node failed.', content: problemContent },
  503: { description: 'Not possible right now; see Retry-After.', content: problemContent },
}

/** What any route may answer with; with a body, also what is wrong with a body. */
const everywhere = [401, 403, 429, 500, 503]
const withBody = [400, 413, 415, 422]

/** The OpenAPI 3.1 document of the admin API, made from the schemas that check its requests. */
export function openApiDocument(routes: readonly Route[]): Json {
  const paths: Record<string, Json> = {}
  for (const route of routes) {
    paths[route.path] ??= {}
    paths[route.path]![route.method] = operation(route)
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Syncline admin API',
      version,
      license: { name: 'MIT', identifier: 'MIT' },
      description:
        'Relays, their state and their history. Every call needs a key: `Authorization: Bearer rlk_…`, or a request signed by an administrator (NIP-98).',
    },
    servers: [{ url: apiBase }],
    security: [{ key: [] }, { signature: [] }],
    tags: [...new Set(routes.map(({ tag }) => tag))].map((name) => ({ name })),
    paths,
    components: {
      securitySchemes: {
        key: { type: 'http', scheme: 'bearer', description: 'A key made with `syncline key create`.' },
        signature: {
          type: 'apiKey',
          in: 'header',
          name: 'Authorization',
          description: '`Nostr` and the base64 of a kind 27235 event (NIP-98) by one of `admin.pubkeys`.',
        },
      },
      schemas: componentSchemas(),
    },
  }
}

function operation(route: Route): Json {
  const { id, summary, tag, scope, query, body, bodyDocument, status, errors } = route
  const parameters = [...pathParameters(route.path), ...(query === undefined ? [] : queryParameters(query))]
  const failures = new Set([
    ...everywhere,
    ...(query === undefined ? [] : [422]),
    ...(body === undefined ? [] : withBody),
    ...errors,
  ])
  return {
    operationId: id,
    summary,
    description: `Needs a key with the scope \`${scope}\`.`,
    tags: [tag],
    ...(parameters.length > 0 && { parameters }),
    ...(body !== undefined && {
      requestBody: {
        required: true,
        content: { 'application/json': { schema: jsonSchema(bodyDocument ?? body, 'input') } },
      },
    }),
    responses: {
      [status]: success(route),
      ...Object.fromEntries([...failures].sort().map((code) => [code, errorAnswers[code]])),
    },
  }
}

function success({ answer, stream }: Route): Json {
  if (answer === undefined) return { description: 'Done.' }
  const type = stream ? 'text/event-stream' : 'application/json'
  const schema = stream
    ? { type: 'string', contentSchema: jsonSchema(answer, 'output') }
    : jsonSchema(answer, 'output')
  return { description: stream ? 'Events as they happen.' : 'Done.', content: { [type]: { schema } } }
}

function pathParameters(path: string): Json[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string', minLength: 1 },
  }))
}

function queryParameters(query: z.ZodType): Json[] {
  const { properties = {}, required = [] } = jsonSchema(query, 'input') as {
    properties?: Record<string, Json>
    required?: string[]
  }
  return Object.entries(properties).map(([name, { description, ...schema }]) => ({
    name,
    in: 'query',
    ...(description !== undefined && { description }),
    ...(required.includes(name) && { required: true }),
    schema,
  }))
}

function componentSchemas(): Json {
  const { schemas } = z.toJSONSchema(components, { uri: (id) => `#/components/schemas/${id}`, io: 'input' })
  return Object.fromEntries(
    Object.entries(schemas)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([id, schema]) => [id, withoutHeader(schema as Json)]),
  )
}

/** The schema as JSON Schema; what has a name is referred to by it. */
function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): Json {
  if (components.has(schema)) return refTo(schema)
  const { $defs: _, ...rest } = withoutHeader(z.toJSONSchema(schema, { metadata: components, io }) as Json)
  return JSON.parse(JSON.stringify(rest).replaceAll('"#/$defs/', '"#/components/schemas/')) as Json
}

function refTo(schema: z.ZodType): Json {
  return { $ref: `#/components/schemas/${components.get(schema)!.id}` }
}

function withoutHeader({ $schema: _, $id: __, id: ___, ...schema }: Json): Json {
  return schema
}
