import type { PoolClient } from 'pg'
import { operationCode } from '../wire/operation.ts'
import type { CommittedPush } from '../wire/push.ts'
import type { Actor } from './actor.ts'
import { type BundleWriter, beginBundle, finishBundle } from './bundle.postgres.ts'
import { readEffects } from './bundle-effects.postgres.ts'
import { openBundle } from './bundle-write.postgres.ts'
import { type ApplyBatch, applyBatches, applyPush } from './push-apply.postgres.ts'
import { refuseConflict } from './push-conflict.postgres.ts'
import { applyDirectly, isDirect } from './push-direct.postgres.ts'
import { explainRejection, isRejection } from './push-rejection.postgres.ts'
import { lockPushSession, type PushSession, pushTransaction } from './push-session.postgres.ts'
import { RowsError } from './rows-error.ts'
import { initializeScope, renewLease, type Scope, transactInScope } from './scope.postgres.ts'
import type { ServiceContext } from './service-context.ts'
import { activateSource, lockSource, refuseRetired } from './source.postgres.ts'
import type { Queryable } from './transaction.postgres.ts'

/**
 * Makes a bundle of a staged push (§4.4): all of it, or nothing. What the database itself refuses is answered with
 * `push_rejected` and the row at fault.
 */
export async function commitPushSession(
  context: ServiceContext,
  actor: Actor,
  pushId: string,
): Promise<CommittedPush> {
  try {
    const committed = await transactInScope(
      context.pool,
      pushTransaction(context),
      actor.userId,
      (tx, scope) => commit(tx, context, actor, scope, pushId),
    )
    context.applyPlans.forget(pushId)
    return committed
  } catch (error) {
    if (!isRejection(error)) throw error
    throw await explainRejection(context, actor, pushId, error)
  }
}

async function commit(
  tx: PoolClient,
  context: ServiceContext,
  actor: Actor,
  scope: Scope,
  pushId: string,
): Promise<CommittedPush> {
  const session = await lockPushSession(tx, actor, pushId)
  const { sourceId, sourceBundleId, initializationId } = session
  await checkStaging(tx, session)
  if (initializationId !== undefined) await renewLease(tx, context, scope, sourceId, initializationId)
  const source = await lockSource(tx, scope.userPk, sourceId)
  refuseRetired(source)
  if (sourceBundleId !== source.committed + 1)
    throw new RowsError(
      'source_sequence_changed',
      `this source committed bundle ${source.committed} in the meantime; ${sourceBundleId} is no longer its next`,
    )
  await refuseConflict(tx, context, session)
  const bundle = { userId: actor.userId, userPk: scope.userPk, sourceId, sourceBundleId, initializationId }
  await beginBundle(tx, bundle)
  const committed = await applyAndFinish(tx, context, actor, session, bundle)
  if (committed === undefined) throw invalid('the push changed nothing on the server')
  await activateSource(tx, scope, sourceId, sourceBundleId)
  if (initializationId !== undefined) await initializeScope(tx, scope.userPk, sourceId)
  await tx.query('delete from sync.push_sessions where push_id = $1', [session.pushId])
  return committed
}

async function applyAndFinish(
  tx: PoolClient,
  context: ServiceContext,
  actor: Actor,
  session: PushSession,
  bundle: BundleWriter,
): Promise<CommittedPush | undefined> {
  const batches = await applyBatches(tx, context, session)
  const direct = isDirect(batches)
  if (!direct)
    await context.stages.measure('push_commit', 'apply', session.plannedRows, () =>
      applyPush(tx, actor, session, batches),
    )
  // If nothing remains of the push it fails, and the number was not used.
  const opened = direct
    ? { seq: await openBundle(tx, bundle), isNew: await isNew(tx, session, batches) }
    : undefined
  const effects =
    opened !== undefined
      ? applyDirectly(tx, actor, session, batches, opened.seq)
      : readEffects(tx, context, bundle, session.plannedRows)
  return context.stages.measure(
    'push_commit',
    direct ? 'apply_and_finish' : 'finish',
    (found) => found?.row_count ?? 0,
    () => finishBundle(tx, context, bundle, effects, opened),
  )
}

/**
 * Whether the push only inserts rows of which nothing is known. That those based on nothing are such was found when conflicts
 * were looked for, under the lock of the scope.
 */
async function isNew(
  tx: Queryable,
  { pushId }: PushSession,
  batches: readonly ApplyBatch[],
): Promise<boolean> {
  if (batches.some(({ opCode }) => opCode !== operationCode.INSERT)) return false
  const { rows } = await tx.query<{ known: boolean }>(
    'select exists (select from sync.push_session_rows where push_id = $1 and base_bundle_seq <> 0) as known',
    [pushId],
  )
  return !rows[0]!.known
}

/** All rows must be there, and each target once (§4.4 step 2). */
async function checkStaging(tx: Queryable, { pushId, plannedRows, nextOrdinal }: PushSession): Promise<void> {
  if (nextOrdinal !== plannedRows)
    throw invalid(`the push was announced with ${plannedRows} rows, ${nextOrdinal} were uploaded`)
  const { rows } = await tx.query<{ rows: string; first: string; last: string; twice: boolean }>(
    `select count(*)::text as rows, min(row_ordinal)::text as first, max(row_ordinal)::text as last,
       exists (select from sync.push_session_rows where push_id = $1
         group by table_id, key_bytes having count(*) > 1) as twice
     from sync.push_session_rows where push_id = $1`,
    [pushId],
  )
  const { rows: count, first, last, twice } = rows[0]!
  if (Number(count) !== plannedRows || Number(first) !== 0 || Number(last) !== plannedRows - 1)
    throw invalid('the uploaded rows are not complete')
  if (twice) throw invalid('the push holds a row twice')
}

function invalid(message: string): RowsError {
  return new RowsError('push_commit_invalid', message)
}
