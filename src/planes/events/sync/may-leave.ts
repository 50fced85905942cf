import type { UploadExpiring } from '../definition/server-definition.ts'
import type { NostrEvent, StoredEvent } from '../event.ts'
import { expirationOf, namesRelay, vanishRequest } from '../event-rules.ts'
import { isProtected } from '../kind.ts'
import { relayAddress } from '../relay-address.ts'
import type { WritePolicy } from '../write-policy.ts'

export interface Departure {
  /** The relay's URL. */
  readonly url: string
  /** NIPs it says it supports; undefined: it does not say. */
  readonly supportedNips: ReadonlySet<number> | undefined
  readonly expiring: UploadExpiring
  readonly ownPubkey: string
  /** The relay is of the same owner as this node. */
  readonly sameOwner: boolean
  /** A plugin that is asked about what goes up to this relay. */
  readonly policy: WritePolicy | undefined
  readonly nowSeconds: number
  readonly peer: { readonly id: string; readonly link: string }
}

/**
 * Whether an event of ours may be offered to a relay (specs events §5.17, §6.6–§6.8): protected events travel with their
 * author only, expiring ones not to a relay that would keep them, requests to vanish only to whom they are addressed.
 */
export async function mayLeave(stored: StoredEvent, departure: Departure): Promise<boolean | 'later'> {
  const { policy, nowSeconds, url, peer } = departure
  if (policy === undefined && !mayMatter(stored.raw)) return true
  const event = JSON.parse(stored.raw) as NostrEvent
  if (!staysByItsRules(event, departure)) return false
  const context = { source: 'sync', remote: url, authenticated: [], relayUrls: [], nowSeconds, peer } as const
  const refusal = await policy?.(event, context)
  if (refusal === 'failed') return 'later'
  return refusal === undefined
}

/** Nearly no event has any of these, and a look at its text is far cheaper than parsing it. */
function mayMatter(raw: string): boolean {
  return raw.includes('"-"') || raw.includes('"expiration"') || /"kind"\s*:\s*62\b/.test(raw)
}

function staysByItsRules(event: NostrEvent, departure: Departure): boolean {
  const mayPass = departure.sameOwner || event.pubkey === departure.ownPubkey
  if (isProtected(event) && !mayPass) return false
  if (event.kind === vanishRequest && !namesRelay(event, new Set([relayAddress(departure.url)]))) return false
  const expiration = expirationOf(event)
  if (expiration === undefined) return true
  if (expiration <= departure.nowSeconds || departure.expiring === 'never') return false
  return departure.expiring === 'always' || departure.supportedNips?.has(40) !== false
}
