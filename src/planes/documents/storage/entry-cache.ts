import type { SealedEntry } from '../entry/entry.ts'
import type { EntryId } from '../entry/entry-id.ts'
import { RecentMap } from './recent-map.ts'

/** Decoded entries that were used lately. They are named by their content, so a cached one is never stale. */
export type EntryCache = RecentMap<EntryId, SealedEntry>

/** Bytes of encoded entries in one generation; decoded they take a few times as much. */
const maxBytes = 8 * 1024 * 1024

export function createEntryCache(): EntryCache {
  return new RecentMap(maxBytes, ({ bytes }) => bytes.length)
}
