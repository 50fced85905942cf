import type { PushChunkRequest, PushChunkResponse } from '../wire/push.ts'
import type { Actor } from './actor.ts'
import { runsOf } from './apply-plans.ts'
import { copyRows } from './copy-rows.postgres.ts'
import { lockPushSession, pushTransaction } from './push-session.postgres.ts'
import { RowsError } from './rows-error.ts'
import { renewLease, transactInScope } from './scope.postgres.ts'
import type { ServiceContext } from './service-context.ts'
import { type StagedRow, stageRow } from './uploaded-row.ts'

const target =
  'sync.push_session_rows (push_id, row_ordinal, table_id, key_bytes, op_code, base_bundle_seq, payload_apply)'

/**
 * Stages rows (§4.2). They must continue where the last chunk ended. Whatever is wrong with a chunk, nothing of it is
 * stored and the session stays as it was.
 */
export async function uploadPushChunk(
  context: ServiceContext,
  actor: Actor,
  pushId: string,
  request: PushChunkRequest,
): Promise<PushChunkResponse> {
  const { start_row_ordinal: start } = request
  const staged = checkChunk(context, request)
  const answer = await transactInScope(
    context.pool,
    pushTransaction(context),
    actor.userId,
    async (tx, scope) => {
      const session = await lockPushSession(tx, actor, pushId)
      if (start !== session.nextOrdinal)
        throw new RowsError(
          'push_chunk_out_of_order',
          `the next row of this push is ${session.nextOrdinal}, not ${start}`,
          { expectedRowOrdinal: session.nextOrdinal, actualRowOrdinal: start },
        )
      const next = start + staged.length
      if (next > session.plannedRows)
        throw invalid(
          `the push was announced with ${session.plannedRows} rows; this chunk would make it ${next}`,
        )
      if (session.initializationId !== undefined)
        await renewLease(tx, context, scope, session.sourceId, session.initializationId)
      await copyRows(tx, target, stagingRows(session.pushId, start, staged))
      await tx.query(
        `update sync.push_sessions set next_expected_row_ordinal = $2,
         expires_at = clock_timestamp() + $3 * interval '1 millisecond' where push_id = $1`,
        [session.pushId, next, context.settings.pushSessionTtlMs],
      )
      return { push_id: session.pushId, next_expected_row_ordinal: next }
    },
  )
  context.applyPlans.extend(answer.push_id, runsOf(start, staged))
  return answer
}

function checkChunk(
  { settings, tables }: ServiceContext,
  { start_row_ordinal: start, rows }: PushChunkRequest,
): readonly StagedRow[] {
  if (start < 0) throw invalid('start_row_ordinal must not be negative')
  if (rows.length === 0) throw invalid('a chunk needs at least one row')
  if (rows.length > settings.maxRowsPerPushChunk)
    throw invalid(`a chunk has at most ${settings.maxRowsPerPushChunk} rows, not ${rows.length}`)
  const rules = { tables, ignoreUnknownColumns: settings.ignoreUnknownColumns }
  const seen = new Set<string>()
  return rows.map((row, i) => {
    const staged = stageRow(rules, row, start + i)
    const identity = `${staged.tableId} ${staged.keyHex}`
    if (seen.has(identity)) throw invalid(`row ${start + i}: the chunk holds this row twice`)
    seen.add(identity)
    return staged
  })
}

function* stagingRows(pushId: string, start: number, rows: readonly StagedRow[]) {
  for (const [i, row] of rows.entries())
    yield [pushId, start + i, row.tableId, { hex: row.keyHex }, row.opCode, row.baseVersion, row.payload]
}

function invalid(message: string): RowsError {
  return new RowsError('push_chunk_invalid', message)
}
