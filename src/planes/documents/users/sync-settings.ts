import { z } from 'zod'

/** What a user wants of the sync of one database. */
export const syncSettingsSchema = z.object({
  syncEnabled: z.boolean(),
  syncOnCommit: z.boolean(),
  /** Seconds. */
  intervalSeconds: z.number().int().positive().optional(),
  properties: z.record(z.string(), z.string()),
})

export type SyncSettings = z.infer<typeof syncSettingsSchema>

export const syncDisabled: SyncSettings = { syncEnabled: false, syncOnCommit: false, properties: {} }
export const syncEnabled: SyncSettings = { ...syncDisabled, syncEnabled: true }
export const syncOnCommit: SyncSettings = { ...syncEnabled, syncOnCommit: true }

/**
 * What the wishes of several users come to: enabled and on commit when anybody wants it, the shortest interval, all
 * properties (of equal names the later user's). Users who do not want the database synced have no say.
 */
export function combineSyncSettings(wishes: readonly SyncSettings[]): SyncSettings {
  const enabled = wishes.filter((wish) => wish.syncEnabled)
  const intervals = enabled.flatMap(({ intervalSeconds }) => intervalSeconds ?? [])
  return {
    syncEnabled: enabled.length > 0,
    syncOnCommit: enabled.some((wish) => wish.syncOnCommit),
    ...(intervals.length === 0 ? {} : { intervalSeconds: Math.min(...intervals) }),
    properties: Object.assign({}, ...enabled.map(({ properties }) => properties)),
  }
}
