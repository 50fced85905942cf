import type { NostrEvent } from '../event.ts'
import { EventError } from '../event-error.ts'
import type { HoldTerms } from '../event-hold.ts'
import { type EventStore, everything } from '../event-store.ts'
import type { EventSource, Refusal, WritePolicy } from '../write-policy.ts'
import { type AnnouncementFault, announcementKind, parseAnnouncement } from './announcement.ts'
import { KeptRepositories, type KeptRepositoriesOptions } from './kept-repositories.ts'
import { maintainersOf, ownersServedBy } from './maintainers.ts'
import { referencesOf } from './references.ts'
import { stateKind } from './repository-state.ts'

/** Whose git data an event needs before it may be served, and whether that is here. */
export interface GitData {
  /** Terms under which the event waits for its data; undefined: all of it is here, or none is needed. */
  missing(event: NostrEvent, source: EventSource): Promise<HoldTerms | undefined>
}

export interface RepositoryPolicyOptions extends KeptRepositoriesOptions {
  readonly store: Pick<EventStore<unknown>, 'query' | 'known'>
  /** Public keys, hex, of whom no event of any kind is taken. */
  readonly authorDeny: ReadonlySet<string>
  readonly holdSeconds: number
  readonly gitData?: GitData | undefined
}

const deletion = 5
const graspList = 10_317

/**
 * What a GRASP service keeps (specs proactive §8): announcements that list it, states its maintainers signed, and what belongs
 * to them. What comes before the thing it belongs to is held for a while and not refused, whatever its kind.
 */
export class RepositoryPolicy {
  readonly #options: RepositoryPolicyOptions
  readonly #kept: KeptRepositories

  constructor(options: RepositoryPolicyOptions) {
    this.#options = options
    this.#kept = new KeptRepositories(options)
  }

  /** As one of the policies events pass on their way in. */
  get policy(): WritePolicy {
    return (event, { source }) => this.#judge(event, source)
  }

  #judge(event: NostrEvent, source: EventSource): Refusal | Promise<Refusal> {
    if (this.#options.authorDeny.has(event.pubkey)) return refuse('its author is not welcome here')
    switch (event.kind) {
      case announcementKind:
        return this.#announcement(event)
      case stateKind:
        return this.#state(event, source)
      case deletion:
      case graspList:
        return undefined
      default:
        return this.#related(event, source)
    }
  }

  async #announcement(event: NostrEvent): Promise<Refusal> {
    const parsed = parseAnnouncement(event)
    if (typeof parsed === 'string') return refuse(faultWords[parsed])
    const refusal = this.#kept.unwanted(parsed)
    if (refusal === undefined) return undefined
    if (refusal === 'denied') return refuse('this repository is not kept here')
    // Whom an owner lists, directly or through others, is announced here too, or the chain could not be followed.
    const others = await this.#kept.announcementsOf(parsed.identifier)
    const isMaintainer = others.some(({ owner }) => maintainersOf(owner, others).has(parsed.owner))
    if (isMaintainer) return undefined
    return this.#hold(
      [`${announcementKind}:*:${parsed.identifier}`],
      `announcement must list this service (${this.#options.domain}) in both its clone and its relays tags`,
    )
  }

  async #state(event: NostrEvent, source: EventSource): Promise<Refusal> {
    const identifier = event.tags.find(([name]) => name === 'd')?.[1]
    if (identifier === undefined || identifier === '')
      return refuse('a state names its repository by a d tag')
    const announcements = await this.#kept.announcementsOf(identifier)
    const owners = ownersServedBy(event.pubkey, announcements)
    const key = `${announcementKind}:*:${identifier}`
    if (announcements.length === 0) return this.#hold([key], 'no announcement exists for this repository')
    // A maintainer's own announcement, or one that lists him, may still come.
    if (owners.length === 0) return this.#hold([key], 'author not authorized for this repository')
    return this.#options.gitData?.missing(event, source)
  }

  /** Events that tag something stored, or that something stored tags (GRASP-01). */
  async #related(event: NostrEvent, source: EventSource): Promise<Refusal> {
    const { store, gitData } = this.#options
    const { ids, addresses } = referencesOf(event)
    const isRelated =
      (ids.length > 0 && (await store.known(ids)).size > 0) ||
      (await this.#someStored(addresses)) ||
      (await this.#isReferenced(event))
    if (isRelated) return gitData?.missing(event, source)
    const keys = [...ids, ...addresses]
    const reason = 'event must reference an accepted repository or accepted event'
    // Nothing it could ever belong to: a client is told at once, and so is a sync.
    return keys.length === 0 ? refuse(reason, 'restricted') : this.#hold(keys, reason)
  }

  async #someStored(addresses: readonly string[]): Promise<boolean> {
    const filters = addresses.flatMap((address) => {
      const [, kind, author, d] = /^(\d{1,5}):([0-9a-f]{64}):(.*)$/s.exec(address) ?? []
      if (kind === undefined || author === undefined || d === undefined) return []
      return [{ kinds: [Number(kind)], authors: [author], ...(d !== '' && { '#d': [d] }) }]
    })
    return filters.length > 0 && this.#any(filters)
  }

  /** Is it, or its address, tagged by something stored? Comments reach us before the events they are about, too. */
  #isReferenced({ id, kind, pubkey, tags }: NostrEvent): Promise<boolean> {
    if (kind < 10_000 || kind >= 40_000 || (kind >= 20_000 && kind < 30_000))
      return this.#any(['e', 'E', 'q'].map((letter) => ({ [`#${letter}`]: [id] })))
    const d = tags.find(([name]) => name === 'd')?.[1] ?? ''
    const values = kind < 20_000 ? [`${kind}:${pubkey}:`, `${kind}:${pubkey}`] : [`${kind}:${pubkey}:${d}`]
    return this.#any(['a', 'A', 'q'].map((letter) => ({ [`#${letter}`]: values })))
  }

  async #any(filters: Parameters<EventStore<unknown>['query']>[0]): Promise<boolean> {
    const limits = { defaultLimit: 1, maxLimit: 1, visibility: everything }
    return (await this.#options.store.query(filters, limits)).events.length > 0
  }

  #hold(keys: readonly string[], message: string): HoldTerms {
    return { keys, seconds: this.#options.holdSeconds, reason: `restricted: ${message}`, accepted: false }
  }
}

const faultWords: Readonly<Record<AnnouncementFault, string>> = {
  'not-an-announcement': 'this is no announcement of a repository',
  'no-identifier': 'an announcement names its repository by a d tag',
  'bad-identifier': 'the name of a repository must not be empty, a path, or part of one',
  'several-clone-tags': 'an announcement has one clone tag with all of its values',
}

function refuse(message: string, prefix: 'blocked' | 'restricted' = 'blocked'): EventError {
  return new EventError('event/unrelated', prefix, message)
}
