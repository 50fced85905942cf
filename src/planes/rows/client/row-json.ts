import { base64ToBytes, bytesToBase64 } from '../wire/base64.ts'
import { hexToBytes } from '../wire/hex.ts'
import { uuidToBytes } from '../wire/uuid.ts'
import type { LocalColumn, LocalTable } from './local-table.ts'
import { sqlText } from './sql-text.ts'
import type { SqliteDriver } from './sqlite-driver.ts'

/**
 * SQL between the three forms of a row (§8.16): its columns, local JSON (`payload` of dirty rows) and wire JSON. All of it is
 * SQL on JSON text, so that numbers keep their literals: nothing here passes through a double.
 */

/** SQLite takes at most 1,000 arguments per function, elsewhere 127. */
const membersPerObject = 60

/** Makes the functions below available on a connection. Bad input throws, which fails the statement. */
export function defineRowFunctions(db: SqliteDriver): void {
  db.define('syncline_base64', (hex) => {
    const bytes = typeof hex === 'string' ? hexToBytes(hex) : undefined
    if (bytes === undefined) throw new TypeError(`not hex digits: ${String(hex).slice(0, 40)}`)
    return bytesToBase64(bytes)
  })
  db.define('syncline_bytes', (text) => {
    if (text === null) return null
    const bytes = typeof text === 'string' ? base64ToBytes(text) : undefined
    if (bytes === undefined) throw new TypeError(`not standard base64: ${String(text).slice(0, 40)}`)
    return bytes
  })
  db.define('syncline_uuid', (text) => {
    if (text === null) return null
    const bytes = typeof text === 'string' ? uuidToBytes(text) : undefined
    if (bytes === undefined) throw new TypeError(`not a lowercase dashed UUID: ${String(text).slice(0, 40)}`)
    return bytes
  })
}

/** Local JSON of the row that `row` names (`NEW`, `OLD` or an alias). */
export function localJson(table: LocalTable, row: string): string {
  const members = table.columns.map(
    (column) => `${sqlText(column.name)}, ${localValue(column, `${row}.${column.sql}`)}`,
  )
  const objects: string[] = []
  for (let i = 0; i < members.length; i += membersPerObject)
    objects.push(`json_object(${members.slice(i, i + membersPerObject).join(', ')})`)
  if (objects.length === 1) return objects[0]!
  return objects.map((object, i) => inner(object, i === 0, i === objects.length - 1)).join(" || ',' || ")
}

function inner(object: string, first: boolean, last: boolean): string {
  return `substr(${object}, ${first ? 1 : 2}, length(${object}) - ${first && last ? 0 : first || last ? 1 : 2})`
}

function localValue({ kind }: LocalColumn, value: string): string {
  if (kind !== 'bytes' && kind !== 'uuid') return value
  return `CASE WHEN ${value} IS NULL THEN NULL ELSE lower(hex(${value})) END`
}

/** `key_json` of the row that `row` names. */
export function keyJson({ key }: LocalTable, row: string): string {
  return `json_object(${sqlText(key.name)}, ${localValue(key, `${row}.${key.sql}`)})`
}

/** The wire form of a key, from an expression for its `key_json`. */
export function wireKey({ key }: LocalTable, keyJsonSql: string): string {
  if (key.kind === 'text') return keyJsonSql
  return `json_object(${sqlText(key.name)}, ${dashed(member(keyJsonSql, key))})`
}

/** The value of the key column, from an expression for its `key_json`: what to compare the column with. */
export function keyValue({ key }: LocalTable, keyJsonSql: string): string {
  const text = member(keyJsonSql, key)
  return key.kind === 'text' ? text : `unhex(${text})`
}

/** Wire JSON, from an expression for local JSON. */
export function wireJson(table: LocalTable, json: string): string {
  const changes = table.columns.flatMap((column) => {
    const value = member(json, column)
    const changed = wireValue(column, value)
    return changed === undefined
      ? []
      : [`${path(column)}, CASE WHEN ${value} IS NULL THEN NULL ELSE ${changed} END`]
  })
  return changes.length === 0 ? json : `json_replace(${json}, ${changes.join(', ')})`
}

function wireValue({ kind }: LocalColumn, value: string): string | undefined {
  switch (kind) {
    case 'bytes':
      return `syncline_base64(${value})`
    case 'uuid':
      return dashed(value)
    case 'json':
      // Text that is no JSON travels as the string it is; the server decides what to make of it.
      return `CASE WHEN json_valid(${value}) THEN json(${value}) ELSE ${value} END`
    default:
      return undefined
  }
}

/** The value of a column, from an expression for local JSON. */
export function fromLocalJson(column: LocalColumn, json: string): string {
  const value = member(json, column)
  return column.kind === 'bytes' || column.kind === 'uuid' ? `unhex(${value})` : value
}

/** The value of a column, from an expression for wire JSON. */
export function fromWireJson(column: LocalColumn, json: string): string {
  const value = member(json, column)
  const literal = `${json} -> ${path(column)}`
  switch (column.kind) {
    case 'bytes':
      return `syncline_bytes(${value})`
    case 'uuid':
      return `syncline_uuid(${value})`
    case 'json':
      return `CASE WHEN ${value} IS NULL THEN NULL ELSE ${literal} END`
    case 'text':
      return `CASE WHEN json_type(${json}, ${path(column)}) IN ('integer', 'real') THEN ${literal} ELSE ${value} END`
    case 'plain':
      return value
  }
}

function member(json: string, column: LocalColumn): string {
  return `(${json} ->> ${path(column)})`
}

function path(column: LocalColumn): string {
  return `'$."${column.name}"'`
}

/** From 32 hex digits. */
function dashed(hex: string): string {
  const parts = [
    [1, 8],
    [9, 4],
    [13, 4],
    [17, 4],
    [21, 12],
  ]
  return parts.map(([start, length]) => `substr(${hex}, ${start}, ${length})`).join(` || '-' || `)
}
