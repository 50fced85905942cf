import type { NostrEvent } from './event.ts'
import { EventError, type EventErrorCode, type ReasonPrefix } from './event-error.ts'
import type { HoldTerms } from './event-hold.ts'
import { expirationOf, namesRelay, vanishRequest } from './event-rules.ts'
import { isShallow } from './json-scan.ts'
import { isEphemeral, isProtected } from './kind.ts'
import type { Limits } from './limits.ts'
import { relayAddress } from './relay-address.ts'

/** Through which door an event comes. */
export type EventSource = 'client' | 'sync' | 'import'

/** The relay a synced event comes from, as its operator has defined it here. */
export interface SyncSource {
  readonly id: string
  /** The key it is expected to have: what it may write here derives from this key, not from the authors of its events. */
  readonly pubkey?: string | undefined
  /** Which of its links. */
  readonly link?: string | undefined
  readonly labels?: Readonly<Record<string, string>> | undefined
  /** It is of the same owner: protected events come from it too, whoever their author is (spec events §6.8). */
  readonly acceptProtected?: boolean | undefined
}

/** What a policy may know besides the event. */
export interface PolicyContext {
  readonly source: EventSource
  /** Who sends: a client's address, a relay's URL. */
  readonly remote: string
  /** Public keys that authenticated on this connection (NIP-42). */
  readonly authenticated: readonly string[]
  /** Given where the source is `sync`. */
  readonly peer?: SyncSource | undefined
  /** Our own public URLs. */
  readonly relayUrls: readonly string[]
  /** Unix seconds. */
  readonly nowSeconds: number
}

/**
 * Why not; undefined: nothing against it. Terms: not yet, it is held until what it depends on is here. `shadowed`: it is not
 * stored, and its sender is told that it was. `failed`: nobody could tell; asking again later may help.
 */
export type Refusal = EventError | HoldTerms | 'shadowed' | 'failed' | undefined

/**
 * May this event come in? Asked after the id was checked and before the signature is: so a policy must not remember
 * anything about the event.
 */
export type WritePolicy = (event: NostrEvent, context: PolicyContext) => Refusal | Promise<Refusal>

export interface WritePolicyOptions {
  readonly limits: Pick<Limits, 'maxFutureSeconds' | 'maxPastSeconds'>
  /** Asked in order after the built-in ones. */
  readonly more?: readonly WritePolicy[] | undefined
}

/** A client's answer to a challenge (NIP-42), never meant for anybody else. */
const authentication = 22_242
const reposts: ReadonlySet<number> = new Set([6, 16])

/** The rules every relay has, in the order of spec events §6.3, then those of the operator. */
export function createWritePolicy({ limits, more = [] }: WritePolicyOptions): WritePolicy {
  return firstRefusal([
    notTooNew(limits.maxFutureSeconds),
    notTooOld(limits.maxPastSeconds),
    notExpired,
    noAuthentication,
    protectedByAuthorOnly,
    vanishForUs,
    ...more,
  ])
}

/** Asks one after the other until one refuses. */
export function firstRefusal(policies: readonly WritePolicy[]): WritePolicy {
  return async (event, context) => {
    for (const policy of policies) {
      const answer = policy(event, context)
      // Nearly all of them answer at once, and there are several for each event.
      const refusal = answer instanceof Promise ? await answer : answer
      if (refusal !== undefined) return refusal
    }
    return undefined
  }
}

function notTooNew(maxFutureSeconds: number): WritePolicy {
  return ({ created_at }, { nowSeconds }) => {
    if (created_at - nowSeconds <= maxFutureSeconds) return undefined
    return refuse(
      'event/too-new',
      'invalid',
      `created_at is more than ${maxFutureSeconds} seconds in the future`,
    )
  }
}

/** History comes by sync and import, so only what a client writes now is expected to be of now. */
function notTooOld(maxPastSeconds: number): WritePolicy {
  return ({ created_at }, { nowSeconds, source }) => {
    if (maxPastSeconds === 0 || source !== 'client' || nowSeconds - created_at <= maxPastSeconds)
      return undefined
    return refuse('event/too-old', 'invalid', `created_at is more than ${maxPastSeconds} seconds in the past`)
  }
}

/** NIP-40. An ephemeral event is gone sooner than any expiration. */
const notExpired: WritePolicy = (event, { nowSeconds }) => {
  const expiration = isEphemeral(event.kind) ? undefined : expirationOf(event)
  if (expiration === undefined || expiration > nowSeconds) return undefined
  return refuse('event/expired', 'invalid', 'event expired')
}

/** Whoever gets hold of one while it is fresh could act as its author elsewhere. */
const noAuthentication: WritePolicy = ({ kind }) => {
  if (kind !== authentication) return undefined
  return refuse('event/kind-refused', 'invalid', 'AUTH events are not published')
}

/** NIP-70. Also through sync: the peer is not the author. */
const protectedByAuthorOnly: WritePolicy = (event, { authenticated, source, peer }) => {
  if (reposts.has(event.kind) && embedsProtected(event.content))
    return refuse('event/protected', 'blocked', 'a protected event must not be reposted')
  // What is imported comes from the operator's own files, where it had been accepted once.
  const trusted = source === 'import' || peer?.acceptProtected === true
  if (!isProtected(event) || trusted || authenticated.includes(event.pubkey)) return undefined
  return authenticated.length === 0
    ? refuse('event/protected', 'auth-required', 'a protected event is accepted from its author only')
    : refuse('event/protected', 'restricted', 'a protected event is accepted from its author only')
}

/** The content of a repost is the whole event as JSON (NIP-18), or anything else. */
function embedsProtected(content: string): boolean {
  if (!/^\s*\{/.test(content)) return false
  // No event nests like that; what hides one in it is better kept out.
  if (!isShallow(content)) return true
  try {
    const { tags } = JSON.parse(content) as { readonly tags?: unknown }
    return Array.isArray(tags) && tags.some((tag: unknown) => Array.isArray(tag) && tag[0] === '-')
  } catch {
    return false
  }
}

/** NIP-62: a request to vanish from other relays is none of our business, and not ours to pass on. */
const vanishForUs: WritePolicy = (event, { relayUrls }) => {
  if (event.kind !== vanishRequest) return undefined
  if (namesRelay(event, new Set(relayUrls.map(relayAddress)))) return undefined
  return refuse('event/vanish-elsewhere', 'blocked', 'this request to vanish names other relays')
}

function refuse(code: EventErrorCode, prefix: ReasonPrefix, message: string): EventError {
  return new EventError(code, prefix, message)
}
