import { canonicalPattern } from '../wire/canonical-pattern.ts'
import { RowsClientError } from './client-error.ts'
import { sqlName } from './sql-text.ts'
import type { SqliteDriver } from './sqlite-driver.ts'

/** A table the application registers; exactly one of the two ways to name its sync key. */
export interface TableConfig {
  readonly tableName: string
  readonly syncKeyColumnName?: string
  readonly syncKeyColumns?: readonly string[]
}

/**
 * How a column's values look in JSON (§8.16). Local JSON holds every BLOB as hex digits and the text of a JSON column as a
 * string; the wire holds dashed UUIDs, base64 and nested JSON instead. `text` differs from `plain` by its affinity: a number
 * of the wire becomes its literal, so that a numeric keeps every digit in a TEXT column.
 */
export type ColumnKind = 'plain' | 'text' | 'json' | 'bytes' | 'uuid'

export interface LocalColumn {
  /** Lowercase, as in JSON. */
  readonly name: string
  /** As SQL names it, quoted. */
  readonly sql: string
  readonly kind: ColumnKind
}

/** One registered table, as far as sync needs to know it. */
export interface LocalTable {
  /** Lowercase. */
  readonly name: string
  readonly sql: string
  /** By name, in UTF-8 order: the member order of canonical JSON. */
  readonly columns: readonly LocalColumn[]
  readonly key: LocalColumn
  /** The tables it refers to, lowercase. */
  readonly parents: readonly string[]
  /** Match keys and payloads in wire form that are canonical JSON as they stand. */
  readonly canonicalKey: RegExp
  readonly canonicalPayload: RegExp
}

/** Reads and checks the registered tables (§8.3), in the order in which they were registered. */
export function readTables(db: SqliteDriver, configs: readonly TableConfig[]): readonly LocalTable[] {
  const names = configs.map(({ tableName }) => tableName.trim().toLowerCase())
  names.forEach((name, i) => {
    if (!/^[a-z0-9_]+$/.test(name))
      throw unsupported(name, 'its name must be letters, digits and underscores, without a schema')
    if (names.indexOf(name) !== i) throw unsupported(name, 'it is registered twice')
  })
  return configs.map((config, i) => readTable(db, names[i]!, keyColumn(names[i]!, config), new Set(names)))
}

function keyColumn(table: string, { syncKeyColumnName, syncKeyColumns }: TableConfig): string {
  const given = [...(syncKeyColumns ?? []), ...(syncKeyColumnName === undefined ? [] : [syncKeyColumnName])]
  const names = new Set(given.map((name) => name.trim().toLowerCase()).filter((name) => name !== ''))
  if (names.size !== 1) throw unsupported(table, `it needs exactly one sync key column, not ${names.size}`)
  return [...names][0]!
}

function readTable(db: SqliteDriver, name: string, keyName: string, all: ReadonlySet<string>): LocalTable {
  const found = db.get(
    `SELECT name, type FROM sqlite_schema WHERE lower(name) = ? AND type IN ('table', 'view')`,
    name,
  )
  if (found === undefined) throw unsupported(name, 'there is no such table in the database')
  if (found.type !== 'table') throw unsupported(name, 'it is a view')
  const tableName = String(found.name)
  const references = foreignKeys(db, name, tableName, all)
  // 2 and 3: generated columns, which are computed here and written nowhere.
  const infos = db.all('SELECT name, type, pk, hidden FROM pragma_table_xinfo(?)', tableName)
  const columns = infos
    .filter(({ hidden }) => hidden === 0)
    .map((info): LocalColumn => {
      const column = String(info.name).toLowerCase()
      if (!/^[a-z0-9_]+$/.test(column))
        throw unsupported(name, `the server takes no column named ${JSON.stringify(info.name)}`)
      const isReference = column === keyName || references.columns.has(column)
      return {
        name: column,
        sql: sqlName(String(info.name)),
        kind: columnKind(String(info.type), isReference),
      }
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
  const key = columns.find((column) => column.name === keyName)
  if (key === undefined) throw unsupported(name, `it has no column ${keyName}`)
  const primary = infos.filter(({ pk }) => pk !== 0).map((info) => String(info.name).toLowerCase())
  if (primary.length !== 1 || primary[0] !== keyName)
    throw unsupported(name, `the sync key ${keyName} must be its primary key, alone`)
  if (key.kind !== 'text' && key.kind !== 'uuid')
    throw unsupported(name, `the sync key ${keyName} must be declared TEXT, or BLOB for a UUID`)
  return {
    name,
    sql: sqlName(tableName),
    columns,
    key,
    parents: references.parents,
    canonicalKey: canonicalPattern([key.name]),
    canonicalPayload: canonicalPattern(columns.map((column) => column.name)),
  }
}

interface References {
  readonly parents: readonly string[]
  readonly columns: ReadonlySet<string>
}

function foreignKeys(db: SqliteDriver, name: string, sqlTable: string, all: ReadonlySet<string>): References {
  const rows = db.all(
    'SELECT id, seq, "table" AS parent, "from" AS child FROM pragma_foreign_key_list(?)',
    sqlTable,
  )
  const parents = new Set<string>()
  const columns = new Set<string>()
  for (const { seq, parent, child } of rows) {
    const parentName = String(parent).toLowerCase()
    if (seq !== 0) throw unsupported(name, `its foreign key to ${parentName} has several columns`)
    if (!all.has(parentName)) throw unsupported(name, `it refers to ${parentName}, which is not registered`)
    parents.add(parentName)
    columns.add(String(child).toLowerCase())
  }
  return { parents: [...parents].sort(), columns }
}

/** By the rules of SQLite's affinity, of which only BLOB, TEXT and JSON matter here. */
function columnKind(declared: string, isReference: boolean): ColumnKind {
  const type = declared.toLowerCase()
  if (type.includes('blob')) return isReference ? 'uuid' : 'bytes'
  if (type.includes('json')) return 'json'
  if (!type.includes('int') && /char|clob|text/.test(type)) return 'text'
  return 'plain'
}

function unsupported(table: string, why: string): RowsClientError<'rows/unsupported-table'> {
  return new RowsClientError('rows/unsupported-table', `table ${table} cannot be synced: ${why}`, { table })
}

/**
 * Parents before children, ties as registered (§8.3). Tables in a cycle come last, as registered: their foreign keys can
 * only be satisfied at the end of a transaction anyway.
 */
export function orderTables(tables: readonly LocalTable[]): readonly LocalTable[] {
  const ordered: LocalTable[] = []
  const placed = new Set<string>()
  for (;;) {
    const next = tables.find(
      ({ name, parents }) =>
        !placed.has(name) && parents.every((parent) => parent === name || placed.has(parent)),
    )
    if (next === undefined) break
    ordered.push(next)
    placed.add(next.name)
  }
  return [...ordered, ...tables.filter(({ name }) => !placed.has(name))]
}
