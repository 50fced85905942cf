import type { PoolClient } from 'pg'
import { type OperationCode, operationCode } from '../wire/operation.ts'
import type { Actor } from './actor.ts'
import type { ApplyRun } from './apply-plans.ts'
import { scopeColumn, setBasedRun } from './capture.postgres.ts'
import type { PushSession } from './push-session.postgres.ts'
import { quoteLiteral, quoteName } from './quote.postgres.ts'
import type { ServiceContext } from './service-context.ts'
import type { SyncTable } from './sync-table.ts'
import type { Queryable } from './transaction.postgres.ts'

export interface ApplyBatch extends Omit<ApplyRun, 'tableId'> {
  readonly table: SyncTable
  /** Whether the host has triggers or rules of its own on the table, whose effects belong between those of the rows. */
  readonly isHosted: boolean
}

/** Applies the staged rows in the order of their upload, and has the deferred constraints checked. */
export async function applyPush(
  tx: PoolClient,
  actor: Actor,
  session: PushSession,
  batches: readonly ApplyBatch[],
): Promise<void> {
  for (const batch of batches) await applyBatch(tx, actor, session, batch)
  // Now rather than at COMMIT: what the host's own deferred triggers write belongs into the bundle too.
  await tx.query('set constraints all immediate')
}

/** Generated columns are not among those of a batch: they are never staged. */
export async function applyBatches(
  tx: Queryable,
  { tables, applyPlans }: ServiceContext,
  { pushId, plannedRows }: PushSession,
): Promise<readonly ApplyBatch[]> {
  const runs = applyPlans.whole(pushId, plannedRows) ?? (await readRuns(tx, pushId))
  const hosted = await hostedTables(tx, tables.ordered)
  return runs.map(({ tableId, ...run }) => {
    const table = tables.byId(tableId)
    return { ...run, table, isHosted: hosted.has(table.key) }
  })
}

/** Asked with each push: hosts add triggers while we run. */
async function hostedTables(tx: Queryable, tables: readonly SyncTable[]): Promise<ReadonlySet<string>> {
  const { rows } = await tx.query<{ key: string }>(
    `select n.nspname || '.' || c.relname as key from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.oid = any($1::text[]::regclass[]) and (c.relhasrules or exists (
       select from pg_trigger where tgrelid = c.oid and not tgisinternal and tgname !~ '^(oversync|syncline)_'))`,
    [tables.map((table) => table.quoted)],
  )
  return new Set(rows.map((row) => row.key))
}

async function readRuns(tx: Queryable, pushId: string): Promise<readonly ApplyRun[]> {
  const { rows } = await tx.query<{
    table_id: number
    op_code: OperationCode
    columns: string | null
    first: string
    last: string
  }>(
    `with keyed as (
       select row_ordinal, table_id, op_code,
         (select json_agg(k)::text from json_object_keys(payload_apply) k) as columns
       from sync.push_session_rows where push_id = $1
     ), starts as (
       select *, (table_id, op_code, columns) is distinct from
         lag((table_id, op_code, columns)) over (order by row_ordinal) as start from keyed
     ), runs as (
       select *, count(*) filter (where start) over (order by row_ordinal) as run from starts
     )
     select table_id, op_code, columns, min(row_ordinal)::text as first, max(row_ordinal)::text as last
     from runs group by run, table_id, op_code, columns order by run`,
    [pushId],
  )
  return rows.map((row) => ({
    tableId: row.table_id,
    opCode: row.op_code,
    columns: row.columns === null ? [] : (JSON.parse(row.columns) as string[]),
    first: Number(row.first),
    last: Number(row.last),
  }))
}

/** From so many rows on it pays to apply them as one set. */
const setBasedFrom = 32

/** Applies the rows of a batch; a caller may have narrowed it. */
export async function applyBatch(
  tx: Queryable,
  { userId }: Actor,
  { pushId }: PushSession,
  batch: ApplyBatch,
): Promise<void> {
  const { opCode, first, last } = batch
  if (opCode === operationCode.DELETE) {
    await tx.query(deleteRows(userId, pushId, batch))
    return
  }
  // The effects of a host's triggers belong between those of the rows, so there each row is captured by itself.
  const asSet = last - first + 1 >= setBasedFrom && !batch.isHosted
  if (asSet) await markRun(tx, `${pushId},${first},${last}`)
  if (opCode === operationCode.INSERT) await insertRows(tx, userId, pushId, batch)
  else if (asSet) await updateSet(tx, userId, pushId, batch)
  else await tx.query(updateRows(userId, pushId, batch))
  if (asSet) await markRun(tx, '')
}

/** Says to the triggers which rows are being applied; `''`: they go by the rows. */
export async function markRun(tx: Queryable, run: string): Promise<void> {
  await tx.query(`select set_config('${setBasedRun}', $1, true)`, [run])
}

async function insertRows(tx: Queryable, userId: string, pushId: string, batch: ApplyBatch): Promise<void> {
  await tx.query(insertStatement(batch), [userId, pushId, batch.first, batch.last])
}

/** Inserts the rows of a run in their order; its parameters are the scope, the push, and the first and last ordinal. */
export function insertStatement({ table, columns: names }: ApplyBatch): string {
  const columns = names.map(quoteName)
  return `insert into ${table.quoted} as t (${[scopeColumn, ...columns].join(', ')})
     select $1, ${columns.map((column) => `r.${column}`).join(', ')}
     from (select payload_apply from sync.push_session_rows where push_id = $2 and row_ordinal between $3 and $4
       order by row_ordinal) s, json_populate_record(null::${table.quoted}, s.payload_apply) r`
}

async function updateSet(tx: Queryable, userId: string, pushId: string, batch: ApplyBatch): Promise<void> {
  await tx.query(updateStatement(batch), [userId, pushId, batch.first, batch.last])
}

/** Of a row that a statement of a push writes: where in the push it stands. No column has a blank in its name. */
export const pushedOrdinal = '"pushed ordinal"'

/** Updates the rows of a run in the order of some plan; parameters as those of `insertStatement`. */
export function updateStatement(batch: ApplyBatch): string {
  const { table } = batch
  const key = quoteName(table.keyColumn)
  return `update ${table.quoted} t set ${assignments(batch)}
     from (select r.*, p.row_ordinal as ${pushedOrdinal}
       from sync.push_session_rows p, json_populate_record(null::${table.quoted}, p.payload_apply) r
       where p.push_id = $2 and p.row_ordinal between $3 and $4 offset 0) s
     where t.${scopeColumn} = $1 and t.${key} = s.${key}`
}

/** A payload with nothing but the key still touches the row, as it does upstream. */
function assignments({ table, columns }: ApplyBatch): string {
  const others = columns.filter((column) => column !== table.keyColumn)
  return (others.length === 0 ? [table.keyColumn] : others)
    .map(quoteName)
    .map((column) => `${column} = s.${column}`)
    .join(', ')
}

/**
 * Row by row, UPDATE and DELETE have an order, and what they set off comes in between: a joined statement would touch the
 * rows in the order of some plan. The loop runs within the server and keeps to the order of the upload.
 */
function updateRows(userId: string, pushId: string, batch: ApplyBatch): string {
  const { table, first, last } = batch
  const key = quoteName(table.keyColumn)
  return loop(
    `select r.* from (${staged(pushId, first, last)}) p, json_populate_record(null::${table.quoted}, p.payload_apply) r`,
    `update ${table.quoted} t set ${assignments(batch)} where t.${scopeColumn} = ${quoteLiteral(userId)} and t.${key} = s.${key};`,
  )
}

function deleteRows(userId: string, pushId: string, { table, first, last }: ApplyBatch): string {
  const key =
    table.keyKind === 'uuid' ? `encode(s.key_bytes, 'hex')::uuid` : `convert_from(s.key_bytes, 'UTF8')`
  return loop(
    staged(pushId, first, last),
    `delete from ${table.quoted} t where t.${scopeColumn} = ${quoteLiteral(userId)} and t.${quoteName(table.keyColumn)} = ${key};`,
  )
}

function staged(pushId: string, first: number, last: number): string {
  return `select key_bytes, payload_apply from sync.push_session_rows
    where push_id = ${quoteLiteral(pushId)} and row_ordinal between ${first} and ${last} order by row_ordinal`
}

/** A DO block takes no parameters; every value in it is quoted. */
function loop(rows: string, statement: string): string {
  const body = `declare s record; begin for s in ${rows} loop ${statement} end loop; end`
  return `do ${quoteLiteral(body)}`
}
