import type { Pool } from 'pg'
import { normalTables, type RegisteredTable } from './registered-table.ts'
import { type DependencyOverrides, type DiscoveredSchema, orderTables } from './table-order.ts'
import { checkTables } from './table-rules.ts'
import { type ForeignKey, readTableShapes } from './table-shape.postgres.ts'

export interface SchemaDiscovery extends DiscoveredSchema {
  /** Of all registered tables, by table and name. */
  readonly foreignKeys: readonly ForeignKey[]
}

/**
 * How tables of a database would be ordered, and whether they can be registered: what `bootstrap` does first, without changing
 * anything. Throws `unsupported_schema` naming the table that cannot.
 */
export async function discoverSchema(
  pool: Pool,
  registered: readonly RegisteredTable[],
  overrides: DependencyOverrides = {},
): Promise<SchemaDiscovery> {
  const tables = normalTables(registered)
  const keys = tables.map((table) => table.key)
  const shapes = await readTableShapes(pool, keys)
  checkTables(tables, shapes)
  const foreignKeys = keys.flatMap((key) => shapes.get(key)!.foreignKeys)
  return { ...orderTables(keys, foreignKeys, overrides), foreignKeys }
}
