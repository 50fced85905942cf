import type { NostrEvent } from '../event.ts'
import { type EventStore, everything } from '../event-store.ts'
import {
  type Announcement,
  announcementKind,
  listsService,
  npubOf,
  parseAnnouncement,
} from './announcement.ts'

export interface ArchiveRules {
  readonly all: boolean
  readonly list: readonly string[]
  /** Hosts of services whose repositories are all kept. */
  readonly services: readonly string[]
  /** What lists this service is not served, only what the archive rules select. */
  readonly readOnly: boolean
}

export interface KeptRepositoriesOptions {
  readonly store: Pick<EventStore<unknown>, 'query'>
  /** Host and port under which announcements list this service. */
  readonly domain: string
  /** Announcements that do not list this service are kept too (GRASP-05): all of them, or those on a list. */
  readonly archive: ArchiveRules
  /** Each `npub`, `npub/identifier` or `identifier`. Empty: no such list. */
  readonly repositoryAllow: readonly string[]
  readonly repositoryDeny: readonly string[]
}

/** How many announcements of one identifier are looked at; on public relays there are a few dozen of the busiest. */
const maxSameIdentifier = 500

/** Which repositories this service keeps: those that list it, and those its archive rules select. */
export class KeptRepositories {
  readonly #options: KeptRepositoriesOptions

  constructor(options: KeptRepositoriesOptions) {
    this.#options = options
  }

  /** Everything that was announced under this name and is stored, one per owner. */
  async announcementsOf(identifier: string): Promise<readonly Announcement[]> {
    const { events } = await this.#options.store.query([{ kinds: [announcementKind], '#d': [identifier] }], {
      defaultLimit: maxSameIdentifier,
      maxLimit: maxSameIdentifier,
      visibility: everything,
    })
    return events.flatMap(({ raw }) => {
      const parsed = parseAnnouncement(JSON.parse(raw) as NostrEvent)
      return typeof parsed === 'string' ? [] : [parsed]
    })
  }

  /** Undefined: it is kept. */
  unwanted(announcement: Announcement): 'denied' | 'not-listed' | undefined {
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
}

/** `npub1…`, `npub1…/identifier`, or `identifier`. */
function names(entry: string, { owner, identifier }: Announcement): boolean {
  const npub = npubOf(owner)
  return entry === npub || entry === identifier || entry === `${npub}/${identifier}`
}
