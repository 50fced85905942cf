import { apiBase, openApiDocument } from './openapi-document.ts'
import type { Route } from './route.ts'

interface Schema {
  readonly description?: string
  readonly type?: string | readonly string[]
  readonly enum?: readonly unknown[]
  readonly $ref?: string
  readonly items?: Schema
  readonly anyOf?: readonly Schema[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly format?: string
}

interface Parameter {
  readonly name: string
  readonly in: string
  readonly description?: string
}

interface Operation {
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> }
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema: Schema }>> }>
  >
}

/** The text of docs/reference/api.md. A test compares the two, so the page cannot lag behind the routes. */
export function apiReference(routes: readonly Route[]): string {
  const document = openApiDocument(routes) as unknown as {
    paths: Record<string, Record<string, Operation>>
    components: { schemas: Record<string, Schema> }
  }
  const tags = [...new Set(routes.map(({ tag }) => tag))]
  return `# Admin API

<!-- Generated from src/api. After a change there: UPDATE_REFERENCE=1 npm test -->

On the admin listener, \`http://127.0.0.1:7780\` by default; the node itself serves the OpenAPI 3.1 document at
\`${apiBase}/openapi.json\`. How to run it, and who may call: [Operations](../operations/README.md). A typed client is
\`syncline/sdk\`.

Every call needs \`Authorization: Bearer rlk_…\` with a key made by \`syncline key create\`, or is signed by an
administrator (NIP-98). Bodies are JSON of at most 256 KiB. A relay is named by its id, or by its URL, percent-encoded.

Errors: 401, 404 and 422 have relay.rb's bodies, \`{"error": "…"}\` and \`{"errors": ["…"]}\`; all others, and these too for
who accepts it, are \`application/problem+json\` with a stable \`code\`
([decision 0013](../decisions/0013-two-forms-of-errors.md)). 400: not readable, 403: the key may not, 413: too large, 415: not
JSON, 422: wrong, 429: too many calls without a valid key, 503: not now.

${tags.map((tag) => section(tag, routes, document.paths)).join('\n')}
## Without a key

| | |
|---|---|
| \`GET /up\`, \`GET /health/live\` | 200 while the process answers |
| \`GET /health/startup\`, \`GET /health/ready\` | 200 once the store is open and the relay listens, else 503 |
| \`GET /metrics\` | metrics in the form of Prometheus, see [Metrics](metrics.md); with \`admin.metricsAccess: key\` it needs one |
| \`GET ${apiBase}/openapi.json\` | the OpenAPI document |

## POST /management

Parrhesia's interface: \`{"method": "…", "params": {…}}\`, signed by NIP-98 by one of \`admin.pubkeys\`; answers
\`{"ok": true, "result": …}\` or \`{"ok": false, "error": "…"}\`. \`supportedmethods\` lists the methods.

## Types

${Object.entries(document.components.schemas)
  .map(([name, schema]) => type(name, schema))
  .join('\n')}`
}

function section(
  tag: string,
  routes: readonly Route[],
  paths: Record<string, Record<string, Operation>>,
): string {
  const rows = routes
    .filter((route) => route.tag === tag)
    .map((route) => row(route, paths[route.path]![route.method]!))
  return `## ${tag}

| Call | | Scope | Takes | Answers |
|---|---|---|---|---|
${rows.join('\n')}
`
}

function row({ method, path, summary, scope, status }: Route, operation: Operation): string {
  const query = (operation.parameters ?? [])
    .filter((one) => one.in === 'query')
    .map(({ name }) => `\`${name}\``)
  const body = operation.requestBody?.content['application/json']?.schema
  const takes = body === undefined ? query.join(', ') : typeText(body)
  const [answer] = Object.values(operation.responses[status]?.content ?? {})
  const answers = answer === undefined ? '' : ` ${typeText(answer.schema)}`
  return `| \`${method.toUpperCase()} ${path}\` | ${summary} | ${scope} | ${takes} | ${status}${answers} |`
}

function type(name: string, schema: Schema): string {
  const fields = Object.entries(schema.properties ?? {}).map(
    ([field, one]) => `| \`${field}\` | ${typeText(one)} | ${one.description ?? ''} |`,
  )
  return `### ${name}

${schema.description ?? ''}

| Field | Type | |
|---|---|---|
${fields.join('\n')}
`
}

/** A schema in a few words: `Relay[]`, `text or null`. */
function typeText(schema: Schema): string {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.split('/').at(-1)!
    return `[${name}](#${name.toLowerCase()})`
  }
  if (schema.anyOf !== undefined) return schema.anyOf.map(typeText).join(' or ')
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${String(value)}\``).join(', ')
  if (schema.type === 'array') return `list of ${typeText(schema.items ?? {})}`
  if (schema.type === 'object' && schema.properties !== undefined)
    return `\`{${Object.keys(schema.properties).join(', ')}}\``
  if (schema.format === 'date-time') return 'time'
  return String(schema.type ?? 'anything')
}
