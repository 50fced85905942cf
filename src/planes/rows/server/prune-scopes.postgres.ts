import type { Pool } from 'pg'
import { deleteExpiredPushSessions } from './push-session.postgres.ts'
import { pruneHistory } from './retention.postgres.ts'
import { lockUser, readScope } from './scope.postgres.ts'
import { isBootstrapped, listScopes } from './scope-list.postgres.ts'
import { deleteExpiredSnapshotSessions } from './snapshot-create.postgres.ts'
import { transact } from './transaction.postgres.ts'

export interface PruneOptions {
  /** Bundles each user keeps. */
  readonly keep: number
  /** Only this user. */
  readonly user?: string | undefined
  readonly signal?: AbortSignal | undefined
}

export interface PruneReport {
  /** Of whom bundles were deleted. */
  readonly users: number
  readonly bundles: number
  /** That had expired. */
  readonly pushSessions: number
  readonly snapshotSessions: number
}

/** Small transactions, so that a user waits for no longer than for a push of his other device. */
const bundlesAtOnce = 1_000
const usersAtOnce = 500

/**
 * Deletes the history beyond `keep` bundles of each user, and expired sessions, at once; commits do the same little by
 * little. Rows stay: a device that was away for longer gets a snapshot.
 */
export async function pruneScopes(pool: Pool, { keep, user, signal }: PruneOptions): Promise<PruneReport> {
  const report = { users: 0, bundles: 0, pushSessions: 0, snapshotSessions: 0 }
  if (!(await isBootstrapped(pool))) return report
  for await (const name of user === undefined ? allUsers(pool) : [user]) {
    const bundles = await pruneUser(pool, name, keep, signal)
    report.bundles += bundles
    if (bundles > 0) report.users++
  }
  return {
    ...report,
    pushSessions: await deleteExpiredPushSessions(pool),
    snapshotSessions: await deleteExpiredSnapshotSessions(pool),
  }
}

async function* allUsers(pool: Pool): AsyncGenerator<string> {
  for (let after = ''; ; ) {
    const page = await listScopes(pool, { after, limit: usersAtOnce })
    for (const { user } of page) yield user
    if (page.length < usersAtOnce) return
    after = page.at(-1)!.user
  }
}

async function pruneUser(pool: Pool, user: string, keep: number, signal?: AbortSignal): Promise<number> {
  const settings = { retainedBundlesPerUser: keep, retentionPruneBatchSize: bundlesAtOnce }
  for (let pruned = 0; ; ) {
    signal?.throwIfAborted()
    const { from, to, more } = await transact(pool, { attempts: 3 }, async (tx) => {
      await tx.query(lockUser(user))
      const scope = await readScope(tx, user)
      if (scope === undefined) return { from: 0, to: 0, more: false }
      await pruneHistory(tx, { settings }, scope.userPk, scope.latest)
      const target = Math.max(scope.floor, scope.latest - keep)
      const floor = Math.min(target, scope.floor + bundlesAtOnce)
      return { from: scope.floor, to: floor, more: floor < target }
    })
    pruned += to - from
    if (!more) return pruned
  }
}
