import type { CommittedPush } from '../wire/push.ts'
import { RowsError } from './rows-error.ts'
import type { Scope } from './scope.postgres.ts'
import type { Queryable } from './transaction.postgres.ts'

/** What a source committed as its bundle `sourceBundleId`; undefined if it did not, or if that was pruned (§3.10). */
export async function findCommitted(
  db: Queryable,
  { userPk, floor }: Scope,
  sourceId: string,
  sourceBundleId: number,
  requestHash: string | undefined,
): Promise<CommittedPush | undefined> {
  const { rows } = await db.query<{
    bundle_seq: string
    row_count: string
    hash: string
    request: string | null
  }>(
    `select b.bundle_seq::text, b.row_count::text, encode(b.bundle_hash, 'hex') as hash,
       encode(r.request_hash, 'hex') as request
     from sync.bundle_log b left join sync.syncline_request_hash r
       on r.user_pk = b.user_pk and r.source_id = b.source_id and r.source_bundle_id = b.source_bundle_id
     where b.user_pk = $1 and b.source_id = $2 and b.source_bundle_id = $3 and b.bundle_seq > $4`,
    [userPk, sourceId, sourceBundleId, floor],
  )
  const row = rows[0]
  if (row === undefined) return undefined
  if (requestHash !== undefined && row.request !== null && row.request !== requestHash)
    throw new RowsError(
      'push_content_changed',
      `bundle ${sourceBundleId} of this source was committed with other rows; its number cannot be used again`,
    )
  return {
    bundle_seq: Number(row.bundle_seq),
    source_id: sourceId,
    source_bundle_id: sourceBundleId,
    row_count: Number(row.row_count),
    bundle_hash: row.hash,
  }
}
