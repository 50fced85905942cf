import type { NostrEvent } from '../event.ts'
import { EventError } from '../event-error.ts'
import type { Filter } from '../filter.ts'
import { matcher } from '../filter-match.ts'
import type { EventSource, PolicyContext, WritePolicy } from '../write-policy.ts'

/** One line of the operator's list of what may come in. It applies where all of its conditions hold. */
export interface WriteRule {
  readonly action: 'allow' | 'deny'
  /** Kinds, authors, tags, ids and times, as in a REQ. */
  readonly match: Filter
  /** Only events through these doors. Default: all. */
  readonly sources?: readonly EventSource[] | undefined
  /** Only events synced from these relays, by id or URL. */
  readonly peers?: readonly string[] | undefined
  /** Only events whose `created_at` lies further in the past. */
  readonly olderThanSeconds?: number | undefined
  /** Only events whose JSON is longer. */
  readonly largerThanBytes?: number | undefined
  /** What the sender is told. */
  readonly reason?: string | undefined
}

/** Asked in order; the first rule that applies decides, and where none does the event may come in. */
export function writeByRules(rules: readonly WriteRule[]): WritePolicy {
  const compiled = rules.map((rule) => ({ rule, applies: conditionOf(rule) }))
  return (event, context) => {
    const first = compiled.find(({ applies }) => applies(event, context))
    if (first === undefined || first.rule.action === 'allow') return undefined
    const { reason = 'not accepted here' } = first.rule
    return new EventError('event/policy-refused', 'blocked', reason)
  }
}

/** Nobody publishes without saying who he is (NIP-42). What this node fetches or imports itself is not asked. */
export const fromAuthenticatedOnly: WritePolicy = (_event, { source, authenticated }) => {
  if (source !== 'client' || authenticated.length > 0) return undefined
  return new EventError(
    'event/policy-refused',
    'auth-required',
    'events are taken from authenticated clients',
  )
}

type Condition = (event: NostrEvent, context: PolicyContext) => boolean

function conditionOf({ match, sources, peers, olderThanSeconds, largerThanBytes }: WriteRule): Condition {
  const matches = matcher(match)
  // Cheapest first; the size is only measured where a rule asks for it.
  return (event, context) =>
    sources?.includes(context.source) !== false &&
    (peers === undefined || isFrom(peers, context)) &&
    (olderThanSeconds === undefined || context.nowSeconds - event.created_at > olderThanSeconds) &&
    matches(event) &&
    (largerThanBytes === undefined || Buffer.byteLength(JSON.stringify(event)) > largerThanBytes)
}

function isFrom(peers: readonly string[], { source, peer, remote }: PolicyContext): boolean {
  return source === 'sync' && (peers.includes(remote) || (peer !== undefined && peers.includes(peer.id)))
}
