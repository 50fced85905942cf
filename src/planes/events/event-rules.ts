import type { NostrEvent } from './event.ts'
import { isAddressable, isReplaceable } from './kind.ts'
import { relayAddress } from './relay-address.ts'

/** A request to delete (NIP-09). */
export const deletion = 5
/** A request to vanish (NIP-62). */
export const vanishRequest = 62
/** A sealed message by a throw-away key (NIP-59). */
export const giftWrap = 1059

const hex64 = /^[0-9a-f]{64}$/

/** The first value of the first such tag; empty when there is none. */
export function firstValue(event: NostrEvent, tag: string): string {
  return event.tags.find(([name]) => name === tag)?.[1] ?? ''
}

/** The public keys in `p` tags. */
export function recipientsOf(event: NostrEvent): string[] {
  return event.tags.flatMap(([name, value]) => (name === 'p' && value && hex64.test(value) ? [value] : []))
}

/**
 * Whether a request to vanish names one of these relays, or all there are (NIP-62).
 *
 * @param ours the addresses of this relay, see `relayAddress`
 */
export function namesRelay({ tags }: NostrEvent, ours: ReadonlySet<string | undefined>): boolean {
  return tags.some(([name, value]) => {
    if (name !== 'relay' || value === undefined) return false
    const address = relayAddress(value)
    return value === 'ALL_RELAYS' || (address !== undefined && ours.has(address))
  })
}

/** Seconds since 1970; undefined when there is none, or none that reads as an integer (NIP-40). */
export function expirationOf(event: NostrEvent): number | undefined {
  const value = event.tags.find(([name]) => name === 'expiration')?.[1]
  if (value === undefined || !/^\d+$/.test(value)) return undefined
  return Math.min(Number(value), Number.MAX_SAFE_INTEGER)
}

/** The ids a deletion names; whether its author may delete them is another question. */
export function deletedIds(deletion: NostrEvent): string[] {
  return deletion.tags.flatMap(([name, value]) => (name === 'e' && value && hex64.test(value) ? [value] : []))
}

/** The author's own addresses a deletion names, as kind and `d`. */
export function deletedAddresses(deletion: NostrEvent): { readonly kind: number; readonly d: string }[] {
  return deletion.tags.flatMap(([name, value]) => {
    const match =
      name === 'a' && value !== undefined ? /^(0|[1-9]\d{0,4}):([0-9a-f]{64}):(.*)$/s.exec(value) : null
    if (match === null || match[2] !== deletion.pubkey) return []
    const kind = Number(match[1])
    const d = match[3]!
    return isAddressable(kind) || (isReplaceable(kind) && d === '') ? [{ kind, d }] : []
  })
}
