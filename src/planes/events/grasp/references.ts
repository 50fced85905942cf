import type { NostrEvent } from '../event.ts'

const hex64 = /^[0-9a-f]{64}$/
/** Enough for any thread; an event with more references is looked at by its first ones. */
const maxReferences = 200

/** What an event says it belongs to: ids of events, and addresses. */
export function referencesOf({ tags }: NostrEvent): {
  readonly ids: readonly string[]
  readonly addresses: readonly string[]
} {
  const ids = new Set<string>()
  const addresses = new Set<string>()
  for (const [name = '', value = ''] of tags) {
    if (ids.size + addresses.size >= maxReferences) break
    if ((name === 'a' || name === 'A' || name === 'q') && value.includes(':')) addresses.add(value)
    else if ((name === 'e' || name === 'E' || name === 'q') && hex64.test(value)) ids.add(value)
  }
  return { ids: [...ids], addresses: [...addresses] }
}
