/** A table to be synced. Names are trimmed and lowercased; an empty schema is `public` (§3.3). */
export interface RegisteredTable {
  readonly schema?: string
  readonly table: string
  /** Exactly one, of type uuid or text. */
  readonly syncKeyColumns: readonly string[]
}

/** A registration with its names as they are looked up. */
export interface NormalTable {
  readonly schema: string
  readonly table: string
  /** `schema.table` */
  readonly key: string
  /** Without duplicates; still of any number. */
  readonly syncKeyColumns: readonly string[]
}

export function normalName(name: string): string {
  return name.trim().toLowerCase()
}

export function normalSchema(schema: string): string {
  return normalName(schema) || 'public'
}

/** `schema.table` as a registered table is known by. */
export function tableKey(schema: string, table: string): string {
  return `${normalSchema(schema)}.${normalName(table)}`
}

/** The registrations without repetition, in the byte order of their keys, which is that of their ids. */
export function normalTables(tables: readonly RegisteredTable[]): readonly NormalTable[] {
  const byKey = new Map<string, NormalTable>()
  for (const { schema = '', table, syncKeyColumns } of tables) {
    const key = tableKey(schema, table)
    byKey.set(key, {
      schema: normalSchema(schema),
      table: normalName(table),
      key,
      syncKeyColumns: [...new Set(syncKeyColumns.map(normalName).filter((name) => name !== ''))],
    })
  }
  return [...byKey.values()].sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)))
}
