import type { NostrEvent } from '../event.ts'
import type { Declaration, Profile } from './profile.ts'

/** NIP-65: which relays somebody writes to and reads from. */
const relayList = 10_002
const profileKinds: readonly number[] = [0, 3]

/**
 * Outbox mirroring (NIP-65): everything a list of authors publishes, from the relays each of them writes to.
 *
 * @param authors public keys, 64 hex; the relay lists of anybody else declare nothing
 * @param kinds   only these, besides their profile and lists; undefined: all they publish
 */
export function outboxProfile(authors: ReadonlySet<string>, kinds?: readonly number[]): Profile {
  const wanted = kinds && [...new Set([...kinds, ...profileKinds, relayList])].sort((a, b) => a - b)
  return {
    name: 'outbox',
    levels: ['full'],
    declaringKinds: [relayList],
    childKinds: [],
    bounds: {
      peersPerSubject: 10,
      subjectsPerAuthor: 1,
      subjects: Math.max(1, authors.size),
      childrenPerSubject: 0,
      unattachedChildren: 0,
    },
    layers: [
      {
        name: 'authors',
        per: 'subject',
        value: (key) => key,
        filters: (values) => [{ authors: values, ...(wanted && { kinds: wanted }) }],
      },
    ],
    declare: (event) => (authors.has(event.pubkey) ? declare(event) : undefined),
    claim: () => undefined,
  }
}

function declare(event: NostrEvent): Declaration | undefined {
  if (event.kind !== relayList) return undefined
  const peers = event.tags.flatMap(([name, url, marker]) =>
    name === 'r' && url !== undefined && (marker === undefined || marker === '' || marker === 'write')
      ? [url]
      : [],
  )
  return { subject: event.pubkey, revision: [event.created_at, event.id], level: 'full', peers }
}
