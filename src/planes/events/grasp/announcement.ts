import { bech32 } from '@scure/base'
import type { NostrEvent } from '../event.ts'
import { serviceOf } from '../proactive/peer-url.ts'

/** NIP-34. */
export const announcementKind = 30_617

/** What a repository announcement says. */
export interface Announcement {
  readonly event: NostrEvent
  readonly owner: string
  /** The `d` tag: any text but a path. */
  readonly identifier: string
  readonly relays: readonly string[]
  readonly clones: readonly string[]
  /** Public keys its owner lists; what is none is left out. */
  readonly maintainers: readonly string[]
}

/** Why an event is no announcement a service could serve. */
export type AnnouncementFault =
  | 'not-an-announcement'
  | 'no-identifier'
  | 'bad-identifier'
  | 'several-clone-tags'

const hex64 = /^[0-9a-f]{64}$/

/** A repository's name becomes part of a path, so it must not lead out of its folder; spaces and emoji are fine. */
function isSafeIdentifier(identifier: string): boolean {
  return identifier !== '' && identifier !== '.' && identifier !== '..' && !/[/\\\0]/.test(identifier)
}

export function parseAnnouncement(event: NostrEvent): Announcement | AnnouncementFault {
  if (event.kind !== announcementKind) return 'not-an-announcement'
  const identifier = event.tags.find(([name]) => name === 'd')?.[1]
  if (identifier === undefined) return 'no-identifier'
  if (!isSafeIdentifier(identifier)) return 'bad-identifier'
  if (event.tags.filter(([name]) => name === 'clone').length > 1) return 'several-clone-tags'
  const values = (tag: string) =>
    event.tags.flatMap(([name, ...rest]) => (name === tag ? rest.filter((value) => value !== '') : []))
  return {
    event,
    owner: event.pubkey,
    identifier,
    relays: values('relays'),
    clones: values('clone'),
    maintainers: values('maintainers').filter((key) => hex64.test(key)),
  }
}

/**
 * Whether the announcement names this service in both `relays` and `clone` (GRASP-01), by parsed host and port and, for the
 * clone, by the path this service serves the repository at. A name that merely holds ours is another service.
 *
 * @param domain host with its port if that is not 443 or 80
 */
export function listsService({ relays, clones, owner, identifier }: Announcement, domain: string): boolean {
  const service = serviceOf(`wss://${domain}`)
  const path = `/${npubOf(owner)}/${encodeURIComponent(identifier)}.git`
  return (
    relays.some((url) => /^wss?:/i.test(url) && serviceOf(url) === service) &&
    clones.some((url) => {
      if (!/^https?:/i.test(url) || serviceOf(url) !== service) return false
      return normalPath(new URL(url).pathname) === normalPath(path)
    })
  )
}

/** Percent-encoding leaves a choice; what it stands for does not. */
function normalPath(path: string): string {
  try {
    return decodeURIComponent(path.replace(/\/+$/, ''))
  } catch {
    return path
  }
}

/** NIP-19. */
export function npubOf(pubkey: string): string {
  return bech32.encode('npub', bech32.toWords(Buffer.from(pubkey, 'hex')))
}
