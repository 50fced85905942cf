import type { PoolClient } from 'pg'
import { operationCode } from '../wire/operation.ts'
import type { Actor } from './actor.ts'
import {
  capturedRow,
  type EffectBatch,
  payloadText,
  type RowEffect,
  rowsPerFetch,
} from './bundle-effects.postgres.ts'
import { appliedDirectly, scopeColumn } from './capture.postgres.ts'
import {
  type ApplyBatch,
  insertStatement,
  markRun,
  pushedOrdinal,
  updateStatement,
} from './push-apply.postgres.ts'
import type { PushSession } from './push-session.postgres.ts'

interface WrittenRow {
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
    const returned = `returning (to_jsonb(t) - '${scopeColumn}')::text as payload`
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
  await markRun(tx, '')
  await tx.query('set constraints all immediate')
}

function* effectsOf({ table, opCode }: ApplyBatch, rows: readonly WrittenRow[]): Generator<RowEffect> {
  for (const row of rows) {
    const written = capturedRow(table, row.payload)
    const key = String(written[table.keyColumn])
    const keyHex = table.keyKind === 'uuid' ? key.replaceAll('-', '') : Buffer.from(key).toString('hex')
    yield { table, key, keyHex, opCode, payload: payloadText(table, written) }
  }
}
