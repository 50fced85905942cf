import type { NostrEvent } from '../event.ts'
import type { Visibility } from '../event-store.ts'
import type { Filter } from '../filter.ts'

/** May the reader see this event? Restricted kinds only as its author or as one of its `p` tags (promise N8). */
export function isVisible(event: NostrEvent, { restrictedKinds, pubkeys }: Visibility): boolean {
  if (!restrictedKinds.includes(event.kind)) return true
  if (pubkeys.includes(event.pubkey)) return true
  return event.tags.some(([name, value]) => name === 'p' && value !== undefined && pubkeys.includes(value))
}

/**
 * The filters ask for nothing but restricted kinds, and the reader has not authenticated: better told than given an
 * empty answer. Filters that ask for other kinds too, or for all, just do not show what is restricted.
 */
export function onlyRestricted(
  filters: readonly Filter[],
  { restrictedKinds, pubkeys }: Visibility,
): boolean {
  if (pubkeys.length > 0) return false
  return filters.every(({ kinds }) => {
    return kinds !== undefined && kinds.length > 0 && kinds.every((kind) => restrictedKinds.includes(kind))
  })
}
