import { scopeColumn } from './capture.postgres.ts'
import type { NormalTable } from './registered-table.ts'
import { RowsError } from './rows-error.ts'
import type { ColumnShape, ForeignKey, TableShape } from './table-shape.postgres.ts'

/**
 * Checks what §3.3 demands of registered tables, and throws `unsupported_schema` naming the first thing that is wrong and
 * what to do. Beyond go-oversync it demands ordinary, permanent tables, and scope and key columns that cannot be null:
 * a row that breaks either would be lost to clients.
 */
export function checkTables(tables: readonly NormalTable[], shapes: ReadonlyMap<string, TableShape>): void {
  const registered = new Map(tables.map((table) => [table.key, table]))
  for (const table of tables) checkTable(table, shapes.get(table.key), registered)
}

/** The same for one table; `registered` are those that it may refer to, by key. */
export function checkTable(
  table: NormalTable,
  shape: TableShape | undefined,
  registered: ReadonlyMap<string, NormalTable>,
): void {
  if (shape === undefined) throw unsupported(`table ${table.key} does not exist`)
  checkStorage(shape)
  const keyColumn = checkKey(table, shape)
  checkUniques(shape, keyColumn)
  for (const foreignKey of shape.foreignKeys) checkForeignKey(foreignKey, registered)
}

export function unsupported(message: string): RowsError {
  return new RowsError('unsupported_schema', message)
}

function checkStorage({ key, kind, persistence }: TableShape): void {
  if (kind !== 'r')
    throw unsupported(
      `${key} is not an ordinary table: views, foreign and partitioned tables cannot be synced`,
    )
  if (persistence !== 'p')
    throw unsupported(
      `table ${key} is unlogged or temporary: its rows would not survive what its history survives`,
    )
}

function checkKey(table: NormalTable, { key, columns }: TableShape): string {
  const [keyColumn, ...more] = table.syncKeyColumns
  if (keyColumn === undefined || more.length > 0)
    throw unsupported(
      `table ${key} must have exactly one sync key column, not ${table.syncKeyColumns.length}`,
    )
  if (keyColumn === scopeColumn) throw unsupported(`the sync key of ${key} cannot be ${scopeColumn}`)
  const scope = columnOf(columns, scopeColumn, key)
  if (scope.type !== 'text')
    throw unsupported(`${key}.${scopeColumn} must be of type text, not ${scope.type}`)
  const sync = columnOf(columns, keyColumn, key)
  if (sync.type !== 'uuid' && sync.type !== 'text')
    throw unsupported(`the sync key ${key}.${keyColumn} must be of type uuid or text, not ${sync.type}`)
  for (const column of [scope, sync])
    if (!column.notNull) throw unsupported(`${key}.${column.name} must be NOT NULL`)
  if (sync.generated)
    throw unsupported(`the sync key ${key}.${keyColumn} must not be generated: clients choose it`)
  return keyColumn
}

function columnOf(columns: readonly ColumnShape[], name: string, table: string): ColumnShape {
  const column = columns.find((candidate) => candidate.name === name)
  if (column === undefined) throw unsupported(`table ${table} has no column ${name}`)
  return column
}

/** A unique index that did not start with the scope would let one user's key refuse another's. */
function checkUniques({ key, uniques }: TableShape, keyColumn: string): void {
  for (const { name, columns, partial } of uniques) {
    if (partial) throw unsupported(`unique index ${name} of ${key} is partial`)
    if (columns.includes(null)) throw unsupported(`unique index ${name} of ${key} is on an expression`)
    if (columns[0] !== scopeColumn)
      throw unsupported(
        `unique index ${name} of ${key} must start with ${scopeColumn}, or users get into each other's way`,
      )
  }
  if (!uniques.some(({ columns }) => columns.length === 2 && columns[1] === keyColumn))
    throw unsupported(`table ${key} needs a unique index or primary key on (${scopeColumn}, ${keyColumn})`)
}

function checkForeignKey(foreignKey: ForeignKey, registered: ReadonlyMap<string, NormalTable>): void {
  const { constraint, child, childColumns, parent, parentColumns } = foreignKey
  const where = `foreign key ${constraint} of ${child}`
  const target = registered.get(parent)
  if (target === undefined) throw unsupported(`${where} refers to ${parent}, which is not registered`)
  if (childColumns.length !== 2 || childColumns[0] !== scopeColumn || parentColumns[0] !== scopeColumn)
    throw unsupported(
      `${where} must be (${scopeColumn}, column) referring to (${scopeColumn}, sync key) of ${parent}`,
    )
  if (parentColumns[1] !== target.syncKeyColumns[0])
    throw unsupported(`${where} must refer to the sync key of ${parent}, not to ${parentColumns[1]}`)
  if (foreignKey.match !== 's') throw unsupported(`${where} must be MATCH SIMPLE`)
  if (!foreignKey.deferrable)
    throw unsupported(`${where} must be DEFERRABLE, or rows of one push could depend on their order`)
}
