import { verifyEvent } from 'nostr-tools'
import type { NostrEvent } from '../../../src/planes/events/event.ts'
import type { Frame } from './behaviour.ts'
import type { EventSet } from './event-set.ts'
import { type AskedFilter, matches } from './filter.ts'

/** What one client of a conforming relay without NIP-77 has open, and what it is answered (NIP-01, NIP-45). */
export class ConformingRelay {
  readonly #set: EventSet
  readonly #subscriptions = new Map<string, readonly AskedFilter[]>()
  /** Tells every other client of an event that is new. */
  readonly #announce: (event: NostrEvent) => void

  constructor(set: EventSet, announce: (event: NostrEvent) => void) {
    this.#set = set
    this.#announce = announce
  }

  answer(frame: Frame): readonly Frame[] {
    const [verb, id] = frame as readonly [string, string]
    switch (verb) {
      case 'REQ':
        return this.#request(id, frame.slice(2) as AskedFilter[])
      case 'CLOSE':
        this.#subscriptions.delete(id)
        return []
      case 'EVENT':
        return [this.#publish(frame[1] as NostrEvent)]
      case 'COUNT':
        return [['COUNT', id, { count: this.#find(frame.slice(2) as AskedFilter[]).length }]]
      case 'AUTH':
        return [['OK', (frame[1] as NostrEvent).id, true, '']]
      default:
        return [['NOTICE', `ERROR: bad msg: unknown cmd ${verb}`]]
    }
  }

  /** What a new event means for this client. */
  live(event: NostrEvent): readonly Frame[] {
    return [...this.#subscriptions]
      .filter(([, filters]) => filters.some((filter) => matches(filter, event)))
      .map(([id]) => ['EVENT', id, event])
  }

  /** What a behaviour closed on its own. */
  forget(id: string): void {
    this.#subscriptions.delete(id)
  }

  #request(id: string, filters: readonly AskedFilter[]): readonly Frame[] {
    this.#subscriptions.set(id, filters)
    return [...this.#find(filters).map((event): Frame => ['EVENT', id, event]), ['EOSE', id]]
  }

  #find(filters: readonly AskedFilter[]): NostrEvent[] {
    const found = new Map<string, NostrEvent>()
    for (const filter of filters)
      for (const event of this.#set.matching(filter).slice(0, filter.limit)) found.set(event.id, event)
    return [...found.values()]
  }

  #publish(event: NostrEvent): Frame {
    // nostr-tools keeps its verdict in the object it is given, so it gets one of its own.
    if (!verifyEvent(structuredClone(event) as Parameters<typeof verifyEvent>[0]))
      return ['OK', event.id, false, 'invalid: the signature does not fit']
    const kept = this.#set.add(event)
    if (kept === 'duplicate') return ['OK', event.id, true, 'duplicate: already have this event']
    if (kept === 'older') return ['OK', event.id, true, 'duplicate: have newer event']
    this.#announce(event)
    return ['OK', event.id, true, '']
  }
}
