import { formatJson } from '../wire/json-text.ts'
import type { JsonObject } from '../wire/json-value.ts'
import type { Operation } from '../wire/operation.ts'
import { isKeyText, type SyncKey } from '../wire/sync-key.ts'
import { hexToUuid } from '../wire/uuid.ts'
import { RowsClientError } from './client-error.ts'
import type { LocalTable } from './local-table.ts'
import type { SqliteDriver } from './sqlite-driver.ts'

/** A row as the server sends it, in whichever answer. */
export interface ServerRow {
  readonly schema: string
  readonly table: string
  readonly key: SyncKey
  readonly op: Operation
  readonly row_version: number
  readonly payload?: JsonObject | null | undefined
}

/** The registered tables by name, and the schema they have on the server. */
export interface Catalog {
  readonly schema: string
  /** Parents first. */
  readonly tables: readonly LocalTable[]
  readonly byName: ReadonlyMap<string, LocalTable>
}

/**
 * Checks that a row of the server is one of ours: registered, with its key, and with exactly the table's columns. A row
 * that is not fails the whole answer, before anything of it is stored.
 *
 * @returns its `key_json`
 */
export function checkRow({ schema, byName }: Catalog, row: ServerRow): string {
  const name = `${row.schema}.${row.table}`
  const table = byName.get(row.table)
  if (row.schema !== schema || table === undefined)
    throw unacceptable(`a row of ${name}, which is not registered here`)
  const key = row.key[table.key.name]
  if (key === undefined || !isKeyText(table.key.kind === 'uuid' ? 'uuid' : 'text', key))
    throw unacceptable(`a row of ${name} without a usable ${table.key.name} in its key`)
  if (row.payload != null) {
    const names = Object.keys(row.payload)
    const known = table.columns.every(({ name: column }) => Object.hasOwn(row.payload!, column))
    if (!known || names.length !== table.columns.length)
      throw unacceptable(
        `a row of ${name} with the columns ${names.sort().join(', ')}, where the table here has ${table.columns.map((column) => column.name).join(', ')}`,
      )
    if (row.payload[table.key.name] !== key)
      throw unacceptable(`a row of ${name} whose payload has another ${table.key.name} than its key`)
  }
  return localKeyJson(table, key)
}

export function localKeyJson(table: LocalTable, text: string): string {
  return JSON.stringify({
    [table.key.name]: table.key.kind === 'uuid' ? text.replaceAll('-', '') : text,
  })
}

/** The text of a key as the application knows it, from its `key_json`: a BLOB key as dashed UUID. */
export function keyText(table: LocalTable, keyJson: string): string {
  const text = (JSON.parse(keyJson) as Record<string, string>)[table.key.name]!
  return table.key.kind === 'uuid' ? hexToUuid(text) : text
}

function unacceptable(what: string): RowsClientError<'rows/server-answer'> {
  return new RowsClientError(
    'rows/server-answer',
    `the server sent ${what}; nothing of this answer was applied`,
  )
}

/** Rows on their way into the business tables, for one transaction. */
export const incomingTable = 'temp._sync_incoming'

/** Empties the table of incoming rows, making it if need be. Not in a transaction: it outlives those that roll back. */
export function prepareIncoming(db: SqliteDriver): void {
  db.exec(
    `CREATE TABLE IF NOT EXISTS ${incomingTable} (row_ordinal INTEGER PRIMARY KEY, table_name TEXT NOT NULL, key_json TEXT NOT NULL,
       op TEXT NOT NULL, row_version INTEGER NOT NULL, payload TEXT, held INTEGER NOT NULL DEFAULT 0);
     CREATE INDEX IF NOT EXISTS ${incomingTable}_of ON _sync_incoming (table_name); DELETE FROM ${incomingTable}`,
  )
}

/** A row of a bundle that was checked, as it is loaded. */
export interface IncomingRow {
  readonly table: string
  readonly keyJson: string
  readonly op: Operation
  readonly version: number
  /** JSON text, numbers exact. Null for DELETE. */
  readonly payload: string | null
}

/** Checks a row of the server and makes it ready to be loaded. */
export function incomingRow(catalog: Catalog, row: ServerRow): IncomingRow {
  return {
    table: row.table,
    keyJson: checkRow(catalog, row),
    op: row.op,
    version: row.row_version,
    payload: row.payload == null ? null : formatJson(row.payload),
  }
}

/** Loads the rows of a bundle. One by one: to take them out of a JSON list costs SQLite more than as many statements. */
export function loadIncoming(db: SqliteDriver, rows: readonly IncomingRow[]): void {
  const insert = `INSERT INTO ${incomingTable} (row_ordinal, table_name, key_json, op, row_version, payload)
    VALUES (?, ?, ?, ?, ?, ?)`
  for (const [i, { table, keyJson, op, version, payload }] of rows.entries())
    db.run(insert, i, table, keyJson, op, version, payload)
}

/** The rows as JSON lists `[table, key_json, op, row_version, payload]`, numbers exact. */
export function rowList(catalog: Catalog, rows: readonly ServerRow[]): string {
  return formatJson(
    rows.map((row) => [row.table, checkRow(catalog, row), row.op, row.row_version, row.payload ?? null]),
  )
}
