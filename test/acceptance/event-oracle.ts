import type { NostrEvent } from '../../src/planes/events/event.ts'
import type { PutOutcome, Visibility } from '../../src/planes/events/event-store.ts'
import type { Filter } from '../../src/planes/events/filter.ts'

/**
 * A relay as an array: NIP-01, 09, 40, 59 and 62 read literally, every question answered by looking at everything.
 * It shares no code with any store, and nothing in it is fast.
 */
export class DumbRelay {
  /** Stored now, in order of arrival. Includes what has expired since. */
  #events: NostrEvent[] = []
  /** Deletion requests that counted, also those a request to vanish has removed. */
  readonly #deletions: NostrEvent[] = []
  /** Versions of replaceable events whose author deleted them by id. */
  readonly #deletedVersions: NostrEvent[] = []
  readonly #vanishes: NostrEvent[] = []
  readonly #urls: readonly string[]

  constructor(urls: readonly string[]) {
    this.#urls = urls
  }

  /** @param now seconds */
  put(event: NostrEvent, now: number): PutOutcome {
    const ephemeral = event.kind >= 20_000 && event.kind < 30_000
    if (!ephemeral && isExpired(event, now)) return 'expired'
    if (this.#events.some((stored) => stored.id === event.id)) return 'duplicate'

    if (this.#isVanished(event)) {
      if (event.kind === 5) this.#applyDeletion(event)
      return 'vanished'
    }
    if (this.#isDeletedById(event)) {
      this.#deletedVersions.push(event)
      this.#events = this.#events.filter((stored) => !replaces(event, stored))
      return 'deleted'
    }
    if (this.#isDeletedByAddress(event)) return 'deleted'
    if (this.#deletedVersions.some((gone) => replaces(gone, event))) return 'deleted'
    if (ephemeral) return 'ephemeral'
    if (this.live(now).some((stored) => replaces(stored, event))) return 'superseded'

    this.#events = this.#events.filter((stored) => !sameAddress(stored, event))
    this.#events.push(event)
    if (event.kind === 5) this.#applyDeletion(event)
    if (this.#isOurVanish(event)) {
      this.#vanishes.push(event)
      this.#events = this.#events.filter((stored) => stored === event || !this.#isVanished(stored))
    }
    return 'stored'
  }

  /** What a reader may get at all: stored and not expired. */
  live(now: number): NostrEvent[] {
    return this.#events.filter((event) => !isExpired(event, now))
  }

  sweep(now: number): number {
    const before = this.#events.length
    this.#events = this.live(now)
    return before - this.#events.length
  }

  /** Newest first, ties by the lower id; the union of each filter's newest `limit`. */
  query(filters: readonly Filter[], now: number, visibility: Visibility, defaultLimit: number): NostrEvent[] {
    const picked = new Set<NostrEvent>()
    for (const filter of filters) {
      const found = sorted(
        this.live(now).filter((event) => matches(event, filter) && maySee(event, visibility)),
      )
      for (const event of found.slice(0, filter.limit ?? defaultLimit)) picked.add(event)
    }
    return sorted([...picked])
  }

  #isOurVanish(event: NostrEvent): boolean {
    if (event.kind !== 62) return false
    return event.tags.some(
      (tag) => tag[0] === 'relay' && (tag[1] === 'ALL_RELAYS' || this.#urls.includes(tag[1]!)),
    )
  }

  #isVanished(event: NostrEvent): boolean {
    return this.#vanishes.some((request) => {
      if (request.id === event.id || event.created_at > request.created_at) return false
      if (event.kind === 1059 && hasTag(event, 'p', request.pubkey)) return true
      if (event.pubkey !== request.pubkey) return false
      // Of two requests made in the same second, the one with the lower id is kept.
      const rival = this.#isOurVanish(event) && event.created_at === request.created_at
      return !(rival && event.id < request.id)
    })
  }

  #isDeletedById(event: NostrEvent): boolean {
    if (event.kind === 5 || event.kind === 62) return false
    return this.#deletions.some((deletion) => hasTag(deletion, 'e', event.id) && mayDelete(deletion, event))
  }

  #isDeletedByAddress(event: NostrEvent): boolean {
    const address = addressOf(event)
    if (address === undefined) return false
    return this.#deletions.some((deletion) => {
      const own = deletion.pubkey === event.pubkey && deletion.created_at >= event.created_at
      return own && hasTag(deletion, 'a', address)
    })
  }

  #applyDeletion(deletion: NostrEvent): void {
    this.#deletions.push(deletion)
    for (const event of this.#events) {
      if (addressOf(event) !== undefined && this.#isDeletedById(event)) this.#deletedVersions.push(event)
    }
    this.#events = this.#events.filter(
      (event) => !this.#isDeletedById(event) && !this.#isDeletedByAddress(event),
    )
  }
}

/** NIP-01, literally: each list is an "or", all conditions together an "and". */
export function matches(event: NostrEvent, filter: Filter): boolean {
  if (filter.ids !== undefined && !filter.ids.includes(event.id)) return false
  if (filter.authors !== undefined && !filter.authors.includes(event.pubkey)) return false
  if (filter.kinds !== undefined && !filter.kinds.includes(event.kind)) return false
  if (filter.since !== undefined && event.created_at < filter.since) return false
  if (filter.until !== undefined && event.created_at > filter.until) return false
  for (const [key, values] of Object.entries(filter)) {
    if (!key.startsWith('#')) continue
    const wanted = values as readonly string[]
    if (!wanted.some((value) => hasTag(event, key.slice(1), value))) return false
  }
  return true
}

export function maySee(event: NostrEvent, { restrictedKinds, pubkeys }: Visibility): boolean {
  if (!restrictedKinds.includes(event.kind)) return true
  return pubkeys.some((pubkey) => pubkey === event.pubkey || hasTag(event, 'p', pubkey))
}

function sorted(events: NostrEvent[]): NostrEvent[] {
  return events.sort((a, b) => b.created_at - a.created_at || (a.id < b.id ? -1 : 1))
}

function hasTag(event: NostrEvent, name: string, value: string): boolean {
  return event.tags.some((tag) => tag[0] === name && tag[1] === value)
}

function isExpired(event: NostrEvent, now: number): boolean {
  const tag = event.tags.find(([name]) => name === 'expiration')
  return tag?.[1] !== undefined && /^\d+$/.test(tag[1]) && Number(tag[1]) <= now
}

/** `kind:pubkey:d`; undefined for kinds of which every event stays. */
function addressOf(event: NostrEvent): string | undefined {
  const { kind, pubkey } = event
  if (kind === 0 || kind === 3 || (kind >= 10_000 && kind < 20_000)) return `${kind}:${pubkey}:`
  if (kind < 30_000 || kind >= 40_000) return undefined
  return `${kind}:${pubkey}:${event.tags.find(([name]) => name === 'd')?.[1] ?? ''}`
}

function sameAddress(a: NostrEvent, b: NostrEvent): boolean {
  return addressOf(a) !== undefined && addressOf(a) === addressOf(b)
}

/** Is `a` the version that stays when `a` and `b` are versions of one event? */
function replaces(a: NostrEvent, b: NostrEvent): boolean {
  if (!sameAddress(a, b)) return false
  return a.created_at > b.created_at || (a.created_at === b.created_at && a.id < b.id)
}

function mayDelete(deletion: NostrEvent, event: NostrEvent): boolean {
  return deletion.pubkey === event.pubkey || (event.kind === 1059 && hasTag(event, 'p', deletion.pubkey))
}
