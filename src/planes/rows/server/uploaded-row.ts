import { isBase64 } from '../wire/base64.ts'
import { CanonicalJsonError, exactCanonicalJson } from '../wire/canonical-json.ts'
import type { JsonObject, JsonValue } from '../wire/json-value.ts'
import { type OperationCode, operationCode } from '../wire/operation.ts'
import type { PushRow } from '../wire/row.ts'
import { isKeyText } from '../wire/sync-key.ts'
import { scopeColumn } from './capture.postgres.ts'
import { normalName, normalSchema } from './registered-table.ts'
import { RowsError } from './rows-error.ts'
import type { SyncColumn, SyncTable, SyncTables } from './sync-table.ts'

/** A pushed row as it is staged. */
export interface StagedRow {
  readonly tableId: number
  /** The key's bytes, as hex digits. */
  readonly keyHex: string
  readonly opCode: OperationCode
  readonly baseVersion: number
  /** JSON text in the form PostgreSQL reads; null for DELETE. */
  readonly payload: string | null
  /** The members of the payload. */
  readonly columns: readonly string[]
}

export interface UploadRules {
  readonly tables: SyncTables
  readonly ignoreUnknownColumns: boolean
}

/**
 * Checks a row of a chunk by §4.3 and puts it into the form in which it is staged. Beyond that, columns must exist, numbers
 * be finite, and text be what PostgreSQL can hold: otherwise all of it would fail at commit, and again with every retry
 * (§12 item 12). `ordinal` is for messages. Throws `push_chunk_invalid`.
 */
export function stageRow(rules: UploadRules, row: PushRow, ordinal: number): StagedRow {
  const schema = normalSchema(row.schema)
  const name = normalName(row.table)
  const table = rules.tables.find(schema, name)
  if (table === undefined) throw invalid(ordinal, `table ${short(`${schema}.${name}`)} is not registered`)
  const key = row.key[table.keyColumn]
  if (typeof key !== 'string') throw invalid(ordinal, `key must hold ${table.keyColumn} as a string`)
  if (!isKeyText(table.keyKind, key))
    throw invalid(
      ordinal,
      table.keyKind === 'uuid' ? `${short(key)} is not a canonical uuid` : 'the key is no valid text',
    )
  const keyHex = table.keyKind === 'uuid' ? key.replaceAll('-', '') : Buffer.from(key).toString('hex')
  const staged = {
    tableId: table.id,
    keyHex,
    opCode: operationCode[row.op],
    baseVersion: row.base_row_version,
  }
  if (row.op === 'DELETE') {
    if (row.payload !== undefined) throw invalid(ordinal, 'a deleted row has no payload')
    return { ...staged, payload: null, columns: [] }
  }
  if (row.payload === undefined) throw invalid(ordinal, `${row.op} needs a payload`)
  return { ...staged, ...stagePayload(rules, table, key, row.payload, ordinal) }
}

function stagePayload(
  { ignoreUnknownColumns }: UploadRules,
  table: SyncTable,
  key: string,
  payload: JsonObject,
  ordinal: number,
): Pick<StagedRow, 'payload' | 'columns'> {
  if (isWhole(table, payload)) return stageWhole(table, key, payload, ordinal)
  const staged: Record<string, JsonValue> = { [table.keyColumn]: key }
  const seen = new Set<string>()
  for (const [member, value] of Object.entries(payload)) {
    const name = member.toLowerCase()
    if (name === scopeColumn) throw invalid(ordinal, `${scopeColumn} is not for clients to set`)
    if (seen.has(name)) throw invalid(ordinal, `column ${short(name)} is given twice`)
    seen.add(name)
    const column = table.columns.get(name)
    if (column === undefined) {
      if (ignoreUnknownColumns) continue
      throw invalid(ordinal, `table ${table.key} has no column ${short(name)}`)
    }
    if (name === table.keyColumn && value !== key) throw invalid(ordinal, `${name} differs from the key`)
    if (!column.generated) staged[name] = stageValue(column, value, ordinal)
  }
  return { payload: stagedText(staged, ordinal), columns: Object.keys(staged).sort() }
}

/** Whether the payload has just the table's columns, sorted and spelled as there, and each can be staged as it is sent. */
function isWhole({ sortedColumns }: SyncTable, payload: JsonObject): boolean {
  if (sortedColumns === undefined) return false
  let i = 0
  for (const member in payload) if (member !== sortedColumns[i++]) return false
  return i === sortedColumns.length
}

/** What most rows are: nothing of it needs to be put together anew. */
function stageWhole(
  table: SyncTable,
  key: string,
  payload: JsonObject,
  ordinal: number,
): Pick<StagedRow, 'payload' | 'columns'> {
  if (payload[table.keyColumn] !== key) throw invalid(ordinal, `${table.keyColumn} differs from the key`)
  for (const column of table.numberColumns) stageValue(column, payload[column.name]!, ordinal)
  return { payload: stagedText(payload, ordinal), columns: table.sortedColumns! }
}

function stagedText(staged: JsonObject, ordinal: number): string {
  try {
    const text = exactCanonicalJson(staged)
    if (text.includes('\\u0000')) checkNoZero(staged, ordinal)
    return text
  } catch (error) {
    throw error instanceof CanonicalJsonError ? invalid(ordinal, error.message) : error
  }
}

const notFinite = /^\s*[+-]?(?:nan|inf(?:inity)?)\s*$/i

function stageValue({ name, kind }: SyncColumn, value: JsonValue, ordinal: number): JsonValue {
  if (value === null || kind === 'other') return value
  if (kind === 'number') {
    if (typeof value === 'string' && notFinite.test(value))
      throw invalid(ordinal, `${name} cannot be ${value.trim()}: only finite numbers are synced`)
    return value
  }
  // Go's decoder skips line breaks within base64, and some clients wrap their lines.
  const text = typeof value === 'string' ? value.replace(/[\r\n]/g, '') : undefined
  if (text === undefined || !isBase64(text)) throw invalid(ordinal, `${name} must be standard padded base64`)
  return `\\x${Buffer.from(text, 'base64').toString('hex')}`
}

/** `\u0000` may be the text of an escaped backslash; only a true zero character is beyond PostgreSQL. */
function checkNoZero(value: JsonValue, ordinal: number): void {
  if (typeof value === 'string') {
    if (value.includes('\0')) throw invalid(ordinal, 'text with a zero character cannot be stored')
  } else if (typeof value === 'object' && value !== null)
    for (const [name, member] of Object.entries(value)) {
      checkNoZero(name, ordinal)
      checkNoZero(member as JsonValue, ordinal)
    }
}

function short(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text)
}

function invalid(ordinal: number, message: string): RowsError {
  return new RowsError('push_chunk_invalid', `row ${ordinal}: ${message}`)
}
