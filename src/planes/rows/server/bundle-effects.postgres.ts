import type { PoolClient } from 'pg'
import { canonicalForms } from '../wire/canonical-json.ts'
import { parseJson } from '../wire/json-text.ts'
import { isJsonObject, type JsonObject, type JsonValue } from '../wire/json-value.ts'
import { type OperationCode, operationCode } from '../wire/operation.ts'
import type { BundleWriter } from './bundle.postgres.ts'
import type { ServiceContext } from './service-context.ts'
import type { SyncTable, SyncTables } from './sync-table.ts'

/** What a transaction did to one row in the end. */
export interface RowEffect {
  readonly table: SyncTable
  readonly key: string
  readonly keyHex: string
  readonly opCode: OperationCode
  /** Null for DELETE. */
  readonly payload: PayloadText | null
}

/** Some of a bundle's effects, in their order; made of what the database said when they are asked for. */
export interface EffectBatch {
  readonly count: number
  /** Its rows are in `sync.bundle_rows` already. */
  readonly isLogged?: boolean
  /** Once. */
  effects(): Iterable<RowEffect>
}

export interface PayloadText {
  /** What the hash covers. */
  readonly canonical: string
  /** What is stored and sent: the same, but for numbers that a double would change. */
  readonly exact: string
}

/** Rows that are asked for at a time. */
export const rowsPerFetch = 2_000

/** Of each row: its first and last operation, its last payload, in the order of the first captures (§3.6). */
const effects = `
with stage as (
  select capture_ordinal, table_id, key_bytes, op_code,
    first_value(op_code) over w as first_op, first_value(capture_ordinal) over w as position,
    capture_ordinal = last_value(capture_ordinal) over w as is_last
  from sync.bundle_capture_stage where txid = txid_current() and user_pk = $1
  window w as (partition by table_id, key_bytes order by capture_ordinal
    rows between unbounded preceding and unbounded following)
)
select s.table_id, encode(s.key_bytes, 'hex') as key_hex, p.payload_db::text as payload,
  case c.sync_key_kind when 1 then encode(s.key_bytes, 'hex')::uuid::text else convert_from(s.key_bytes, 'UTF8') end as key,
  case when s.op_code = ${operationCode.DELETE} then ${operationCode.DELETE}
    when s.first_op = ${operationCode.INSERT} then ${operationCode.INSERT} else ${operationCode.UPDATE} end as op_code
from stage s join sync.bundle_capture_stage p using (capture_ordinal)
  join sync.table_catalog c on c.table_id = s.table_id
where s.is_last and not (s.op_code = ${operationCode.DELETE} and s.first_op = ${operationCode.INSERT})
order by s.position`

interface EffectRow {
  readonly table_id: number
  readonly key_hex: string
  readonly key: string
  readonly op_code: OperationCode
  readonly payload: string | null
}

/** In batches: a bundle may be larger than memory. One that is not needs no cursor. */
export async function* readEffects(
  tx: PoolClient,
  { tables }: ServiceContext,
  { userPk }: BundleWriter,
  expectedRows: number,
): AsyncGenerator<EffectBatch> {
  if (expectedRows <= rowsPerFetch) {
    const { rows } = await tx.query<EffectRow>(`${effects} limit ${rowsPerFetch + 1}`, [userPk])
    if (rows.length <= rowsPerFetch) {
      if (rows.length > 0) yield batchOf(tables, rows)
      return
    }
  }
  await tx.query(`declare bundle_effects no scroll cursor for ${effects}`, [userPk])
  for (;;) {
    const batch = await tx.query<EffectRow>(`fetch ${rowsPerFetch} from bundle_effects`)
    if (batch.rows.length > 0) yield batchOf(tables, batch.rows)
    if (batch.rows.length < rowsPerFetch) break
  }
  await tx.query('close bundle_effects')
}

/** Row by row: each is written out while the database already takes those before it. */
function batchOf(tables: SyncTables, rows: readonly EffectRow[]): EffectBatch {
  return {
    count: rows.length,
    *effects() {
      for (const row of rows) {
        const table = tables.byId(row.table_id)
        const payload = row.payload === null ? null : payloadText(table, capturedRow(table, row.payload))
        yield { table, key: row.key, keyHex: row.key_hex, opCode: row.op_code, payload }
      }
    },
  }
}

/** Of a row as `to_jsonb` has it, without its scope. */
export function capturedRow(table: SyncTable, text: string): JsonObject {
  const parsed = parseJson(text)
  if (!isJsonObject(parsed)) throw new TypeError(`the captured row of ${table.key} is no object`)
  return parsed
}

/** Integers that a double may not hold. */
const notCanonical = /\d{16}/

/** Of the JSON text of a row of a plain table, with its members in the order of canonical JSON, and escaped as there. */
export function plainPayloadText(table: SyncTable, text: string): PayloadText {
  if (notCanonical.test(text)) return payloadText(table, capturedRow(table, text))
  return { canonical: text, exact: text }
}

/** From PostgreSQL's jsonb, where bytea is hex. */
export function payloadText(table: SyncTable, parsed: JsonObject): PayloadText {
  if (table.byteaColumns.length === 0) return canonicalForms(parsed)
  const payload: Record<string, JsonValue> = { ...parsed }
  for (const name of table.byteaColumns) {
    const value = payload[name]
    if (typeof value === 'string') payload[name] = Buffer.from(value.slice(2), 'hex').toString('base64')
  }
  return canonicalForms(payload)
}
