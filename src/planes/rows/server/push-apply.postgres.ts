import type { PoolClient } from 'pg'
import { type OperationCode, operationCode } from '../wire/operation.ts'
import type { Actor } from './actor.ts'
import { scopeColumn } from './capture.postgres.ts'
import type { PushSession } from './push-session.postgres.ts'
import { quoteLiteral, quoteName } from './quote.postgres.ts'
import type { ServiceContext } from './service-context.ts'
import type { SyncTable } from './sync-table.ts'
import type { Queryable } from './transaction.postgres.ts'

/** Consecutive rows of a push with the same table, operation and columns. */
export interface ApplyBatch {
  readonly table: SyncTable
  readonly opCode: OperationCode
  /** Of the payload, with the key column; generated ones are never staged. */
  readonly columns: readonly string[]
  /** Ordinals of the first and the last row. */
  readonly first: number
  readonly last: number
}

/** Applies the staged rows in the order of their upload, and has the deferred constraints checked. */
export async function applyPush(
  tx: PoolClient,
  context: ServiceContext,
  actor: Actor,
  session: PushSession,
): Promise<void> {
  for (const batch of await applyBatches(tx, context, session)) await applyBatch(tx, actor, session, batch)
  // Now rather than at COMMIT: what the host's own deferred triggers write belongs into the bundle too.
  await tx.query('set constraints all immediate')
}

export async function applyBatches(
  tx: Queryable,
  { tables }: ServiceContext,
  { pushId }: PushSession,
): Promise<readonly ApplyBatch[]> {
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
    table: tables.byId(row.table_id),
    opCode: row.op_code,
    columns: row.columns === null ? [] : (JSON.parse(row.columns) as string[]),
    first: Number(row.first),
    last: Number(row.last),
  }))
}

/** Applies the rows of a batch up to its `last`; a caller may have shortened it. */
export async function applyBatch(
  tx: Queryable,
  { userId }: Actor,
  { pushId }: PushSession,
  batch: ApplyBatch,
): Promise<void> {
  if (batch.opCode === operationCode.INSERT) await insertRows(tx, userId, pushId, batch)
  else
    await tx.query(
      batch.opCode === operationCode.UPDATE
        ? updateRows(userId, pushId, batch)
        : deleteRows(userId, pushId, batch),
    )
}

async function insertRows(tx: Queryable, userId: string, pushId: string, batch: ApplyBatch): Promise<void> {
  const { table, first, last } = batch
  const columns = batch.columns.map(quoteName)
  await tx.query(
    `insert into ${table.quoted} (${[scopeColumn, ...columns].join(', ')})
     select $1, ${columns.map((column) => `r.${column}`).join(', ')}
     from (select payload_apply from sync.push_session_rows where push_id = $2 and row_ordinal between $3 and $4
       order by row_ordinal) s, json_populate_record(null::${table.quoted}, s.payload_apply) r`,
    [userId, pushId, first, last],
  )
}

/**
 * UPDATE and DELETE have no order of their own: a joined statement would touch the rows in the order of some plan, and that
 * order would be the bundle's. The loop runs within the server and keeps to that of the upload.
 */
function updateRows(userId: string, pushId: string, { table, columns, first, last }: ApplyBatch): string {
  const key = quoteName(table.keyColumn)
  const others = columns.filter((column) => column !== table.keyColumn).map(quoteName)
  // A payload with nothing but the key still touches the row, as it does upstream.
  const set = (others.length === 0 ? [key] : others).map((column) => `${column} = s.${column}`)
  return loop(
    `select r.* from (${staged(pushId, first, last)}) p, json_populate_record(null::${table.quoted}, p.payload_apply) r`,
    `update ${table.quoted} t set ${set.join(', ')} where t.${scopeColumn} = ${quoteLiteral(userId)} and t.${key} = s.${key};`,
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
