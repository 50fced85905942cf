import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { isNode, LineCounter, parseDocument } from 'yaml'
import { z } from 'zod'
import { SyncError } from '../../kernel/sync-error.ts'

const name = z.string().trim().min(1).max(63)
const positive = z.int().min(1)
const limits = [
  'defaultRowsPerPushChunk',
  'maxRowsPerPushChunk',
  'pushSessionTtlMs',
  'initializationLeaseTtlMs',
  'defaultRowsPerCommittedBundleChunk',
  'maxRowsPerCommittedBundleChunk',
  'defaultRowsPerSnapshotChunk',
  'maxRowsPerSnapshotChunk',
  'snapshotSessionTtlMs',
  'maxRowsPerSnapshotSession',
  'maxBytesPerSnapshotSession',
  'maxRowsPerBundle',
  'maxBytesPerBundle',
  'retainedBundlesPerUser',
  'retentionPruneBatchSize',
  'uploadLockTimeoutMs',
  'maxRequestBytes',
  'maxPullPageBytes',
  'maxPushSessionsPerUser',
  'maxSnapshotSessionsPerUser',
  'maxWatchersPerUser',
  'maxWaitingPerUser',
  'initializeEmptyDelayMs',
] as const

type Limit = (typeof limits)[number]
type LimitShape = Record<Limit, z.ZodExactOptional<z.ZodInt>>

const limitsSchema = z.strictObject(
  Object.fromEntries(limits.map((limit) => [limit, positive.exactOptional()])) as LimitShape,
)

/** What a schema file says: the tables a node serves, and within which limits. */
const rowsDefinitionSchema = z.strictObject({
  /** Told to clients. */
  appName: z.string().max(200).default(''),
  /** The application's own number, told to clients. */
  schemaVersion: z.int().min(0).default(0),
  /** A file of SQL, relative to this one, that is run at each start before the tables are looked at. */
  setup: z.string().min(1).max(4_096).optional(),
  tables: z
    .array(
      z.strictObject({
        schema: name.default('public'),
        table: name,
        /** The sync key, of type uuid or text. */
        key: name.default('id'),
      }),
    )
    .min(1)
    .max(1_000),
  /** Whether clients may wait for news (`/sync/watch`) instead of only pulling now and then. */
  watch: z.boolean().default(true),
  /** Whether pushed values for columns that a table does not have are dropped instead of being refused. */
  ignoreUnknownColumns: z.boolean().default(false),
  limits: limitsSchema.default({}),
})

export type RowsDefinition = z.output<typeof rowsDefinitionSchema>

/**
 * Reads a schema file: JSON in which `#` begins a comment, or YAML.
 *
 * @throws SyncError `config/invalid` naming each wrong field with its line
 */
export async function readRowsDefinition(path: string): Promise<RowsDefinition> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    throw invalid(`the rows schema ${path} cannot be read: ${messageOf(cause)}`, cause)
  }
  const definition = parseRowsDefinition(path, text)
  return definition.setup === undefined
    ? definition
    : { ...definition, setup: resolve(dirname(path), definition.setup) }
}

export function parseRowsDefinition(path: string, text: string): RowsDefinition {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true })
  const lineAt = (offset: number) => `${path}:${lines.linePos(offset).line}`
  const [problem] = document.errors
  if (problem !== undefined)
    throw invalid(`${lineAt(problem.pos[0])} is not valid JSON: ${problem.message}`, problem)
  const result = rowsDefinitionSchema.safeParse(document.toJS({ maxAliasCount: 0 }))
  if (!result.success)
    throw invalid(
      `the rows schema is wrong:\n${result.error.issues
        .flatMap((issue) => fieldsOf(issue).map((field) => ({ field, issue })))
        .map(({ field, issue }) => {
          const node = nearest(document, field)
          return `${lineAt(node)}: ${fieldName(field)}: ${wrong(issue)}`
        })
        .join('\n')}`,
    )
  const seen = new Set<string>()
  for (const { schema, table } of result.data.tables) {
    const key = `${schema}.${table}`.toLowerCase()
    if (seen.has(key)) throw invalid(`${path}: tables: ${key} is named twice`)
    seen.add(key)
  }
  return result.data
}

type Field = readonly PropertyKey[]

/** A key that nobody knows is named itself, not the object it stands in. */
function fieldsOf(issue: z.core.$ZodIssue): Field[] {
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => [...issue.path, key])
  return [issue.path]
}

function wrong(issue: z.core.$ZodIssue): string {
  return issue.code === 'unrecognized_keys' ? 'there is no such field' : issue.message
}

function fieldName(path: Field): string {
  const text = path.reduce<string>(
    (name, part) => (typeof part === 'number' ? `${name}[${part}]` : `${name}.${String(part)}`),
    '',
  )
  return text === '' ? 'the file' : text.replace(/^\./, '')
}

/** Where the field stands; of one that is missing, where it should. */
function nearest(document: ReturnType<typeof parseDocument>, path: Field): number {
  for (let length = path.length; length > 0; length--) {
    const node = document.getIn(path.slice(0, length), true)
    if (isNode(node) && node.range) return node.range[0]
  }
  return document.contents?.range?.[0] ?? 0
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

function invalid(message: string, cause?: unknown): SyncError {
  return new SyncError('config/invalid', message, cause === undefined ? {} : { cause })
}
