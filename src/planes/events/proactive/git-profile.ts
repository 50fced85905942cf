import type { NostrEvent } from '../event.ts'
import type { Filter } from '../filter.ts'
import { announcementKind } from '../grasp/announcement.ts'
import { stateKind } from '../grasp/repository-state.ts'
import { relayOfWebUrl } from './peer-url.ts'
import type { ChildClaim, Declaration, Profile } from './profile.ts'

/** NIP-34, beside the announcement and the state. */
const patch = 1_617
const pullRequest = 1_618
const issue = 1_621
/** A user's list of GRASP services. */
const graspList = 10_317

const address = /^30617:[0-9a-f]{64}:/
const hex64 = /^[0-9a-f]{64}$/

/** Values of one tag in one filter at most (specs proactive §5). */
const byTags = (letters: readonly string[]) => (values: readonly string[]) =>
  letters.map((letter): Filter => ({ [`#${letter}`]: values }))

/**
 * Nostr git repositories (GRASP-02): a repository is declared by its announcement, mirrored from the relays and web
 * servers that one names, with everything that tags it and everything that tags its patches, pull requests and issues.
 *
 * Level `state`: its announcement is held until its git data arrives; only the states, which say what data, are fetched.
 * Asking for more too early would bring events that must be refused, as nothing they belong to is served yet.
 */
export const gitProfile: Profile = {
  name: 'git',
  levels: ['state', 'full'],
  declaringKinds: [announcementKind],
  childKinds: [patch, pullRequest, issue],
  bounds: {
    peersPerSubject: 20,
    subjectsPerAuthor: 1_000,
    subjects: 50_000,
    childrenPerSubject: 20_000,
    unattachedChildren: 10_000,
  },
  layers: [
    {
      name: 'announcements',
      per: 'peer',
      value: () => '',
      filters: () => [{ kinds: [announcementKind, graspList] }],
    },
    {
      name: 'states',
      per: 'subject',
      value: identifierOf,
      // Without authors: any maintainer may sign a state, and who is one is the policy's business.
      filters: (values) => [{ kinds: [stateKind], '#d': values }],
    },
    {
      name: 'repositories',
      per: 'subject',
      level: 'full',
      value: (key) => key,
      filters: byTags(['a', 'A', 'q']),
    },
    { name: 'threads', per: 'child', level: 'full', value: (key) => key, filters: byTags(['e', 'E', 'q']) },
  ],
  declare,
  claim,
}

function declare(event: NostrEvent): Declaration | undefined {
  const d = event.tags.find(([name]) => name === 'd')?.[1]
  if (event.kind !== announcementKind || d === undefined) return undefined
  return {
    subject: `${announcementKind}:${event.pubkey}:${d}`,
    revision: [event.created_at, event.id],
    level: 'full',
    peers: repositoryPeers(event),
  }
}

/** Every value of every `relays` tag, then the relays at the places where the repository can be cloned. */
function repositoryPeers(event: NostrEvent): string[] {
  const values = (tag: string) =>
    event.tags.flatMap(([name, ...rest]) => (name === tag ? rest.filter((value) => value !== '') : []))
  return [...values('relays'), ...values('clone').flatMap((url) => relayOfWebUrl(url) ?? [])]
}

function claim(event: NostrEvent): ChildClaim | undefined {
  if (event.kind !== patch && event.kind !== pullRequest && event.kind !== issue) return undefined
  const subjects = event.tags.flatMap(([name, value]) =>
    name === 'a' && value !== undefined && address.test(value) ? [value] : [],
  )
  return subjects.length === 0 || !hex64.test(event.id) ? undefined : { child: event.id, subjects }
}

/** The `d` of an address; it may hold any character, a colon among them. */
function identifierOf(coordinate: string): string {
  return coordinate.slice(coordinate.indexOf(':', coordinate.indexOf(':') + 1) + 1)
}
