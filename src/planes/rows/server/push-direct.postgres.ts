import type { PoolClient } from 'pg'
import { operationCode } from '../wire/operation.ts'
import type { Actor } from './actor.ts'
import {
  capturedRow,
  type EffectBatch,
  payloadText,
  plainPayloadText,
  type RowEffect,
  rowsPerFetch,
} from './bundle-effects.postgres.ts'
import { appliedDirectly, scopeColumn, setBasedRun } from './capture.postgres.ts'
import {
  type ApplyBatch,
  insertStatement,
  markRun,
  pushedOrdinal,
  updateStatement,
} from './push-apply.postgres.ts'
import type { PushSession } from './push-session.postgres.ts'
import { quoteName } from './quote.postgres.ts'
import type { SyncTable } from './sync-table.ts'

interface WrittenRow {
  readonly key: string
  readonly payload: string
  readonly ordinal?: string
}

/**
 * Whether nothing but the pushed rows themselves can change: no deletion that might cascade, no trigger or rule of the host.
 * Then what the statements return is all that happened, and capturing it would write every row once more to read it again.
 */
export function isDirect(batches: readonly ApplyBatch[]): boolean {
  return batches.every(({ opCode, isHosted }) => opCode !== operationCode.DELETE && !isHosted)
}

/** As `applyPush`, and the effects of it as they come, in the order of the upload. */
export async function* applyDirectly(
  tx: PoolClient,
  { userId }: Actor,
  { pushId }: PushSession,
  batches: readonly ApplyBatch[],
): AsyncGenerator<EffectBatch> {
  await markRun(tx, appliedDirectly)
  for (const batch of batches) {
    const isInsert = batch.opCode === operationCode.INSERT
    const returned = `returning ${writtenRow(batch.table)}`
    const statement = isInsert
      ? `${insertStatement(batch)} ${returned}`
      : `${updateStatement(batch)} ${returned}, s.${pushedOrdinal}::text as ordinal`
    for (let first = batch.first; first <= batch.last; first += rowsPerFetch) {
      const last = Math.min(batch.last, first + rowsPerFetch - 1)
      const { rows } = await tx.query<WrittenRow>(statement, [userId, pushId, first, last])
      if (!isInsert) rows.sort((a, b) => Number(a.ordinal) - Number(b.ordinal))
      if (rows.length > 0) yield { count: rows.length, effects: () => effectsOf(batch, rows) }
    }
  }
  await tx.query(`set local ${setBasedRun} = ''; set constraints all immediate`)
}

/** SQL for the key and the payload of the row `t`; of a plain table with its members sorted, so that nothing is left to do. */
function writtenRow(table: SyncTable): string {
  const key = `t.${quoteName(table.keyColumn)}::text as key`
  if (!table.isPlain) return `${key}, (to_jsonb(t.*) - '${scopeColumn}')::text as payload`
  const columns = [...table.columns.keys()].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  const members = columns.map((name) => `t.${quoteName(name)}`).join(', ')
  return `${key}, (select row_to_json(r.*)::text from (select ${members}) r) as payload`
}

function* effectsOf({ table, opCode }: ApplyBatch, rows: readonly WrittenRow[]): Generator<RowEffect> {
  for (const { key, payload: text } of rows) {
    const keyHex = table.keyKind === 'uuid' ? key.replaceAll('-', '') : Buffer.from(key).toString('hex')
    const payload = table.isPlain
      ? plainPayloadText(table, text)
      : payloadText(table, capturedRow(table, text))
    yield { table, key, keyHex, opCode, payload }
  }
}
