import type { Actor } from './actor.ts'
import { readBundleRows } from './bundle-rows.postgres.ts'
import { RowsError } from './rows-error.ts'
import { readScope } from './scope.postgres.ts'
import type { ServiceContext } from './service-context.ts'
import { transact } from './transaction.postgres.ts'

export interface CommittedRowsRequest {
  readonly bundleSeq: number
  /** 0-based ordinal of the last row that is held; undefined: none is. */
  readonly afterRowOrdinal: number | undefined
  /** Capped at the configured maximum. */
  readonly maxRows: number
}

/** A page of a bundle's rows as JSON text (§2.10); it may end early where it would become too large. */
export async function committedRows(
  { pool, settings }: ServiceContext,
  { userId }: Actor,
  { bundleSeq, afterRowOrdinal, maxRows }: CommittedRowsRequest,
): Promise<string> {
  const limit = Math.min(maxRows, settings.maxRowsPerCommittedBundleChunk)
  return transact(pool, { isolation: 'repeatable read', readOnly: true }, async (tx) => {
    const scope = await readScope(tx, userId)
    if (scope !== undefined && bundleSeq <= scope.floor)
      throw new RowsError('history_pruned', `bundle ${bundleSeq} is gone: begin anew with a snapshot`, {
        providedBundleSeq: bundleSeq,
        retainedBundleFloor: scope.floor,
      })
    const { rows } =
      scope === undefined
        ? { rows: [] }
        : await tx.query<{ row_count: string; text: string }>(
            `select row_count::text, '"source_id":' || to_json(source_id) || ',"source_bundle_id":' || source_bundle_id ||
               ',"row_count":' || row_count || ',"bundle_hash":"' || encode(bundle_hash, 'hex') || '"' as text
             from sync.bundle_log where user_pk = $1 and bundle_seq = $2`,
            [scope.userPk, bundleSeq],
          )
    const bundle = rows[0]
    if (scope === undefined || bundle === undefined)
      throw new RowsError('committed_bundle_not_found', `there is no bundle ${bundleSeq}`)
    const held = afterRowOrdinal === undefined ? 0 : afterRowOrdinal + 1
    const page = await readBundleRows(tx, scope.userPk, bundleSeq, held, limit, settings.maxPullPageBytes)
    const next = page.count === 0 ? (afterRowOrdinal ?? 0) : held + page.count - 1
    const more = page.count > 0 && held + page.count < Number(bundle.row_count)
    return `{"bundle_seq":${bundleSeq},${bundle.text},"rows":[${page.text}],"next_row_ordinal":${next},"has_more":${more}}`
  })
}
