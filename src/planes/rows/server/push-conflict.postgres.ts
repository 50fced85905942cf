import { parseJson } from '../wire/json-text.ts'
import { isJsonObject, type JsonObject } from '../wire/json-value.ts'
import { type OperationCode, operationCode, operationOf } from '../wire/operation.ts'
import { bytesToKey } from '../wire/sync-key.ts'
import { scopeColumn } from './capture.postgres.ts'
import { wirePayload } from './payload-text.postgres.ts'
import type { PushSession } from './push-session.postgres.ts'
import { RowsError } from './rows-error.ts'
import type { ServiceContext } from './service-context.ts'
import type { SyncTable } from './sync-table.ts'
import type { Queryable } from './transaction.postgres.ts'

interface ConflictRow {
  readonly row_ordinal: string
  readonly table_id: number
  readonly key_hex: string
  readonly op_code: OperationCode
  readonly base: string
  readonly version: string | null
  readonly deleted: boolean | null
}

/** The table of §4.5: which rows may be written, given what they were based on. */
const conflicting = `
select p.row_ordinal::text, p.table_id, encode(p.key_bytes, 'hex') as key_hex, p.op_code, p.base_bundle_seq::text as base,
  s.bundle_seq::text as version, s.deleted
from sync.push_session_rows p
  left join sync.row_state s on s.user_pk = $2 and s.table_id = p.table_id and s.key_bytes = p.key_bytes
where p.push_id = $1 and case
  when p.op_code = ${operationCode.INSERT}
    then not coalesce(case when s.bundle_seq is null then p.base_bundle_seq = 0
      else s.deleted and p.base_bundle_seq = s.bundle_seq end, false)
  else not coalesce(not s.deleted and p.base_bundle_seq = s.bundle_seq, false) end
order by p.row_ordinal limit 1`

/** Throws `push_conflict` with the first row that is based on something else than what is there. */
export async function refuseConflict(
  tx: Queryable,
  { tables }: ServiceContext,
  { pushId, userPk }: PushSession,
): Promise<void> {
  const { rows } = await tx.query<ConflictRow>(conflicting, [pushId, userPk])
  const row = rows[0]
  if (row === undefined) return
  const table = tables.byId(row.table_id)
  const key = bytesToKey(table.keyKind, Buffer.from(row.key_hex, 'hex'))!
  const live = row.version !== null && row.deleted === false
  throw new RowsError('push_conflict', `row ${row.row_ordinal} of the push was changed by another device`, {
    conflict: {
      schema: table.schema,
      table: table.name,
      key: { [table.keyColumn]: key },
      op: operationOf(row.op_code),
      base_row_version: Number(row.base),
      server_row_version: Number(row.version ?? 0),
      server_row_deleted: row.deleted === true,
      server_row: live ? await currentRow(tx, userPk, table, key) : null,
    },
  })
}

async function currentRow(
  tx: Queryable,
  userPk: string,
  table: SyncTable,
  key: string,
): Promise<JsonObject | null> {
  const { rows } = await tx.query<{ payload: string }>(
    `select (${wirePayload(table, 't')})::text as payload from ${table.quoted} t
     where t.${scopeColumn} = (select user_id from sync.user_state where user_pk = $1)
       and t."${table.keyColumn}" = $2`,
    [userPk, key],
  )
  const payload = rows[0] === undefined ? null : parseJson(rows[0].payload)
  return isJsonObject(payload) ? payload : null
}
