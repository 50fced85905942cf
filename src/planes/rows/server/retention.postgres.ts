import type { ServiceSettings } from './service-config.ts'
import type { Queryable } from './transaction.postgres.ts'

export type RetentionSettings = Pick<ServiceSettings, 'retainedBundlesPerUser' | 'retentionPruneBatchSize'>

/** Lets go of old bundles, at most a batch with each commit (§3.9). Versions, sources and business rows stay. */
export async function pruneHistory(
  tx: Queryable,
  { settings }: { readonly settings: RetentionSettings },
  userPk: string,
  latest: number,
): Promise<void> {
  const target = latest - settings.retainedBundlesPerUser
  if (target <= 0) return
  const { rows } = await tx.query<{ floor: string }>(
    `update sync.user_state set retained_bundle_floor = least($2::bigint, retained_bundle_floor + $3)
     where user_pk = $1 and retained_bundle_floor < $2 returning retained_bundle_floor::text as floor`,
    [userPk, target, settings.retentionPruneBatchSize],
  )
  if (rows[0] !== undefined)
    await tx.query('delete from sync.bundle_log where user_pk = $1 and bundle_seq <= $2', [
      userPk,
      rows[0].floor,
    ])
}
