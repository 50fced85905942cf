import { scopeColumn } from './capture.postgres.ts'
import { type NormalTable, normalTables } from './registered-table.ts'
import { RowsError } from './rows-error.ts'
import { checkTable } from './table-rules.ts'
import { readTableShapes, type TableShape } from './table-shape.postgres.ts'
import type { Queryable } from './transaction.postgres.ts'

/** A table of the application, and whether it can be synced as it is. */
export interface SurveyedTable {
  readonly schema: string
  readonly table: string
  /** Its sync key as far as its indexes tell, else `id`. */
  readonly key: string
  /** What keeps it from being synced; undefined: nothing. */
  readonly problem: string | undefined
}

/** All tables that are not the system's nor ours, of one schema where it is named. */
const tables = `
select n.nspname as schema, c.relname as table from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p') and c.relpersistence <> 't' and n.nspname not in ('pg_catalog', 'information_schema', 'sync')
  and n.nspname not like 'pg\\_%' and ($1::text is null or n.nspname = $1) order by 1, 2`

/** What of a database can be registered. A table that refers to one that cannot, cannot either. */
export async function surveyTables(
  db: Queryable,
  schema: string | undefined,
): Promise<readonly SurveyedTable[]> {
  const { rows } = await db.query<{ schema: string; table: string }>(tables, [schema ?? null])
  const shapes = await readTableShapes(
    db,
    rows.map((row) => `${row.schema}.${row.table}`),
  )
  const candidates = rows.map((row) => {
    const key = keyOf(shapes.get(`${row.schema}.${row.table}`))
    return { ...row, key, normal: normalTables([{ ...row, syncKeyColumns: [key] }])[0]! }
  })
  const registered = new Map(candidates.map(({ normal }) => [normal.key, normal]))
  const problems = new Map<string, string>()
  for (let before = -1; before !== problems.size; ) {
    before = problems.size
    for (const { normal } of candidates) {
      const problem = problems.has(normal.key) ? undefined : problemOf(normal, shapes, registered)
      if (problem === undefined) continue
      problems.set(normal.key, problem)
      registered.delete(normal.key)
    }
  }
  return candidates.map(({ normal, ...row }) => ({ ...row, problem: problems.get(normal.key) }))
}

function keyOf(shape: TableShape | undefined): string {
  const unique = shape?.uniques.find(({ columns }) => columns.length === 2 && columns[0] === scopeColumn)
  return unique?.columns[1] ?? 'id'
}

function problemOf(
  table: NormalTable,
  shapes: ReadonlyMap<string, TableShape>,
  registered: ReadonlyMap<string, NormalTable>,
): string | undefined {
  try {
    checkTable(table, shapes.get(table.key), registered)
    return undefined
  } catch (error) {
    if (error instanceof RowsError) return error.message
    throw error
  }
}
