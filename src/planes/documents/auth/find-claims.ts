import { settingsStore } from '../entry/entry.ts'
import type { PublicKey } from '../entry/key-pair.ts'
import { globalClaim, keyClaim, type SigKey } from '../entry/sig-key.ts'
import type { History } from '../history/history.ts'
import type { DocumentView } from '../storage/document-storage.ts'
import type { AuthSettings } from './auth-settings.ts'
import { type Permission, rankOf } from './permission.ts'

export interface FoundClaim {
  readonly claim: SigKey
  readonly permission: Permission
}

/**
 * How a key can act in a database: its own active grant, the active global grant, and one step away, a grant in a
 * database the settings delegate to and this node has. Strongest first. Longer ways exist and are not searched.
 */
export function findClaims(
  view: DocumentView,
  { auth, lineages, resolver }: History,
  settings: AuthSettings,
  key: PublicKey,
): FoundClaim[] {
  const claims: SigKey[] = [keyClaim(key), globalClaim(key)]
  for (const tree of settings.delegations.keys()) {
    const tips = view.tips(tree)
    if (tips.length === 0) continue
    const other = auth.at(view, tree, lineages.at(view, tree, tips).tips(settingsStore))
    if (other.auth.keys.has(key))
      claims.push({ kind: 'delegation', path: [{ tree, tips }], hint: { pubkey: key } })
  }
  const found = claims.flatMap((claim) => {
    const resolution = resolver.resolve(view, settings, claim)
    if (resolution.kind !== 'candidates') return []
    return resolution.candidates.map(({ permission }) => ({ claim, permission }))
  })
  return found.sort((a, b) => rankOf(b.permission) - rankOf(a.permission))
}
