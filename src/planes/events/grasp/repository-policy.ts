import type { NostrEvent } from '../event.ts'
import { EventError } from '../event-error.ts'
import type { HoldTerms } from '../event-hold.ts'
import { type EventStore, everything } from '../event-store.ts'
import type { Refusal, WritePolicy } from '../write-policy.ts'
import {
  type Announcement,
  type AnnouncementFault,
  announcementKind,
  listsService,
  npubOf,
  parseAnnouncement,
} from './announcement.ts'
import { maintainersOf, ownersServedBy } from './maintainers.ts'
import { referencesOf } from './references.ts'
import { stateKind } from './repository-state.ts'

/** Whose git data an event needs before it may be served, and whether that is here. */
export interface GitData {
  /** Terms under which the event waits for its data; undefined: all of it is here, or none is needed. */
  missing(event: NostrEvent, announcements: readonly Announcement[]): Promise<HoldTerms | undefined>
}

export interface RepositoryPolicyOptions {
  readonly store: Pick<EventStore<unknown>, 'query' | 'known'>
  /** Host and port under which announcements list this service. */
  readonly domain: string
  /** Announcements that do not list this service are kept too (GRASP-05): all of them, or those on a list. */
  readonly archive: ArchiveRules
  /** Each `npub`, `npub/identifier` or `identifier`. Empty: no such list. */
  readonly repositoryAllow: readonly string[]
  readonly repositoryDeny: readonly string[]
  /** Public keys, hex, of whom no event of any kind is taken. */
  readonly authorDeny: ReadonlySet<string>
  readonly holdSeconds: number
  readonly gitData?: GitData | undefined
}

export interface ArchiveRules {
  readonly all: boolean
  readonly list: readonly string[]
  /** Hosts of services whose repositories are all kept. */
  readonly services: readonly string[]
  /** What lists this service is not served, only what the archive rules select. */
  readonly readOnly: boolean
}

const deletion = 5
const graspList = 10_317
/** How many announcements of one identifier are looked at; on public relays there are a few dozen of the busiest. */
const maxSameIdentifier = 500

/**
 * What a GRASP service keeps (specs proactive §8): announcements that list it, states its maintainers signed, and what belongs
 * to them. What comes before the thing it belongs to is held for a while and not refused, whatever its kind.
 */
export class RepositoryPolicy {
  readonly #options: RepositoryPolicyOptions

  constructor(options: RepositoryPolicyOptions) {
    this.#options = options
  }

  /** As one of the policies events pass on their way in. */
  get policy(): WritePolicy {
    return (event) => this.#judge(event)
  }

  /** Everything that was announced under this name and is stored, one per owner. */
  async announcementsOf(identifier: string): Promise<readonly Announcement[]> {
    const { store } = this.#options
    const { events } = await store.query([{ kinds: [announcementKind], '#d': [identifier] }], {
      defaultLimit: maxSameIdentifier,
      maxLimit: maxSameIdentifier,
      visibility: everything,
    })
    return events.flatMap(({ raw }) => {
      const parsed = parseAnnouncement(JSON.parse(raw) as NostrEvent)
      return typeof parsed === 'string' ? [] : [parsed]
    })
  }

  #judge(event: NostrEvent): Refusal | Promise<Refusal> {
    if (this.#options.authorDeny.has(event.pubkey)) return refuse('its author is not welcome here')
    switch (event.kind) {
      case announcementKind:
        return this.#announcement(event)
      case stateKind:
        return this.#state(event)
      case deletion:
      case graspList:
        return undefined
      default:
        return this.#related(event)
    }
  }

  async #announcement(event: NostrEvent): Promise<Refusal> {
    const parsed = parseAnnouncement(event)
    if (typeof parsed === 'string') return refuse(faultWords[parsed])
    const { gitData } = this.#options
    const refusal = this.#unwanted(parsed)
    if (refusal === undefined) return gitData?.missing(event, [parsed])
    if (refusal === 'denied') return refuse('this repository is not kept here')
    // Whom an owner lists, directly or through others, is announced here too, or the chain could not be followed.
    const others = await this.announcementsOf(parsed.identifier)
    const isMaintainer = others.some(({ owner }) => maintainersOf(owner, others).has(parsed.owner))
    if (isMaintainer) return undefined
    return this.#hold(
      [`${announcementKind}:*:${parsed.identifier}`],
      `announcement must list this service (${this.#options.domain}) in both its clone and its relays tags`,
    )
  }

  #unwanted(announcement: Announcement): 'denied' | 'not-listed' | undefined {
    const { domain, archive, repositoryAllow, repositoryDeny } = this.#options
    if (repositoryDeny.some((entry) => names(entry, announcement))) return 'denied'
    if (!archive.readOnly && listsService(announcement, domain)) {
      const isAllowed =
        repositoryAllow.length === 0 || repositoryAllow.some((entry) => names(entry, announcement))
      return isAllowed ? undefined : 'denied'
    }
    const isArchived =
      archive.all ||
      archive.list.some((entry) => names(entry, announcement)) ||
      archive.services.some((service) => listsService(announcement, service))
    return isArchived ? undefined : 'not-listed'
  }

  async #state(event: NostrEvent): Promise<Refusal> {
    const identifier = event.tags.find(([name]) => name === 'd')?.[1]
    if (identifier === undefined || identifier === '')
      return refuse('a state names its repository by a d tag')
    const announcements = await this.announcementsOf(identifier)
    const owners = ownersServedBy(event.pubkey, announcements)
    const key = `${announcementKind}:*:${identifier}`
    if (announcements.length === 0) return this.#hold([key], 'no announcement exists for this repository')
    // A maintainer's own announcement, or one that lists him, may still come.
    if (owners.length === 0) return this.#hold([key], 'author not authorized for this repository')
    return this.#options.gitData?.missing(event, announcements)
  }

  /** Events that tag something stored, or that something stored tags (GRASP-01). */
  async #related(event: NostrEvent): Promise<Refusal> {
    const { store, gitData } = this.#options
    const { ids, addresses } = referencesOf(event)
    const isRelated =
      (ids.length > 0 && (await store.known(ids)).size > 0) ||
      (await this.#someStored(addresses)) ||
      (await this.#isReferenced(event))
    if (isRelated) return gitData?.missing(event, [])
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

/** `npub1…`, `npub1…/identifier`, or `identifier`. */
function names(entry: string, { owner, identifier }: Announcement): boolean {
  const npub = npubOf(owner)
  return entry === npub || entry === identifier || entry === `${npub}/${identifier}`
}

function refuse(message: string, prefix: 'blocked' | 'restricted' = 'blocked'): EventError {
  return new EventError('event/unrelated', prefix, message)
}
