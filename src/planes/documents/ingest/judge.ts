import { isProtected, noAuth } from '../auth/auth-settings.ts'
import { type AuthState, settingsDelta } from '../auth/auth-state.ts'
import { nextHeight, readStrategy, storeStrategy } from '../auth/height-strategy.ts'
import { canWrite } from '../auth/permission.ts'
import { applyChange, assertMayChange, type SettingsChange } from '../auth/settings-change.ts'
import { type Doc, mergeDocs } from '../crdt/doc.ts'
import { decodeDoc } from '../crdt/doc-json.ts'
import { DocumentError, type DocumentErrorCode } from '../document-error.ts'
import type { DocumentLimits } from '../document-limits.ts'
import {
  databaseOf,
  type Entry,
  indexStore,
  isRoot,
  type SealedEntry,
  type StoreNode,
  settingsStore,
  storeHeight,
  storeNode,
} from '../entry/entry.ts'
import { type DatabaseId, type EntryId, isEntryId } from '../entry/entry-id.ts'
import { parseMetadata } from '../entry/entry-metadata.ts'
import { type PublicKey, verifySignature } from '../entry/key-pair.ts'
import type { History } from '../history/history.ts'
import type { Lineage } from '../history/lineage.ts'
import { docState } from '../state/store-type.ts'
import type { DocumentView, Want } from '../storage/document-storage.ts'

/** What an entry comes to, given its verified ancestors. A pure function of them, so that all replicas agree. */
export type Verdict =
  | { readonly kind: 'valid'; readonly lineage: Lineage }
  | { readonly kind: 'invalid'; readonly error: DocumentError }
  /** Its authority comes from a database that is not here, or not whole. */
  | { readonly kind: 'wanting'; readonly wants: readonly Want[] }

export interface Signed {
  readonly sealed: SealedEntry
  /** The key its signature was found to be of, when it names one; undefined: none, or not yet checked. */
  readonly signer: PublicKey | undefined
}

/** Judges one entry whose parents are all verified. */
export class Judge {
  readonly #history: History
  readonly #limits: DocumentLimits
  readonly #now: () => number

  /** @param now wall time, milliseconds */
  constructor(history: History, limits: DocumentLimits, now: () => number) {
    this.#history = history
    this.#limits = limits
    this.#now = now
  }

  judge(view: DocumentView, signed: Signed): Verdict {
    const { sealed } = signed
    try {
      const database = databaseOf(sealed)
      if (!isRoot(sealed.entry)) this.#assertParents(view, database, sealed.entry)
      const lineage = this.#history.lineages.at(view, database, sealed.entry.parents)
      const settings = this.#pinned(view, database, sealed.entry, lineage)
      const change =
        storeNode(sealed.entry, settingsStore) && applyChange(settings.doc, settingsDelta(sealed))
      this.#assertStores(sealed.entry, lineage)
      this.#assertHeights(view, database, sealed.entry, lineage, settings, change)
      const wants = this.#authorize(view, signed, settings, change)
      return wants === undefined ? { kind: 'valid', lineage } : { kind: 'wanting', wants }
    } catch (error) {
      if (error instanceof DocumentError) return { kind: 'invalid', error }
      throw error
    }
  }

  #assertParents(view: DocumentView, database: DatabaseId, { parents }: Entry): void {
    for (const id of parents) {
      const parent = view.entry(id)
      if (parent === undefined) throw refuse('document/bad-parents', `its parent ${id} is not verified`)
      if (databaseOf(parent) !== database)
        throw refuse('document/foreign', `its parent ${id} belongs to another database`)
    }
  }

  /** The rules it is judged by: the settings as of its own parents, which it must have pinned. */
  #pinned(view: DocumentView, database: DatabaseId, entry: Entry, lineage: Lineage): AuthState {
    const pin = parseMetadata(entry.metadata).settingsTips
    const tips = lineage.tips(settingsStore)
    if (!sameIds(pin, tips))
      throw refuse('document/bad-pin', 'it does not pin the settings as of its own parents')
    return this.#history.auth.at(view, database, tips)
  }

  /** In every store it builds on exactly the store's tips as of its own parents. */
  #assertStores(entry: Entry, lineage: Lineage): void {
    for (const { name, parents } of entry.stores)
      if (!sameIds(parents, lineage.tips(name)))
        throw refuse(
          'document/bad-parents',
          `it does not build on the tips of the store ${name} as of its parents`,
        )
    const added = entry.stores.filter(({ name }) => lineage.head(name) === undefined)
    if (lineage.size + added.length > this.#limits.maxStores)
      throw refuse('document/too-large', `the database would have more than ${this.#limits.maxStores} stores`)
  }

  #assertHeights(
    view: DocumentView,
    database: DatabaseId,
    entry: Entry,
    lineage: Lineage,
    settings: AuthState,
    change: SettingsChange | undefined,
  ): void {
    const strategy = readStrategy(change?.doc ?? settings.doc, 'height_strategy') ?? 'incremental'
    const heights = entry.parents.map((id) => view.entry(id)!.entry.height)
    const highest = heights.length === 0 ? undefined : Math.max(...heights)
    this.#assertHeight(strategy, highest, entry.height, 'its height')
    const index = this.#index(view, database, entry, lineage, settings)
    for (const node of entry.stores) this.#assertStoreHeight(entry, node, lineage, index)
  }

  #assertStoreHeight(entry: Entry, node: StoreNode, lineage: Lineage, index: Doc): void {
    const strategy = node.name.startsWith('_') ? undefined : storeStrategy(index, node.name)
    const highest = lineage.head(node.name)?.height
    if (strategy !== undefined && node.height !== undefined)
      return this.#assertHeight(strategy, highest, node.height, `its height in ${node.name}`)
    if ((strategy === undefined) !== (node.height === undefined))
      throw refuse('document/bad-height', `the store ${node.name} has ${strategy ? 'its own' : 'no'} heights`)
    if (highest !== undefined && storeHeight(entry, node) <= highest)
      throw refuse('document/bad-height', `it is no higher than its parents in ${node.name}`)
  }

  #assertHeight(
    strategy: 'incremental' | 'timestamp',
    parents: number | undefined,
    height: number,
    what: string,
  ): void {
    const least = nextHeight('incremental', parents, 0)
    if (strategy === 'incremental' ? height !== least : height < least)
      throw refuse('document/bad-height', `${what} is ${height}; its parents make it ${least}`)
    const latest = Math.max(least, this.#now() + this.#limits.maxAheadMs)
    if (height > latest) throw refuse('document/too-new', `${what} lies in the future`)
  }

  /** The index as it is with this entry. A store it registers or configures must take part in it. */
  #index(view: DocumentView, database: DatabaseId, entry: Entry, lineage: Lineage, settings: AuthState): Doc {
    const tips = lineage.tips(indexStore)
    const point = { database, store: indexStore, tips, settingsTips: settings.tips }
    using lease = this.#history.states.now(view, docState, point)
    const data = storeNode(entry, indexStore)?.data
    if (data === undefined) return lease.value
    const change = decodeDoc(data)
    for (const name of change.children.keys())
      if (storeNode(entry, name) === undefined)
        throw refuse('document/bad-structure', `it registers the store ${name} and takes no part in it`)
    return mergeDocs(lease.value, change)
  }

  /** Answers what has to arrive first; undefined: it is authorized. */
  #authorize(
    view: DocumentView,
    { sealed, signer }: Signed,
    settings: AuthState,
    change: SettingsChange | undefined,
  ): readonly Want[] | undefined {
    // The first keys of a database come with an entry signed by one of them.
    const first = !isProtected(settings.auth) && change !== undefined
    const auth = first ? change.after : settings.auth
    const { signature, key } = sealed.entry.sig
    if (!isProtected(auth)) {
      if (signature === undefined) return undefined
      throw refuse('document/bad-signature', 'it is signed, and the database knows no keys')
    }
    if (signature === undefined) throw refuse('document/bad-signature', 'it is not signed')
    const resolution = this.#history.resolver.resolve(view, auth, key)
    if (resolution.kind === 'wanting') return resolution.wants
    if (resolution.kind === 'refused') throw refuse('document/permission-denied', resolution.why)
    const genuine = resolution.candidates.filter(
      ({ pubkey }) => pubkey === signer || isSignedBy(sealed, pubkey),
    )
    if (genuine.length === 0)
      throw refuse('document/bad-signature', 'its signature is not of the key it names')
    const errors = genuine.map(({ permission }) => {
      try {
        if (change !== undefined) assertMayChange(permission, first ? { ...change, before: noAuth } : change)
        else if (!canWrite(permission)) throw refuse('document/permission-denied', 'its key may only read')
        return undefined
      } catch (error) {
        return error
      }
    })
    if (errors.includes(undefined)) return undefined
    throw errors[0]
  }
}

/** What of an entry makes it impossible to ever be part of a database. */
export function assertReferences({ root, parents, stores }: Entry): void {
  const ids = [...parents, ...stores.flatMap((store) => store.parents), ...(root === undefined ? [] : [root])]
  for (const id of ids)
    if (!isEntryId(id)) throw refuse('document/bad-parents', `${id} cannot be the id of an entry`)
}

function isSignedBy({ entry, signingBytes }: SealedEntry, pubkey: PublicKey): boolean {
  const signature = Buffer.from(entry.sig.signature ?? '', 'base64')
  return (
    signature.toString('base64') === entry.sig.signature && verifySignature(pubkey, signingBytes, signature)
  )
}

function sameIds(a: readonly EntryId[], b: readonly EntryId[]): boolean {
  return a === b || (a.length === b.length && a.every((id, i) => id === b[i]))
}

function refuse(code: DocumentErrorCode, why: string): DocumentError {
  return new DocumentError(code, `the entry is refused: ${why}`)
}
