import type { NostrEvent } from '../event.ts'
import type { Visibility } from '../event-store.ts'

/** May the reader see this event? Restricted kinds only as its author or as one of its `p` tags (promise N8). */
export function isVisible(event: NostrEvent, { restrictedKinds, pubkeys, guard }: Visibility): boolean {
  if (guard?.allows(event) === false) return false
  if (!restrictedKinds.includes(event.kind)) return true
  if (pubkeys.includes(event.pubkey)) return true
  return event.tags.some(([name, value]) => name === 'p' && value !== undefined && pubkeys.includes(value))
}
