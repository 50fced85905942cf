import type { PoolClient } from 'pg'
import type { CreateSnapshotRequest, CreateSnapshotResponse } from '../wire/snapshot.ts'
import type { Actor } from './actor.ts'
import { scopeColumn } from './capture.postgres.ts'
import { keyBytes, wirePayload } from './payload-text.postgres.ts'
import { quoteName } from './quote.postgres.ts'
import { RowsError } from './rows-error.ts'
import { lockUser, readScope, requireInitialized, type Scope } from './scope.postgres.ts'
import type { ServiceContext } from './service-context.ts'
import { checkReplacement, replaceSource } from './source-replacement.postgres.ts'
import type { SyncTable } from './sync-table.ts'
import { type Queryable, transact } from './transaction.postgres.ts'
import { wireTime } from './wire-time.ts'

const attempts = 3

/**
 * Freezes all live rows of a scope at its newest bundle (§6.1), and replaces the source if that is asked for: both or
 * neither. The rows are copied within the database, one statement per table; none of them passes through this process.
 */
export async function createSnapshotSession(
  context: ServiceContext,
  actor: Actor,
  request: CreateSnapshotRequest,
): Promise<CreateSnapshotResponse> {
  const { pool, clock } = context
  const replacement =
    request.source_replacement == null ? undefined : checkReplacement(actor, request.source_replacement)
  await deleteExpiredSnapshotSessions(pool)
  const first = replacement === undefined ? '' : lockUser(actor.userId)
  return transact(pool, { isolation: 'repeatable read', attempts, clock, first }, async (tx) => {
    const scope = requireInitialized(await readScope(tx, actor.userId))
    if (replacement !== undefined) await replaceSource(tx, scope.userPk, replacement)
    const { snapshotId, expiresAt } = await insertSession(tx, context, scope)
    const { rows, bytes } = await copyTables(tx, context, actor, scope, snapshotId)
    await tx.query(
      'update sync.snapshot_sessions set row_count = $2, byte_count = $3 where snapshot_id = $1',
      [snapshotId, rows, bytes],
    )
    return {
      snapshot_id: snapshotId,
      snapshot_bundle_seq: scope.latest,
      row_count: rows,
      byte_count: bytes,
      expires_at: expiresAt,
    }
  })
}

async function insertSession(
  tx: Queryable,
  { settings }: ServiceContext,
  { userPk, latest }: Scope,
): Promise<{ readonly snapshotId: string; readonly expiresAt: string }> {
  const { rows } = await tx.query<{ id: string; expires_at: string }>(
    `insert into sync.snapshot_sessions (snapshot_id, user_pk, snapshot_bundle_seq, expires_at)
     select gen_random_uuid(), $1, $2, clock_timestamp() + $3 * interval '1 millisecond'
     where (select count(*) from sync.snapshot_sessions where user_pk = $1) < $4
     returning snapshot_id::text as id, expires_at::text`,
    [userPk, latest, settings.snapshotSessionTtlMs, settings.maxSnapshotSessionsPerUser],
  )
  if (rows[0] === undefined)
    throw new RowsError(
      'too_many_sessions',
      `this user has ${settings.maxSnapshotSessionsPerUser} snapshots open, which is the limit`,
      { retryAfterSeconds: 60 },
    )
  return { snapshotId: rows[0].id, expiresAt: wireTime(rows[0].expires_at) }
}

async function copyTables(
  tx: PoolClient,
  { tables, settings }: ServiceContext,
  { userId }: Actor,
  { userPk }: Scope,
  snapshotId: string,
): Promise<{ readonly rows: number; readonly bytes: number }> {
  // Without statistics, as after a first upload, the planner expects one row and would join by nested loops: n² of them.
  await tx.query('set local enable_nestloop = off')
  let [rows, bytes] = [0, 0]
  for (const table of tables.ordered) {
    const known = await countRows(tx, table, userId, userPk)
    checkLimit('row_count', rows + known.versions, settings.maxRowsPerSnapshotSession)
    const copied = await copyTable(tx, table, userId, userPk, snapshotId, rows)
    if (copied.rows !== known.versions || copied.rows !== known.business)
      throw new Error(
        `table ${table.key} and its history disagree for user ${userPk}: ${known.business} rows, ${known.versions} versions, ${copied.rows} of both`,
      )
    rows += copied.rows
    bytes += copied.bytes
    checkLimit('byte_count', bytes, settings.maxBytesPerSnapshotSession)
  }
  return { rows, bytes }
}

async function countRows(tx: Queryable, table: SyncTable, userId: string, userPk: string) {
  const { rows } = await tx.query<{ business: string; versions: string }>(
    `select (select count(*) from ${table.quoted} where ${scopeColumn} = $1)::text as business,
       (select count(*) from sync.row_state where user_pk = $2 and table_id = $3 and deleted = false)::text as versions`,
    [userId, userPk, table.id],
  )
  return { business: Number(rows[0]!.business), versions: Number(rows[0]!.versions) }
}

async function copyTable(
  tx: Queryable,
  table: SyncTable,
  userId: string,
  userPk: string,
  snapshotId: string,
  before: number,
): Promise<{ readonly rows: number; readonly bytes: number }> {
  const key = `t.${quoteName(table.keyColumn)}`
  const { rows } = await tx.query<{ rows: string; bytes: string }>(
    `with copied as (
       insert into sync.snapshot_session_rows (snapshot_id, row_ordinal, table_id, key_bytes, bundle_seq, payload_wire)
       select $1, $2 + row_number() over (order by s.key_bytes), s.table_id, s.key_bytes, s.bundle_seq,
         (${wirePayload(table, 't')})::text::json
       from sync.row_state s join ${table.quoted} t on ${keyBytes(table, key)} = s.key_bytes and t.${scopeColumn} = $3
       where s.user_pk = $4 and s.table_id = $5 and s.deleted = false
       order by s.key_bytes
       returning octet_length(payload_wire::text) as bytes
     )
     select count(*)::text as rows, coalesce(sum(bytes), 0)::text as bytes from copied`,
    [snapshotId, before, userId, userPk, table.id],
  )
  return { rows: Number(rows[0]!.rows), bytes: Number(rows[0]!.bytes) }
}

function checkLimit(dimension: 'row_count' | 'byte_count', actual: number, limit: number): void {
  if (limit > 0 && actual > limit)
    throw new RowsError(
      'snapshot_session_limit_exceeded',
      `the snapshot would exceed the limit of ${limit} (${dimension})`,
      { dimension, actual, limit },
    )
}

/** Of all users. What another transaction holds is left for the next time. */
export async function deleteExpiredSnapshotSessions(db: Queryable): Promise<number> {
  const { rowCount } = await db.query(
    `delete from sync.snapshot_sessions where snapshot_id in (
       select snapshot_id from sync.snapshot_sessions where expires_at <= clock_timestamp() for update skip locked)`,
  )
  return rowCount ?? 0
}
