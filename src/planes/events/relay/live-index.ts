import type { NostrEvent } from '../event.ts'
import type { Filter } from '../filter.ts'

/** What the index needs to know of a subscription. */
export interface Indexed {
  readonly filters: readonly Filter[]
}

/** A filter with more values than this is looked at for every event: its entries would cost more than they save. */
const maxValues = 100

const every = '*'

/**
 * Finds the subscriptions that may match an event without asking all of them: each filter is entered once, under the
 * values of its most selective field. The candidates still have to be matched.
 */
export class LiveIndex<S extends Indexed> {
  readonly #entries = new Map<string, Set<S>>()

  add(subscription: S): void {
    for (const key of keysOf(subscription)) {
      const entry = this.#entries.get(key)
      if (entry === undefined) this.#entries.set(key, new Set([subscription]))
      else entry.add(subscription)
    }
  }

  remove(subscription: S): void {
    for (const key of keysOf(subscription)) {
      const entry = this.#entries.get(key)
      entry?.delete(subscription)
      if (entry?.size === 0) this.#entries.delete(key)
    }
  }

  /** Each candidate once. */
  candidates(event: NostrEvent): ReadonlySet<S> {
    const found = new Set<S>()
    const collect = (key: string) => {
      const entry = this.#entries.get(key)
      if (entry !== undefined) for (const subscription of entry) found.add(subscription)
    }
    collect(every)
    collect(`ids:${event.id}`)
    collect(`authors:${event.pubkey}`)
    collect(`kinds:${event.kind}`)
    for (const [name, value] of event.tags)
      if (name?.length === 1 && value !== undefined) collect(`#${name}:${value}`)
    return found
  }
}

function keysOf({ filters }: Indexed): Set<string> {
  const keys = new Set<string>()
  for (const filter of filters) {
    const field = mostSelective(filter)
    if (field === undefined) keys.add(every)
    else for (const value of field.values) keys.add(`${field.name}:${value}`)
  }
  return keys
}

function mostSelective(filter: Filter): { name: string; values: readonly (string | number)[] } | undefined {
  const tags = Object.keys(filter).filter((key): key is `#${string}` => key.startsWith('#'))
  for (const name of ['ids', 'authors', ...tags, 'kinds'] as const) {
    const values = filter[name as 'ids' | 'authors' | 'kinds' | `#${string}`]
    if (values !== undefined && values.length <= maxValues) return { name, values }
  }
  return undefined
}
