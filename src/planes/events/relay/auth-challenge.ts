import type { NostrEvent } from '../event.ts'
import { relayAddress } from '../relay-address.ts'

/** What the AUTH event of a connection must say (NIP-42). */
export interface AuthExpectation {
  /** Undefined: none was sent on this connection. */
  readonly challenge: string | undefined
  /** Our public addresses; any of them will do. */
  readonly relayUrls: readonly string[]
  /** Unix seconds. */
  readonly now: number
  /** How far `created_at` may be from `now`, in seconds. */
  readonly maxAge: number
}

const authKind = 22_242

/** Pure: why the event does not authenticate, or undefined. Shape, id and signature are checked elsewhere. */
export function authRefusal(event: NostrEvent, expected: AuthExpectation): string | undefined {
  if (event.kind !== authKind) return `invalid: an AUTH event has kind ${authKind}`
  if (Math.abs(event.created_at - expected.now) > expected.maxAge)
    return `invalid: created_at is more than ${expected.maxAge} seconds away from the relay's time`
  if (expected.challenge === undefined) return 'invalid: this relay has sent no challenge yet'
  if (firstTag(event, 'challenge') !== expected.challenge)
    return 'invalid: the challenge is not the one this relay sent'
  const relay = firstTag(event, 'relay')
  const address = relay === undefined ? undefined : addressOf(relay)
  const ours = expected.relayUrls.map(addressOf)
  // An event signed for another relay must not open this one, or that relay could act as its users here.
  if (address === undefined || !ours.includes(address)) return 'invalid: the relay tag names another relay'
  return undefined
}

/** The scheme is left out: behind a proxy that ends TLS, one relay has two. */
function addressOf(url: string): string | undefined {
  return relayAddress(url)?.replace(/^wss?:/, '')
}

function firstTag(event: NostrEvent, name: string): string | undefined {
  return event.tags.find((tag) => tag[0] === name)?.[1]
}
