import { operationCode } from '../wire/operation.ts'
import { scopeColumn } from './capture.postgres.ts'
import { quoteLiteral, quoteName } from './quote.postgres.ts'
import type { SyncTable } from './sync-table.ts'

/**
 * SQL for the payload of the row `alias` as it goes over the wire: jsonb, numbers digit by digit, bytea as base64.
 * `encode` breaks its lines after 76 characters, which no decoder of ours takes.
 */
export function wirePayload(table: SyncTable, alias: string): string {
  const whole = `to_jsonb(${alias}.*) - '${scopeColumn}'`
  const { byteaColumns } = table
  if (byteaColumns.length === 0) return whole
  const members = byteaColumns.map(
    (name) => `${quoteLiteral(name)}, translate(encode(${alias}.${quoteName(name)}, 'base64'), E'\\n', '')`,
  )
  return `(${whole}) || jsonb_build_object(${members.join(', ')})`
}

/** SQL for the key of a row of `alias` joined with its catalog entry `c`, as text. */
const keyText = (alias: string) =>
  `case c.sync_key_kind when 1 then encode(${alias}.key_bytes, 'hex')::uuid::text else convert_from(${alias}.key_bytes, 'UTF8') end`

const head = (alias: string) =>
  `'{"schema":' || to_json(c.schema_name) || ',"table":' || to_json(c.table_name) || ',"key":{' || to_json(c.sync_key_column) || ':' || to_json(${keyText(alias)}) || '}'`

/**
 * SQL for a row of `sync.bundle_rows` as JSON text (§2.10). What was stored is sent as it was stored: nothing is parsed or
 * formatted anew, however often the bundle is pulled.
 */
export const bundleRowText = `${head('r')} || case r.op_code
  when ${operationCode.DELETE} then ',"op":"DELETE","row_version":' || r.bundle_seq || '}'
  else case r.op_code when ${operationCode.INSERT} then ',"op":"INSERT"' else ',"op":"UPDATE"' end
    || ',"row_version":' || r.bundle_seq || ',"payload":' || r.payload_wire || '}' end`

/** SQL for a row of `sync.snapshot_session_rows` as JSON text (§2.13). */
export const snapshotRowText = `${head('r')} || ',"row_version":' || r.bundle_seq || ',"payload":' || r.payload_wire || '}'`

/** SQL for the bytes by which a row of `table` is known, from SQL for its key. */
export function keyBytes(table: SyncTable, key: string): string {
  return table.keyKind === 'uuid' ? `uuid_send(${key})` : `convert_to(${key}, 'UTF8')`
}
