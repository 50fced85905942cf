import type { SealedEntry } from '../entry/entry.ts'
import { type PublicKey, verifySignature } from '../entry/key-pair.ts'
import type { AuthSettings, Delegation, Grant } from './auth-settings.ts'
import { type Permission, read } from './permission.ts'

/**
 * What lets somebody write, as one thing that can be granted and revoked: `key:<public key>`, `global`, or
 * `tree:<database>` for everybody another database vouches for; `none` in an unsigned database.
 */
export type Authority = string

export interface AuthorityChange {
  readonly authority: Authority
  readonly kind: 'granted' | 'revoked'
}

/** The authority a valid entry acted under, with the permission the settings give it before a delegation's bounds. */
export function authorityOf(
  auth: AuthSettings,
  sealed: SealedEntry,
): { readonly authority: Authority; readonly permission: Permission } {
  const { key } = sealed.entry.sig
  if (key.kind === 'delegation') {
    const tree = key.path[0]?.tree
    const permission = tree && auth.delegations.get(tree)?.bounds.max
    return { authority: `tree:${tree ?? ''}`, permission: permission ?? read }
  }
  if (key.hint.isGlobal === true) return { authority: 'global', permission: auth.global?.permission ?? read }
  const pubkey = key.hint.pubkey ?? namedSigner(auth, sealed)
  if (pubkey === undefined) return { authority: 'none', permission: read }
  return { authority: `key:${pubkey}`, permission: auth.keys.get(pubkey)?.permission ?? read }
}

/** Keys that share a name, in the order in which they are tried. */
export function keysNamed(auth: AuthSettings, name: string): PublicKey[] {
  const named = [...auth.keys].filter(([, grant]) => grant.name === name)
  return named.map(([pubkey]) => pubkey).sort()
}

/** Several keys may share a name; which of them signed is told by the signature. */
function namedSigner(auth: AuthSettings, { entry, signingBytes }: SealedEntry): PublicKey | undefined {
  const { name } = entry.sig.key.hint
  const candidates = name === undefined ? [] : keysNamed(auth, name)
  const signature = Buffer.from(entry.sig.signature ?? '', 'base64')
  return candidates.find((pubkey) => verifySignature(pubkey, signingBytes, signature))
}

/** What came and what went between two states of the settings. */
export function authorityChanges(before: AuthSettings, after: AuthSettings): AuthorityChange[] {
  const changes: AuthorityChange[] = []
  const compare = (authority: Authority, had: boolean, has: boolean) => {
    if (had !== has) changes.push({ authority, kind: has ? 'granted' : 'revoked' })
  }
  const isActive = (grant: Grant | undefined) => grant?.status === 'active'
  for (const key of new Set([...before.keys.keys(), ...after.keys.keys()]))
    compare(`key:${key}`, isActive(before.keys.get(key)), isActive(after.keys.get(key)))
  const has = (delegation: Delegation | undefined) => delegation !== undefined
  for (const tree of new Set([...before.delegations.keys(), ...after.delegations.keys()]))
    compare(`tree:${tree}`, has(before.delegations.get(tree)), has(after.delegations.get(tree)))
  compare('global', isActive(before.global), isActive(after.global))
  return changes
}
