import type { Pool, PoolClient } from 'pg'
import { quoteLiteral } from './quote.postgres.ts'
import { RowsError } from './rows-error.ts'
import type { ServiceContext } from './service-context.ts'
import { type Queryable, type TransactionOptions, transact } from './transaction.postgres.ts'
import { wireTime } from './wire-time.ts'

/** A user's scope as its lock, or a snapshot of the database, shows it. */
export interface Scope {
  /** As text: it may exceed 2^53. */
  readonly userPk: string
  /** The newest bundle; 0 before the first. */
  readonly latest: number
  /** Bundles up to it are gone. */
  readonly floor: number
  readonly state: ScopeState
}

/** Who seeds, or who has seeded, a scope (§7). A lease that has run out is as if there had been none. */
export type ScopeState =
  | { readonly kind: 'uninitialized' }
  | { readonly kind: 'initializing'; readonly lease: Lease }
  | { readonly kind: 'initialized' }

export interface Lease {
  readonly sourceId: string
  readonly initializationId: string
  /** On the wire. */
  readonly expiresAt: string
  readonly secondsLeft: number
}

interface ScopeRow {
  readonly user_pk: string
  readonly next_bundle_seq: string
  readonly retained_bundle_floor: string
  readonly state_code: number | null
  readonly initializer_source_id: string | null
  readonly initialization_id: string | null
  readonly lease_expires_at: string | null
  readonly seconds_left: string | null
}

/** The clock is the database's: hosts may disagree about the time (§12 item 41). `user` is SQL. */
const select = (user: string) => `
select u.user_pk::text, u.next_bundle_seq::text, u.retained_bundle_floor::text, s.state_code, s.initializer_source_id,
  s.initialization_id::text, s.lease_expires_at::text,
  extract(epoch from s.lease_expires_at - clock_timestamp())::text as seconds_left
from sync.user_state u left join sync.scope_state s on s.user_pk = u.user_pk where u.user_id = ${user}`

/** Undefined if the user was never seen. */
export async function readScope(db: Queryable, userId: string): Promise<Scope | undefined> {
  const { rows } = await db.query<ScopeRow>(select('$1'), [userId])
  return rows[0] === undefined ? undefined : scopeOf(rows[0])
}

/** SQL that locks a user until the transaction ends, as go-oversync does: one mutation at a time for each, across processes. */
export function lockUser(userId: string): string {
  return `select pg_advisory_xact_lock(hashtextextended(${quoteLiteral(userId)}, 0))`
}

/**
 * Runs `operation` in a transaction that locks the user first, so that everything that is read later is newer than the lock,
 * and makes the first records of a new user.
 */
export function transactInScope<T>(
  pool: Pool,
  options: TransactionOptions,
  userId: string,
  operation: (tx: PoolClient, scope: Scope) => Promise<T>,
): Promise<T> {
  const first = `${lockUser(userId)}; ${select(quoteLiteral(userId))}`
  return transact(pool, { ...options, first }, async (tx, found) => {
    const row = found.rows[0] as ScopeRow | undefined
    const known = row !== undefined && row.state_code !== null
    return operation(tx, known ? scopeOf(row) : await createScope(tx, userId))
  })
}

async function createScope(tx: Queryable, userId: string): Promise<Scope> {
  await tx.query('insert into sync.user_state (user_id) values ($1) on conflict (user_id) do nothing', [
    userId,
  ])
  await tx.query(
    `insert into sync.scope_state (user_pk, state_code) select user_pk, 0 from sync.user_state where user_id = $1
     on conflict (user_pk) do nothing`,
    [userId],
  )
  const { rows } = await tx.query<ScopeRow>(select('$1'), [userId])
  return scopeOf(rows[0]!)
}

function scopeOf(row: ScopeRow): Scope {
  const secondsLeft = Number(row.seconds_left ?? 0)
  const state: ScopeState =
    row.state_code === 2
      ? { kind: 'initialized' }
      : row.state_code === 1 && secondsLeft > 0
        ? {
            kind: 'initializing',
            lease: {
              sourceId: row.initializer_source_id!,
              initializationId: row.initialization_id!,
              expiresAt: wireTime(row.lease_expires_at!),
              secondsLeft,
            },
          }
        : { kind: 'uninitialized' }
  return {
    userPk: row.user_pk,
    latest: Number(row.next_bundle_seq) - 1,
    floor: Number(row.retained_bundle_floor),
    state,
  }
}

/** The scope, if rows may be read from it or written into it by the server; throws what says why not. */
export function requireInitialized(scope: Scope | undefined): Scope {
  if (scope === undefined || scope.state.kind === 'uninitialized')
    throw new RowsError('scope_uninitialized', 'nothing was ever synced here: connect first')
  if (scope.state.kind === 'initializing')
    throw new RowsError('scope_initializing', 'another device is uploading the first rows; try again later', {
      leaseExpiresAt: scope.state.lease.expiresAt,
    })
  return scope
}

/** Makes the source the one that initialized the scope. */
export async function initializeScope(db: Queryable, userPk: string, sourceId: string): Promise<void> {
  await db.query(
    `update sync.scope_state set state_code = 2, initializer_source_id = null, initialization_id = null,
       lease_expires_at = null, initialized_at = clock_timestamp(), initialized_by_source_id = $2 where user_pk = $1`,
    [userPk, sourceId],
  )
}

/** Gives the source the right to seed, or prolongs it, and returns the lease. A new id is drawn unless one is given. */
export async function leaseScope(
  db: Queryable,
  { settings }: Pick<ServiceContext, 'settings'>,
  userPk: string,
  sourceId: string,
  initializationId?: string,
): Promise<Pick<Lease, 'initializationId' | 'expiresAt'>> {
  const { rows } = await db.query<{ initialization_id: string; lease_expires_at: string }>(
    `update sync.scope_state set state_code = 1, initializer_source_id = $2,
       initialization_id = coalesce($3::uuid, gen_random_uuid()),
       lease_expires_at = clock_timestamp() + $4 * interval '1 millisecond',
       initialized_at = null, initialized_by_source_id = null
     where user_pk = $1 returning initialization_id::text, lease_expires_at::text`,
    [userPk, sourceId, initializationId ?? null, settings.initializationLeaseTtlMs],
  )
  return { initializationId: rows[0]!.initialization_id, expiresAt: wireTime(rows[0]!.lease_expires_at) }
}

/** Throws `initialization_stale` unless the source still holds the lease with this id; prolongs it. */
export async function renewLease(
  db: Queryable,
  context: Pick<ServiceContext, 'settings'>,
  scope: Scope,
  sourceId: string,
  initializationId: string,
): Promise<void> {
  const { state } = scope
  if (
    state.kind !== 'initializing' ||
    state.lease.sourceId !== sourceId ||
    state.lease.initializationId !== initializationId.toLowerCase()
  )
    throw new RowsError(
      'initialization_stale',
      'this source no longer holds the right to upload the first rows: connect again',
    )
  await leaseScope(db, context, scope.userPk, sourceId, state.lease.initializationId)
}
