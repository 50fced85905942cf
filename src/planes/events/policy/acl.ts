import type { NostrEvent } from '../event.ts'
import type { Guard } from '../event-store.ts'
import type { Filter } from '../filter.ts'
import { canonicalFilter } from '../filter-hash.ts'
import { matcher } from '../filter-match.ts'
import { covers, overlaps } from './filter-cover.ts'

export type Capability = 'sync_read' | 'sync_write'

/** `principal`, 64 hex, may read or write what `match` selects. Grants add up; none takes anything away. */
export interface Grant {
  readonly principal_type: 'pubkey'
  readonly principal: string
  readonly capability: Capability
  readonly match: Filter
}

/** Where grants outlive the process. Each call is durable when it resolves. */
export interface GrantTable {
  all(): Promise<readonly Grant[]>
  /** Adding what is there already changes nothing. */
  add(grant: Grant): Promise<void>
  /** False when there was none. */
  remove(grant: Grant): Promise<boolean>
}

type Matches = (event: NostrEvent) => boolean

interface Rights {
  readonly read: { readonly match: Filter; readonly matches: Matches }[]
  readonly write: Matches[]
}

/**
 * Who may read and write what is protected (spec events §2.21). Only what one of the protected filters selects is: for
 * everything else, a grant is neither needed nor asked for.
 */
export class Acl {
  readonly #table: GrantTable
  readonly #protected: readonly { readonly filter: Filter; readonly matches: Matches }[]
  /** The kinds that can be protected at all; undefined: any. */
  readonly #kinds: ReadonlySet<number> | undefined
  readonly #listeners = new Set<() => void>()
  #grants = new Map<string, Grant>()
  #rights = new Map<string, Rights>()

  private constructor(table: GrantTable, protectedFilters: readonly Filter[]) {
    this.#table = table
    this.#protected = protectedFilters.map((filter) => ({ filter, matches: matcher(filter) }))
    this.#kinds = kindsOf(protectedFilters)
  }

  static async open(table: GrantTable, protectedFilters: readonly Filter[]): Promise<Acl> {
    const acl = new Acl(table, protectedFilters)
    acl.#take(await table.all())
    return acl
  }

  async grant(grant: Grant): Promise<void> {
    await this.#table.add(grant)
    this.#take([...this.#grants.values(), grant])
  }

  /** False when there was no such grant. Its match may be spelled differently, but has to say the same. */
  async revoke(grant: Grant): Promise<boolean> {
    const removed = await this.#table.remove(grant)
    const key = keyOf(grant)
    this.#take([...this.#grants].flatMap(([other, kept]) => (other === key ? [] : [kept])))
    return removed
  }

  /** By principal, capability and match, in that order. */
  list(): readonly Grant[] {
    return [...this.#grants].toSorted(([a], [b]) => (a < b ? -1 : Number(a > b))).map(([, grant]) => grant)
  }

  get protectsAnything(): boolean {
    return this.#protected.length > 0
  }

  /** Does the request ask for anything protected? */
  protects(request: Filter): boolean {
    return this.#protected.some(({ filter }) => overlaps(filter, request))
  }

  isProtected(event: NostrEvent): boolean {
    return this.#protected.some(({ matches }) => matches(event))
  }

  /** One grant has to speak for all of the request. */
  mayRead(pubkeys: readonly string[], request: Filter): boolean {
    return pubkeys.some((pubkey) =>
      this.#rights.get(pubkey)?.read.some(({ match }) => covers(match, request)),
    )
  }

  mayWrite(pubkeys: readonly string[], event: NostrEvent): boolean {
    return pubkeys.some((pubkey) => this.#rights.get(pubkey)?.write.some((matches) => matches(event)))
  }

  /** What the reader may see event by event; undefined when nothing is protected. */
  guard(pubkeys: readonly string[]): Guard | undefined {
    if (!this.protectsAnything) return undefined
    const readable = pubkeys.flatMap((pubkey) => this.#rights.get(pubkey)?.read ?? [])
    return {
      kinds: this.#kinds,
      allows: (event) => !this.isProtected(event) || readable.some(({ matches }) => matches(event)),
    }
  }

  /** Called after each change of the grants. */
  onChange(listener: () => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }

  #take(grants: readonly Grant[]): void {
    this.#grants = new Map(grants.map((grant) => [keyOf(grant), grant]))
    const rights = new Map<string, Rights>()
    for (const { principal, capability, match } of this.#grants.values()) {
      const of = rights.get(principal) ?? { read: [], write: [] }
      rights.set(principal, of)
      if (capability === 'sync_read') of.read.push({ match, matches: matcher(match) })
      else of.write.push(matcher(match))
    }
    this.#rights = rights
    for (const listener of this.#listeners) listener()
  }
}

/** Two spellings of one grant have one key. */
function keyOf({ principal, capability, match }: Grant): string {
  return `${principal} ${capability} ${canonicalFilter(match)}`
}

function kindsOf(filters: readonly Filter[]): ReadonlySet<number> | undefined {
  if (filters.some(({ kinds }) => kinds === undefined)) return undefined
  return new Set(filters.flatMap(({ kinds = [] }) => kinds))
}
