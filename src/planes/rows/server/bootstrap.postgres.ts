import { createHash } from 'node:crypto'
import type { Pool } from 'pg'
import type { Clock } from '../../../kernel/clock.ts'
import { type SyncKeyKind, syncKeyCode } from '../wire/sync-key.ts'
import { captureFunctions, createTrigger, scopeColumn, tableTriggers } from './capture.postgres.ts'
import { cascades, layout, layoutName, protocolLabel } from './layout.postgres.ts'
import { quoteLiteral, quoteName } from './quote.postgres.ts'
import type { NormalTable } from './registered-table.ts'
import { type ColumnKind, type SyncColumn, type SyncTable, SyncTables } from './sync-table.ts'
import { type DependencyOverrides, type DiscoveredSchema, orderTables } from './table-order.ts'
import { checkTables, unsupported } from './table-rules.ts'
import { readTableShapes, type TableShape } from './table-shape.postgres.ts'
import { type Queryable, transact } from './transaction.postgres.ts'

/** Held while the schema is made: the bytes of "oversync", the same for every program. */
const bootstrapLock = '8031718527699873379'
const bootstrapAttempts = 3

export interface Bootstrapped {
  readonly tables: SyncTables
  readonly discovered: DiscoveredSchema
}

/**
 * Makes the schema `sync`, or finds it, and puts the triggers on the registered tables (§3.2). Any number of processes may
 * do so at the same time. Throws `unsupported_schema` where the database or its tables are not as they must be; nothing is
 * changed then.
 */
export async function bootstrap(
  pool: Pool,
  tables: readonly NormalTable[],
  overrides: DependencyOverrides,
  clock: Clock,
): Promise<Bootstrapped> {
  const keys = tables.map((table) => table.key)
  return transact(pool, { attempts: bootstrapAttempts, pauseMs: 50, clock }, async (tx) => {
    await tx.query(`select pg_advisory_xact_lock(${bootstrapLock})`)
    const shapes = await readTableShapes(tx, keys)
    checkTables(tables, shapes)
    const synced = tables.map((table, i) => syncTable(table, i + 1, shapes.get(table.key)!))
    await ensureLayout(tx, synced)
    await tx.query(cascades)
    await tx.query(captureFunctions)
    for (const table of synced) await ensureTriggers(tx, table)
    const references = [...shapes.values()].flatMap((shape) => shape.foreignKeys)
    return { tables: new SyncTables(synced), discovered: orderTables(keys, references, overrides) }
  })
}

async function ensureLayout(tx: Queryable, tables: readonly SyncTable[]): Promise<void> {
  const { rows } = await tx.query<{ meta: boolean; catalog: boolean; objects: string }>(
    `select to_regclass('sync.meta') is not null as meta, to_regclass('sync.table_catalog') is not null as catalog,
       ((select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'sync')
        + (select count(*) from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname = 'sync'))::text
       as objects`,
  )
  const { meta, catalog, objects } = rows[0]!
  if (meta !== catalog)
    throw unsupported(
      'schema sync has only one of the tables meta and table_catalog: it is not ours, or was damaged',
    )
  if (meta) return checkCatalog(tx, tables)
  if (objects !== '0') throw unsupported('schema sync holds objects of another program')
  await tx.query(layout)
  await tx.query(`insert into sync.meta values (true, $1, $2)`, [protocolLabel, layoutName])
  for (const table of tables)
    await tx.query('insert into sync.table_catalog values ($1, $2, $3, $4, $5)', catalogRow(table))
}

async function checkCatalog(tx: Queryable, tables: readonly SyncTable[]): Promise<void> {
  const meta = await tx.query<{ text: string }>(
    `select concat_ws(' ', singleton_key, protocol_label, layout_name) as text from sync.meta`,
  )
  const expected = `t ${protocolLabel} ${layoutName}`
  if (meta.rows.length !== 1 || meta.rows[0]!.text !== expected)
    throw unsupported(`schema sync has another layout than ${layoutName}`)
  const { rows } = await tx.query<{ entry: string }>(
    `select json_build_array(table_id, schema_name, table_name, sync_key_column, sync_key_kind)::text as entry
     from sync.table_catalog order by table_id`,
  )
  const found = rows.map((row) => JSON.stringify(JSON.parse(row.entry)))
  const wanted = tables.map((table) => JSON.stringify(catalogRow(table)))
  if (found.join() !== wanted.join())
    throw unsupported(
      `the registered tables are not those that this database was set up with: ${wanted.join(' ')} instead of ${found.join(' ')}`,
    )
}

function catalogRow({ id, schema, name, keyColumn, keyKind }: SyncTable): readonly unknown[] {
  return [id, schema, name, keyColumn, syncKeyCode[keyKind]]
}

/** Touches a table only when a trigger differs: making one takes a lock that waits for every reader. */
async function ensureTriggers(tx: Queryable, table: SyncTable): Promise<void> {
  const { rows } = await tx.query<{ name: string; mark: string | null }>(
    `select tgname as name, obj_description(oid, 'pg_trigger') as mark from pg_trigger
     where tgrelid = $1::regclass and not tgisinternal and tgenabled <> 'D'`,
    [table.quoted],
  )
  const marks = new Map(rows.map((row) => [row.name, row.mark]))
  for (const trigger of tableTriggers(table)) {
    const mark = `syncline ${createHash('sha256').update(trigger.body).digest('hex').slice(0, 16)}`
    if (marks.get(trigger.name) === mark) continue
    const name = quoteName(trigger.name)
    await tx.query(`drop trigger if exists ${name} on ${table.quoted}`)
    await tx.query(createTrigger(trigger))
    await tx.query(`comment on trigger ${name} on ${table.quoted} is ${quoteLiteral(mark)}`)
  }
}

function syncTable(table: NormalTable, id: number, shape: TableShape): SyncTable {
  const keyColumn = table.syncKeyColumns[0]!
  const columns = shape.columns
    .filter((column) => column.name !== scopeColumn)
    .map(
      ({ name, type, category, generated }): SyncColumn => ({
        name,
        quoted: quoteName(name),
        kind: columnKind(type, category),
        generated,
      }),
    )
  return {
    id,
    schema: table.schema,
    name: table.table,
    key: table.key,
    quoted: `${quoteName(table.schema)}.${quoteName(table.table)}`,
    keyColumn,
    keyKind: shape.columns.find((column) => column.name === keyColumn)!.type as SyncKeyKind,
    columns: new Map(columns.map((column) => [column.name, column])),
    isPlain: shape.columns.every(({ type }) => plainTypes.has(type)),
    byteaColumns: columns.filter((column) => column.kind === 'bytea').map((column) => column.name),
    numberColumns: columns.filter((column) => column.kind === 'number'),
    sortedColumns: columns.some((column) => column.kind === 'bytea' || column.generated)
      ? undefined
      : columns.map((column) => column.name).sort(),
  }
}

/** Whole numbers, booleans, and what becomes a string. */
const plainTypes: ReadonlySet<string> = new Set([
  ...['int2', 'int4', 'int8', 'bool', 'uuid', 'text', 'varchar', 'bpchar'],
  ...['date', 'time', 'timetz', 'timestamp', 'timestamptz', 'interval'],
])

function columnKind(type: string, category: string): ColumnKind {
  if (type === 'bytea') return 'bytea'
  return category === 'N' ? 'number' : 'other'
}
