import type { NostrEvent } from '../../../src/planes/events/event.ts'

/** A filter as it comes from a client. */
export interface AskedFilter {
  readonly ids?: readonly string[]
  readonly authors?: readonly string[]
  readonly kinds?: readonly number[]
  readonly since?: number
  readonly until?: number
  readonly limit?: number
  readonly [tag: `#${string}`]: readonly string[] | undefined
}

/** NIP-01, written anew: a harness that shared its matching with what it tests would share its mistakes. */
export function matches(filter: AskedFilter, event: NostrEvent): boolean {
  const { ids, authors, kinds, since, until } = filter
  if (ids !== undefined && !ids.includes(event.id)) return false
  if (authors !== undefined && !authors.includes(event.pubkey)) return false
  if (kinds !== undefined && !kinds.includes(event.kind)) return false
  if (since !== undefined && event.created_at < since) return false
  if (until !== undefined && event.created_at > until) return false
  for (const [key, wanted] of Object.entries(filter)) {
    if (!key.startsWith('#')) continue
    const letter = key.slice(1)
    const held = event.tags.filter(([name]) => name === letter).map(([, value]) => value)
    if (!(wanted as readonly string[]).some((value) => held.includes(value))) return false
  }
  return true
}
