import type { NostrEvent } from '../event.ts'
import type { Guard, Visibility } from '../event-store.ts'
import type { Filter } from '../filter.ts'
import { matcher } from '../filter-match.ts'
import type { Acl } from './acl.ts'
import { covers, overlaps } from './filter-cover.ts'

/** One line of the operator's list of what may be read; the first that applies decides. */
export interface ReadRule {
  readonly action: 'allow' | 'deny'
  readonly match: Filter
}

/** Why a request is not answered. `reason` is the text after CLOSED, NEG-ERR and SYNC-PAGE-ERR. */
export interface ReadDenial {
  readonly code: 'auth_required' | 'read_not_allowed' | 'sync_read_not_allowed'
  readonly reason: string
}

export interface ReadPolicyOptions {
  /** Kinds that only their author and the people in their `p` tags may read. */
  readonly restrictedKinds: readonly number[]
  /** `authenticated`: nothing is read by anybody who has not said who he is (NIP-42). */
  readonly access?: 'open' | 'authenticated' | undefined
  readonly rules?: readonly ReadRule[] | undefined
  readonly acl?: Acl | undefined
}

const authRequired = (text: string): ReadDenial => ({
  code: 'auth_required',
  reason: `auth-required: ${text}`,
})
const readNotAllowed: ReadDenial = {
  code: 'read_not_allowed',
  reason: 'restricted: this cannot be read here',
}
const syncReadNotAllowed: ReadDenial = {
  code: 'sync_read_not_allowed',
  reason: 'restricted: sync_read_not_allowed: no grant of yours speaks for all of this filter',
}

/**
 * What may be read here, by REQ, COUNT, negentropy, SYNC-PAGE and the bulk API alike. A request is refused as a whole where
 * a part of the answer would pass for all of it; beyond that, each event is looked at once more (`visibility`).
 */
export class ReadPolicy {
  readonly #restrictedKinds: readonly number[]
  readonly #access: 'open' | 'authenticated'
  readonly #rules: readonly (ReadRule & { readonly matches: (event: NostrEvent) => boolean })[]
  readonly #acl: Acl | undefined

  constructor({ restrictedKinds, access = 'open', rules = [], acl }: ReadPolicyOptions) {
    this.#restrictedKinds = restrictedKinds
    this.#access = access
    this.#rules = rules.map((rule) => ({ ...rule, matches: matcher(rule.match) }))
    this.#acl = acl
  }

  /** Nothing at all is answered to somebody unknown. */
  get requiresAuth(): boolean {
    return this.#access === 'authenticated'
  }

  /** Why these filters are not answered to a reader with these keys. */
  refuse(filters: readonly Filter[], pubkeys: readonly string[]): ReadDenial | undefined {
    const isKnown = pubkeys.length > 0
    if (this.requiresAuth && !isKnown) return authRequired('this relay is read by authenticated clients only')
    if (!isKnown && this.#onlyRestricted(filters))
      return authRequired('these kinds are read by their author and recipients only')
    for (const filter of filters) {
      // Ids name events, not a set that could be taken for complete: what must not be seen of them is just not shown.
      if (filter.ids !== undefined) continue
      if (this.#ruleFor(filter) === 'deny') return readNotAllowed
      const acl = this.#acl
      if (acl === undefined || !acl.protects(filter) || acl.mayRead(pubkeys, filter)) continue
      return isKnown ? syncReadNotAllowed : authRequired('what is protected is read by those who may')
    }
    return undefined
  }

  /** The same for who wants all of it at once: a grant that speaks for the filter is needed even where nothing is protected. */
  refuseWalk(filter: Filter, pubkeys: readonly string[]): ReadDenial | undefined {
    if (pubkeys.length === 0) return authRequired('pages are for authenticated clients')
    if (this.#acl?.mayRead(pubkeys, filter) !== true) return syncReadNotAllowed
    return this.refuse([filter], pubkeys)
  }

  /**
   * What the reader may see.
   *
   * @param filters a request that was not refused. Where that alone says all, nothing has to be looked at event by event,
   *   and the answer can come from an index.
   */
  visibility(pubkeys: readonly string[], filters?: readonly Filter[]): Visibility {
    const isExact = filters?.every((filter) => this.#isExact(filter, pubkeys)) === true
    const guard = isExact ? undefined : this.#guard(pubkeys)
    const reader = { restrictedKinds: this.#restrictedKinds, pubkeys }
    return guard === undefined ? reader : { ...reader, guard }
  }

  /** Called when what may be read has changed: open subscriptions have to be looked at again. */
  onChange(listener: () => void): Disposable {
    return this.#acl?.onChange(listener) ?? { [Symbol.dispose]: () => {} }
  }

  /** Filters that ask for other kinds too, or for all, just do not show what is restricted. */
  #onlyRestricted(filters: readonly Filter[]): boolean {
    return filters.every(({ kinds }) => {
      return (
        kinds !== undefined && kinds.length > 0 && kinds.every((kind) => this.#restrictedKinds.includes(kind))
      )
    })
  }

  /** An allowance has to speak for the whole request, a refusal for any part of it. */
  #ruleFor(filter: Filter): 'allow' | 'deny' {
    for (const { action, match } of this.#rules) {
      const applies = action === 'allow' ? covers(match, filter) : overlaps(match, filter)
      if (applies) return action
    }
    return 'allow'
  }

  /** Is `refuse` the last word on the filter? Not where ids name anything, nor where an event has tags of both sorts. */
  #isExact(filter: Filter, pubkeys: readonly string[]): boolean {
    if (filter.ids !== undefined) return false
    if (!Object.keys(filter).some((key) => key.startsWith('#'))) return true
    return this.#rules.length === 0 && this.#acl?.mayRead(pubkeys, filter) === true
  }

  #guard(pubkeys: readonly string[]): Guard | undefined {
    const acl = this.#acl?.guard(pubkeys)
    const rules = this.#rules
    if (rules.length === 0) return acl
    return {
      kinds: undefined,
      allows: (event) => {
        const rule = rules.find(({ matches }) => matches(event))
        return rule?.action !== 'deny' && acl?.allows(event) !== false
      },
    }
  }
}
