import { Doc, mergeDocs } from '../crdt/doc.ts'
import { decodeDoc } from '../crdt/doc-json.ts'
import { type SealedEntry, settingsStore, storeNode } from '../entry/entry.ts'
import { type DatabaseId, type EntryId, sortedIds } from '../entry/entry-id.ts'
import { storeDag, treeDag } from '../history/dag.ts'
import { closure } from '../history/walk.ts'
import type { DocumentView } from '../storage/document-storage.ts'
import { type AuthSettings, noAuth, readAuth } from './auth-settings.ts'
import { type AuthorityChange, authorityChanges, authorityOf } from './authority.ts'
import { type SettingsNode, type Settled, settledKey, settleRevocations } from './revocation.ts'

/** The settings of a database as of some store tips of `_settings`, with what follows from them. */
export interface AuthState {
  readonly tips: readonly EntryId[]
  readonly doc: Doc
  readonly auth: AuthSettings
  /** Which revocations hold, and which settings entries count for nothing because of them. */
  readonly settled: Settled
}

const nothing: AuthState = {
  tips: [],
  doc: new Doc(),
  auth: noAuth,
  settled: { effective: [], void: new Set(), revoking: new Set(), grants: new Map(), key: '' },
}

const maxCached = 2_000
const maxClosures = 8

/** Settings by their tips. A function of content: what was computed once stays right. */
export class AuthStates {
  readonly #states = new Map<string, AuthState>()
  readonly #nodes = new Map<EntryId, SettingsNode>()
  readonly #closures = new Map<EntryId, ReadonlySet<EntryId>>()

  /** Before the first entry. */
  readonly none = nothing

  /** The tips must be verified entries of the database that take part in `_settings`. */
  at(view: DocumentView, database: DatabaseId, tips: readonly EntryId[]): AuthState {
    if (tips.length === 0) return nothing
    const key = tips.join()
    const known = this.#states.get(key)
    if (known !== undefined) return known
    // From the bottom up, or a long history of settings would need as deep a stack.
    if (tips.length === 1) {
      const [tip] = tips
      const chain: EntryId[] = []
      for (let at: EntryId | undefined = tip; at !== undefined && !this.#states.has(at); ) {
        chain.push(at)
        const parents = parentsOf(view, at)
        at = parents.length === 1 ? parents[0] : undefined
        if (parents.length > 1) this.at(view, database, parents)
      }
      for (const id of chain.reverse()) this.#keep(id, this.#onTop(view, database, id))
      return this.#states.get(key)!
    }
    const state = this.#together(view, database, tips)
    this.#keep(key, state)
    return state
  }

  /** All ancestors of an entry and itself: what a revocation leaves untouched. */
  ancestors(view: DocumentView, database: DatabaseId, id: EntryId): ReadonlySet<EntryId> {
    const known = this.#closures.get(id)
    if (known !== undefined) return known
    const found = new Set(closure(treeDag(view, database), [id]).map((node) => node.id))
    if (this.#closures.size >= maxClosures) this.#closures.delete(this.#closures.keys().next().value!)
    this.#closures.set(id, found)
    return found
  }

  /** One more entry on top of everything before it: nothing is concurrent with it, so nothing is settled anew. */
  #onTop(view: DocumentView, database: DatabaseId, id: EntryId): AuthState {
    const before = this.at(view, database, parentsOf(view, id))
    const node = this.#node(view, database, id)
    const doc = mergeDocs(before.doc, node.delta)
    const grants = new Map(before.settled.grants)
    for (const { authority, kind } of node.changes)
      if (kind === 'granted') grants.set(authority, [...(grants.get(authority) ?? []), id])
    const revoked = node.changes.filter(({ kind }) => kind === 'revoked')
    const effective = [
      ...before.settled.effective,
      ...revoked.map(({ authority }) => ({ authority, by: id })),
    ]
    const key = settledKey(effective, before.settled.void)
    const { revoking: seen } = before.settled
    const revoking = revoked.length === 0 ? seen : new Set([...seen, id])
    const settled = { effective, void: before.settled.void, revoking, grants, key }
    return { tips: [id], doc, auth: readAuth(doc), settled }
  }

  /** Concurrent changes: they may revoke each other's authors. */
  #together(view: DocumentView, database: DatabaseId, tips: readonly EntryId[]): AuthState {
    const dag = storeDag(view, database, settingsStore)
    const nodes = closure(dag, tips).map(({ id }) => this.#node(view, database, id))
    const settled = settleRevocations(nodes, (id) => this.#settingsAncestors(view, database, id))
    let doc = new Doc()
    const owner = {}
    for (const { id, delta } of nodes) if (!settled.void.has(id)) doc = mergeDocs(doc, delta, owner)
    return { tips: sortedIds(tips), doc, auth: readAuth(doc), settled }
  }

  #settingsAncestors(view: DocumentView, database: DatabaseId, id: EntryId): ReadonlySet<EntryId> {
    return new Set(closure(storeDag(view, database, settingsStore), [id]).map((node) => node.id))
  }

  /** What one settings entry does, judged by the settings it builds on. */
  #node(view: DocumentView, database: DatabaseId, id: EntryId): SettingsNode {
    const known = this.#nodes.get(id)
    if (known !== undefined) return known
    const sealed = view.entry(id)!
    const before = this.at(view, database, parentsOf(view, id))
    const delta = settingsDelta(sealed)
    const after = readAuth(mergeDocs(before.doc, delta))
    const changes: readonly AuthorityChange[] = authorityChanges(before.auth, after)
    const judge = before.tips.length === 0 || before.auth === noAuth ? after : before.auth
    const node = { id, delta, changes, ...authorityOf(judge, sealed) }
    if (this.#nodes.size >= maxCached) this.#nodes.clear()
    this.#nodes.set(id, node)
    return node
  }

  #keep(key: string, state: AuthState): void {
    if (this.#states.size >= maxCached) this.#states.delete(this.#states.keys().next().value!)
    this.#states.set(key, state)
  }
}

/** What an entry changes of the settings; nothing when its payload is absent or unreadable. */
export function settingsDelta({ entry }: SealedEntry): Doc {
  const data = storeNode(entry, settingsStore)?.data
  return data === undefined ? new Doc() : decodeDoc(data)
}

function parentsOf(view: DocumentView, id: EntryId): readonly EntryId[] {
  const sealed = view.entry(id)
  return (sealed && storeNode(sealed.entry, settingsStore)?.parents) ?? []
}
