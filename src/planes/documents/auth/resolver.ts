import { DocumentError } from '../document-error.ts'
import { maxDelegationSteps, maxDelegationTips } from '../document-limits.ts'
import { settingsStore } from '../entry/entry.ts'
import type { DatabaseId, EntryId } from '../entry/entry-id.ts'
import type { PublicKey } from '../entry/key-pair.ts'
import type { DelegationStep, KeyHint, SigKey } from '../entry/sig-key.ts'
import type { Lineages } from '../history/lineages.ts'
import { reachability } from '../history/reachability.ts'
import type { DocumentView, Want } from '../storage/document-storage.ts'
import type { AuthSettings } from './auth-settings.ts'
import type { AuthStates } from './auth-state.ts'
import { keysNamed } from './authority.ts'
import { clamp, narrow, type Permission, type PermissionBounds } from './permission.ts'

/** A key that may have signed, with what it would be allowed to do. Only active grants are candidates. */
export interface Candidate {
  readonly pubkey: PublicKey
  readonly permission: Permission
}

export type Resolution =
  | { readonly kind: 'candidates'; readonly candidates: readonly Candidate[] }
  /** It can never be valid; says why. */
  | { readonly kind: 'refused'; readonly why: string }
  /** Another database, or a part of one, has to arrive first. */
  | { readonly kind: 'wanting'; readonly wants: readonly Want[] }

export interface ResolverParts {
  readonly auth: AuthStates
  readonly lineages: Lineages
}

/** Finds the keys a claim may mean, through other databases where it says so. */
export class Resolver {
  readonly #parts: ResolverParts

  constructor(parts: ResolverParts) {
    this.#parts = parts
  }

  resolve(view: DocumentView, settings: AuthSettings, claim: SigKey): Resolution {
    if (claim.kind === 'direct') return direct(settings, claim.hint, undefined)
    const { path, hint } = claim
    if (path.length === 0) return refused('the delegation path is empty')
    if (path.length > maxDelegationSteps)
      return refused(`the delegation path has more than ${maxDelegationSteps} steps`)
    if (hint.isGlobal === true) return refused('a global grant is not delegated')
    let at = settings
    let bounds: PermissionBounds | undefined
    for (const step of path) {
      const next = this.#step(view, at, step)
      if (next.kind !== 'settings') return next
      at = next.settings
      bounds = bounds === undefined ? next.bounds : narrow(bounds, next.bounds)
    }
    return direct(at, hint, bounds)
  }

  #step(view: DocumentView, settings: AuthSettings, { tree, tips }: DelegationStep): Step | Resolution {
    const delegation = settings.delegations.get(tree)
    if (delegation === undefined) return refused(`the database ${tree} is not delegated to`)
    if (tips.length === 0) return refused('a delegation step claims no tips')
    if (tips.length > maxDelegationTips)
      return refused(`a delegation step claims more than ${maxDelegationTips} tips`)
    const unverified = tips.filter((tip) => view.status(tip) !== 'verified')
    if (unverified.length > 0) return this.#wanting(view, tree, unverified)
    try {
      const floor = reachability(view, tree, tips, delegation.tips)
      if (floor.kind === 'unreachable')
        return refused('the claimed tips are older than the delegation allows')
      if (floor.kind === 'indeterminate') return this.#wanting(view, tree, floor.missing)
    } catch (error) {
      if (error instanceof DocumentError) return refused(error.message)
      throw error
    }
    const { auth, lineages } = this.#parts
    const settingsTips = lineages.at(view, tree, tips).tips(settingsStore)
    return { kind: 'settings', settings: auth.at(view, tree, settingsTips).auth, bounds: delegation.bounds }
  }

  /** An entry that was refused never arrives: whatever needs it is refused too. */
  #wanting(view: DocumentView, database: DatabaseId, ids: readonly EntryId[]): Resolution {
    if (ids.some((id) => view.status(id) === 'failed')) return refused('a claimed tip was found to be bad')
    const foreign = ids.find((id) => (view.held(id)?.database ?? database) !== database)
    if (foreign !== undefined) return refused(`the claimed tip ${foreign} belongs to another database`)
    return { kind: 'wanting', wants: ids.map((id) => ({ database, id })) }
  }
}

interface Step {
  readonly kind: 'settings'
  readonly settings: AuthSettings
  readonly bounds: PermissionBounds
}

function direct(settings: AuthSettings, hint: KeyHint, bounds: PermissionBounds | undefined): Resolution {
  const { pubkey, name, isGlobal } = hint
  const bounded = (permission: Permission) => (bounds === undefined ? permission : clamp(permission, bounds))
  if (isGlobal === true) {
    if (settings.global?.status !== 'active') return refused('there is no global grant')
    if (pubkey === undefined) return refused('a global claim names no key')
    return { kind: 'candidates', candidates: [{ pubkey, permission: bounded(settings.global.permission) }] }
  }
  const keys = pubkey === undefined ? keysNamed(settings, name ?? '') : [pubkey]
  const known = keys.flatMap((key) => {
    const grant = settings.keys.get(key)
    return grant === undefined ? [] : [{ key, grant }]
  })
  if (known.length === 0) return refused(`the database knows no key ${pubkey ?? JSON.stringify(name)}`)
  const active = known.filter(({ grant }) => grant.status === 'active')
  if (active.length === 0) return refused(`the key ${pubkey ?? JSON.stringify(name)} is revoked`)
  const candidates = active.map(({ key, grant }) => ({ pubkey: key, permission: bounded(grant.permission) }))
  return { kind: 'candidates', candidates }
}

function refused(why: string): Resolution {
  return { kind: 'refused', why }
}
