import type { AuthState, AuthStates } from '../auth/auth-state.ts'
import { authorityOf } from '../auth/authority.ts'
import type { SealedEntry } from '../entry/entry.ts'
import type { DatabaseId } from '../entry/entry-id.ts'
import { parseMetadata } from '../entry/entry-metadata.ts'
import type { DocumentView } from '../storage/document-storage.ts'

/**
 * Which entries count for nothing as of some settings: what a revoked authority wrote beside its revocation, and what
 * was written under an authority that only void settings granted. They stay in the history, verified, and everything
 * that builds on them stays valid; only their payloads are not folded into any state that knows of the revocation.
 */
export class VoidFilter {
  readonly #states: AuthStates
  readonly #view: DocumentView
  readonly #database: DatabaseId
  readonly #at: AuthState

  constructor(states: AuthStates, view: DocumentView, database: DatabaseId, at: AuthState) {
    this.#states = states
    this.#view = view
    this.#database = database
    this.#at = at
  }

  isVoid(sealed: SealedEntry): boolean {
    const { effective, void: voided } = this.#at.settled
    if (effective.length === 0) return false
    if (voided.has(sealed.id)) return true
    if (sealed.entry.root === undefined) return false
    const pin = this.#states.at(this.#view, this.#database, parseMetadata(sealed.entry.metadata).settingsTips)
    const { authority } = authorityOf(pin.auth, sealed)
    for (const { authority: revoked, by } of effective) {
      // Whoever has seen the revocation writes after it, under what was granted since.
      if (revoked !== authority || pin.settled.revoking.has(by)) continue
      if (!this.#states.ancestors(this.#view, this.#database, by).has(sealed.id)) return true
    }
    const grants = pin.settled.grants.get(authority) ?? []
    return voided.size > 0 && grants.length > 0 && grants.every((grant) => voided.has(grant))
  }
}
