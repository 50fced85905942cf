import type { ConnectRequest, ConnectResponse } from '../wire/connect.ts'
import type { Actor } from './actor.ts'
import type { EmptyStarts } from './empty-starts.ts'
import { initializeScope, leaseScope, transactInScope } from './scope.postgres.ts'
import type { ServiceContext } from './service-context.ts'

/** Decides how a source joins its user's scope (§7). */
export async function connect(
  context: ServiceContext,
  emptyStarts: EmptyStarts,
  { userId, sourceId }: Actor,
  { has_local_pending_rows: hasRows }: ConnectRequest,
): Promise<ConnectResponse> {
  return transactInScope(context.pool, {}, userId, async (tx, scope) => {
    const { state, userPk } = scope
    if (state.kind === 'initialized') return { resolution: 'remote_authoritative' }
    const owned = state.kind === 'initializing' && state.lease.sourceId === sourceId
    if (state.kind === 'initializing' && !owned)
      return {
        resolution: 'retry_later',
        retry_after_seconds: Math.max(1, Math.trunc(state.lease.secondsLeft)),
        lease_expires_at: state.lease.expiresAt,
      }
    if (hasRows) {
      emptyStarts.forget(userId)
      const id = state.kind === 'initializing' ? state.lease.initializationId : undefined
      const lease = await leaseScope(tx, context, userPk, sourceId, id)
      return {
        resolution: 'initialize_local',
        initialization_id: lease.initializationId,
        lease_expires_at: lease.expiresAt,
      }
    }
    const waitSeconds = owned ? 0 : emptyStarts.secondsToWait(userId, sourceId)
    if (waitSeconds > 0)
      return {
        resolution: 'retry_later',
        retry_after_seconds: waitSeconds,
        lease_expires_at: new Date(context.clock.now() + waitSeconds * 1_000).toISOString(),
      }
    await initializeScope(tx, userPk, sourceId)
    return { resolution: 'initialize_empty' }
  })
}
