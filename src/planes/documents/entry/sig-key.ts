import type { DatabaseId, EntryId } from './entry-id.ts'
import type { PublicKey } from './key-pair.ts'

/** How to find the signing key in the auth settings. Normally one of: pubkey; name; pubkey with `isGlobal`. */
export interface KeyHint {
  readonly pubkey?: PublicKey
  readonly name?: string
  /** Acts under the wildcard grant; `pubkey` is the actual signer. */
  readonly isGlobal?: boolean
}

/** One database on the way from the one that is written to the one that knows the key. */
export interface DelegationStep {
  readonly tree: DatabaseId
  /** The state of that database the signer saw. */
  readonly tips: readonly EntryId[]
}

/** The claim inside an entry about which key signed it. */
export type SigKey =
  | { readonly kind: 'direct'; readonly hint: KeyHint }
  | { readonly kind: 'delegation'; readonly path: readonly DelegationStep[]; readonly hint: KeyHint }

/** The claim of an unsigned entry. */
export const noKey: SigKey = { kind: 'direct', hint: {} }

export function keyClaim(pubkey: PublicKey): SigKey {
  return { kind: 'direct', hint: { pubkey } }
}

export function globalClaim(pubkey: PublicKey): SigKey {
  return { kind: 'direct', hint: { pubkey, isGlobal: true } }
}

export function claimsNobody({ hint }: SigKey): boolean {
  return hint.pubkey === undefined && hint.name === undefined
}
