import type { NostrEvent } from '../../../src/planes/events/event.ts'
import { type AskedFilter, matches } from './filter.ts'

export type Kept = 'stored' | 'duplicate' | 'older'

/** What a relay of the script holds: every event, of replaceable ones the newest, ties to the lowest id. */
export class EventSet {
  readonly #byId = new Map<string, NostrEvent>()
  readonly #byAddress = new Map<string, NostrEvent>()
  #newestFirst: NostrEvent[] | undefined

  constructor(events: Iterable<NostrEvent> = []) {
    for (const event of events) this.add(event)
  }

  get size(): number {
    return this.#byId.size
  }

  add(event: NostrEvent): Kept {
    if (this.#byId.has(event.id)) return 'duplicate'
    const address = addressOf(event)
    if (address !== undefined) {
      const known = this.#byAddress.get(address)
      if (known !== undefined && inOrder(known, event) < 0) return 'older'
      if (known !== undefined) this.#byId.delete(known.id)
      this.#byAddress.set(address, event)
    }
    this.#byId.set(event.id, event)
    this.#newestFirst = undefined
    return 'stored'
  }

  delete(id: string): void {
    this.#byId.delete(id)
    this.#newestFirst = undefined
  }

  has(id: string): boolean {
    return this.#byId.has(id)
  }

  /** Sorted ids of everything held. */
  ids(): string[] {
    return [...this.#byId.keys()].sort()
  }

  /** Newest first, ties by lowest id; no limit applied. */
  matching(filter: AskedFilter): NostrEvent[] {
    if (filter.ids !== undefined) {
      const found = filter.ids.map((id) => this.#byId.get(id)).filter((event) => event !== undefined)
      return found.filter((event) => matches(filter, event)).sort(inOrder)
    }
    this.#newestFirst ??= [...this.#byId.values()].sort(inOrder)
    return this.#newestFirst.filter((event) => matches(filter, event))
  }
}

function inOrder(a: NostrEvent, b: NostrEvent): number {
  return b.created_at - a.created_at || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
}

function addressOf({ kind, pubkey, tags }: NostrEvent): string | undefined {
  if (kind === 0 || kind === 3 || (kind >= 10_000 && kind < 20_000)) return `${kind}:${pubkey}`
  if (kind >= 30_000 && kind < 40_000) return `${kind}:${pubkey}:${tags.find(([n]) => n === 'd')?.[1] ?? ''}`
  return undefined
}
