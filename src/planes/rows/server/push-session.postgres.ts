import type { CreatePushRequest, CreatePushResponse } from '../wire/push.ts'
import { isCanonicalUuid } from '../wire/uuid.ts'
import type { Actor } from './actor.ts'
import { findCommitted } from './committed-push.postgres.ts'
import { RowsError } from './rows-error.ts'
import { renewLease, type Scope, transactInScope } from './scope.postgres.ts'
import type { ServiceContext } from './service-context.ts'
import { lockSource, refuseOutOfOrder, refuseRetired } from './source.postgres.ts'
import { type Queryable, transact } from './transaction.postgres.ts'

/** How often a push operation is run in all when the database is busy (§3.8). */
const pushAttempts = 3

/** A push that is being uploaded. */
export interface PushSession {
  readonly pushId: string
  readonly userPk: string
  readonly sourceId: string
  readonly sourceBundleId: number
  readonly plannedRows: number
  readonly nextOrdinal: number
  readonly initializationId: string | undefined
}

/** Options of every transaction of a push. */
export function pushTransaction({ settings, clock }: ServiceContext) {
  return { attempts: pushAttempts, lockTimeoutMs: settings.uploadLockTimeoutMs, clock }
}

/**
 * Begins to stage a push, or says that it was committed already (§4.1, §3.10). A session of the same tuple that is still
 * open is dropped: its client has begun anew.
 */
export async function createPushSession(
  context: ServiceContext,
  { userId, sourceId }: Actor,
  request: CreatePushRequest,
): Promise<CreatePushResponse> {
  const { source_bundle_id: bundleId, planned_row_count: planned } = request
  if (bundleId <= 0) throw invalid('source_bundle_id must be positive')
  if (planned <= 0) throw invalid('planned_row_count must be positive')
  const initializationId = request.initialization_id?.trim() || undefined
  return transactInScope(context.pool, pushTransaction(context), userId, async (tx, scope) => {
    // Before the state of the scope is judged: the answer to a seed's commit may have been lost (§12 item 1).
    const committed = await findCommitted(tx, scope, sourceId, bundleId, request.canonical_request_hash)
    if (committed !== undefined) {
      await tx.query(`select nextval('sync.accepted_push_replay_seq')`)
      return { status: 'already_committed', ...committed }
    }
    await admit(tx, context, scope, sourceId, initializationId)
    const source = await lockSource(tx, scope.userPk, sourceId)
    refuseRetired(source)
    refuseOutOfOrder(source, bundleId)
    if (planned > context.settings.maxRowsPerBundle && context.settings.maxRowsPerBundle > 0)
      throw new RowsError(
        'bundle_too_large',
        `a push has at most ${context.settings.maxRowsPerBundle} rows`,
        {
          dimension: 'row_count',
          actual: planned,
          limit: context.settings.maxRowsPerBundle,
        },
      )
    const pushId = await insertSession(tx, context, scope.userPk, sourceId, request, initializationId)
    return { status: 'staging', push_id: pushId, planned_row_count: planned, next_expected_row_ordinal: 0 }
  })
}

async function admit(
  tx: Queryable,
  context: ServiceContext,
  scope: Scope,
  sourceId: string,
  initializationId: string | undefined,
): Promise<void> {
  const { kind } = scope.state
  if (kind === 'uninitialized')
    throw initializationId === undefined
      ? new RowsError('scope_uninitialized', 'nothing was ever synced here: connect first')
      : new RowsError(
          'initialization_expired',
          'the right to upload the first rows has run out: connect again',
        )
  if (kind === 'initialized') {
    if (initializationId !== undefined)
      throw invalid('initialization_id is given, but the scope is initialized already')
    return
  }
  if (initializationId === undefined)
    throw invalid(
      'the scope is being initialized: initialization_id is needed, and only its first source has one',
    )
  await renewLease(tx, context, scope, sourceId, initializationId)
}

async function insertSession(
  tx: Queryable,
  { settings }: ServiceContext,
  userPk: string,
  sourceId: string,
  request: CreatePushRequest,
  initializationId: string | undefined,
): Promise<string> {
  await deleteExpiredPushSessions(tx)
  await tx.query(
    'delete from sync.push_sessions where user_pk = $1 and source_id = $2 and source_bundle_id = $3',
    [userPk, sourceId, request.source_bundle_id],
  )
  const { rows } = await tx.query<{ push_id: string }>(
    `insert into sync.push_sessions
       (push_id, user_pk, source_id, source_bundle_id, planned_row_count, initialization_id, expires_at)
     select gen_random_uuid(), $1, $2, $3, $4, $5, clock_timestamp() + $6 * interval '1 millisecond'
     where (select count(*) from sync.push_sessions where user_pk = $1) < $7
     returning push_id::text`,
    [
      userPk,
      sourceId,
      request.source_bundle_id,
      request.planned_row_count,
      initializationId ?? null,
      settings.pushSessionTtlMs,
      settings.maxPushSessionsPerUser,
    ],
  )
  if (rows[0] === undefined)
    throw new RowsError(
      'too_many_sessions',
      `this user has ${settings.maxPushSessionsPerUser} pushes under way, which is the limit`,
      {
        retryAfterSeconds: 60,
      },
    )
  if (request.canonical_request_hash !== undefined)
    await tx.query(
      `insert into sync.syncline_request_hash values ($1, $2, $3, decode($4, 'hex'))
       on conflict (user_pk, source_id, source_bundle_id) do update set request_hash = excluded.request_hash`,
      [userPk, sourceId, request.source_bundle_id, request.canonical_request_hash],
    )
  return rows[0].push_id
}

/** Of all users. What another transaction holds is left for the next time. */
export async function deleteExpiredPushSessions(db: Queryable): Promise<number> {
  const { rowCount } = await db.query(
    `delete from sync.push_sessions where push_id in (
       select push_id from sync.push_sessions where expires_at <= clock_timestamp() for update skip locked)`,
  )
  return rowCount ?? 0
}

/** The session, locked; throws if there is none, if it is another's, or if it has expired. */
export async function lockPushSession(
  tx: Queryable,
  { userId, sourceId }: Actor,
  pushId: string,
): Promise<PushSession> {
  const id = pushId.toLowerCase()
  const { rows } = isCanonicalUuid(id)
    ? await tx.query<Record<string, string | boolean | null>>(
        `select p.push_id::text, p.user_pk::text, u.user_id, p.source_id, p.source_bundle_id::text,
           p.planned_row_count::text, p.next_expected_row_ordinal::text, p.initialization_id::text,
           p.expires_at <= clock_timestamp() as expired
         from sync.push_sessions p join sync.user_state u on u.user_pk = p.user_pk where p.push_id = $1 for update of p`,
        [id],
      )
    : { rows: [] }
  const row = rows[0]
  if (row === undefined)
    throw new RowsError(
      'push_session_not_found',
      'there is no such push: it was committed, dropped or begun anew',
    )
  if (row.user_id !== userId || row.source_id !== sourceId)
    throw new RowsError('push_session_forbidden', 'this push belongs to another user or source')
  if (row.expired) throw new RowsError('push_session_expired', 'the push took too long: begin it anew')
  return {
    pushId: id,
    userPk: String(row.user_pk),
    sourceId,
    sourceBundleId: Number(row.source_bundle_id),
    plannedRows: Number(row.planned_row_count),
    nextOrdinal: Number(row.next_expected_row_ordinal),
    initializationId: row.initialization_id === null ? undefined : String(row.initialization_id),
  }
}

/** Drops a push that is being uploaded. */
export async function deletePushSession(
  context: ServiceContext,
  actor: Actor,
  pushId: string,
): Promise<void> {
  await transact(context.pool, pushTransaction(context), async (tx) => {
    const session = await lockPushSession(tx, actor, pushId)
    await tx.query('delete from sync.push_sessions where push_id = $1', [session.pushId])
  })
}

function invalid(message: string): RowsError {
  return new RowsError('push_session_invalid', message)
}
