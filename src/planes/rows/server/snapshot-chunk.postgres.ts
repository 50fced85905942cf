import { isCanonicalUuid } from '../wire/uuid.ts'
import type { Actor } from './actor.ts'
import { snapshotRowText } from './payload-text.postgres.ts'
import { RowsError } from './rows-error.ts'
import type { ServiceContext } from './service-context.ts'
import { type Queryable, transact } from './transaction.postgres.ts'

export interface SnapshotChunkRequest {
  readonly snapshotId: string
  /** Rows that are held already. */
  readonly held: number
  /** Capped at the configured maximum. */
  readonly maxRows: number
}

interface SnapshotSession {
  readonly snapshotId: string
  readonly bundleSeq: number
  readonly rows: number
}

/** Rows of a snapshot as JSON text (§6.3). Writes nothing, and does not prolong the session. */
export async function snapshotChunk(
  { pool, settings }: ServiceContext,
  actor: Actor,
  { snapshotId, held, maxRows }: SnapshotChunkRequest,
): Promise<string> {
  const limit = Math.min(maxRows, settings.maxRowsPerSnapshotChunk)
  return transact(pool, { isolation: 'repeatable read', readOnly: true }, async (tx) => {
    const session = await findSession(tx, actor, snapshotId, true)
    const { rows } = await tx.query<{ text: string | null; count: string }>(
      `select string_agg(${snapshotRowText}, ',' order by r.row_ordinal) as text, count(*)::text as count
       from (
         select *, sum(octet_length(payload_wire::text)) over (order by row_ordinal
             rows between unbounded preceding and 1 preceding) as before
         from sync.snapshot_session_rows where snapshot_id = $1 and row_ordinal > $2 and row_ordinal <= $2::bigint + $3
       ) r join sync.table_catalog c on c.table_id = r.table_id
       where coalesce(r.before, 0) < $4`,
      [session.snapshotId, held, limit, settings.maxPullPageBytes],
    )
    const count = Number(rows[0]!.count)
    const more = count > 0 && held + count < session.rows
    return `{"snapshot_id":"${session.snapshotId}","snapshot_bundle_seq":${session.bundleSeq},"rows":[${rows[0]!.text ?? ''}],"next_row_ordinal":${held + count},"has_more":${more}}`
  })
}

/** Drops a snapshot before it expires. */
export async function deleteSnapshotSession(
  { pool }: ServiceContext,
  actor: Actor,
  snapshotId: string,
): Promise<void> {
  await transact(pool, {}, async (tx) => {
    const session = await findSession(tx, actor, snapshotId, false)
    await tx.query('delete from sync.snapshot_sessions where snapshot_id = $1', [session.snapshotId])
  })
}

async function findSession(
  tx: Queryable,
  { userId }: Actor,
  snapshotId: string,
  mustLive: boolean,
): Promise<SnapshotSession> {
  const id = snapshotId.toLowerCase()
  const { rows } = isCanonicalUuid(id)
    ? await tx.query<{ user_id: string; seq: string; rows: string; expired: boolean }>(
        `select u.user_id, s.snapshot_bundle_seq::text as seq, s.row_count::text as rows,
           s.expires_at < clock_timestamp() as expired
         from sync.snapshot_sessions s join sync.user_state u on u.user_pk = s.user_pk where s.snapshot_id = $1`,
        [id],
      )
    : { rows: [] }
  const session = rows[0]
  if (session === undefined) throw new RowsError('snapshot_session_not_found', 'there is no such snapshot')
  if (session.user_id !== userId)
    throw new RowsError('snapshot_session_forbidden', 'this snapshot belongs to another user')
  if (mustLive && session.expired)
    throw new RowsError('snapshot_session_expired', 'reading the snapshot took too long: make a new one')
  return { snapshotId: id, bundleSeq: Number(session.seq), rows: Number(session.rows) }
}
