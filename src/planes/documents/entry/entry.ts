import { DocumentError } from '../document-error.ts'
import { type DatabaseId, type EntryId, sortedIds } from './entry-id.ts'
import { claimsNobody, type SigKey } from './sig-key.ts'

/** Names beginning with `_` belong to the system. */
export const rootStore = '_root'
export const settingsStore = '_settings'
export const indexStore = '_index'

/** What an entry does to one store. */
export interface StoreNode {
  readonly name: string
  /** Sorted, unique. Empty: this entry is a root of the store's own DAG. */
  readonly parents: readonly EntryId[]
  /** Absent: takes part in the store and changes nothing. Empty is something else. */
  readonly data: Uint8Array | undefined
  /** Absent: the tree's height. */
  readonly height: number | undefined
}

/** An immutable node of a database's DAG (docs/protocol/documents.md, "Entry"). */
export interface Entry {
  /** Absent only on a root entry. */
  readonly root: DatabaseId | undefined
  /** Sorted, unique. */
  readonly parents: readonly EntryId[]
  /** JSON in bytes, see `entry-metadata.ts`. Never re-encoded. */
  readonly metadata: Uint8Array | undefined
  readonly height: number
  /** Sorted by name, each name once. */
  readonly stores: readonly StoreNode[]
  readonly sig: {
    /** Base64 of 64 bytes; absent on an unsigned entry. */
    readonly signature: string | undefined
    readonly key: SigKey
  }
}

/** An entry with the bytes that name it, kept as they were received. */
export interface SealedEntry {
  readonly id: EntryId
  readonly bytes: Uint8Array
  readonly entry: Entry
  /** What its signature is over: the bytes without the value of the signature. */
  readonly signingBytes: Uint8Array
}

/** The database an entry belongs to. */
export function databaseOf({ id, entry }: Pick<SealedEntry, 'id' | 'entry'>): DatabaseId {
  return entry.root ?? id
}

export function storeNode(entry: Entry, name: string): StoreNode | undefined {
  return entry.stores.find((store) => store.name === name)
}

/** The height that orders the entry within a store. */
export function storeHeight(entry: Entry, node: StoreNode): number {
  return node.height ?? entry.height
}

export function isRoot(entry: Entry): boolean {
  return storeNode(entry, rootStore) !== undefined
}

/** Sorts and removes duplicates, so that the order in which parts were added never shows in the id. */
export function normalized(entry: Entry): Entry {
  const stores = entry.stores
    .map((store) => ({ ...store, parents: sortedIds(store.parents) }))
    .sort((a, b) => compareNames(a.name, b.name))
  const sig = { ...entry.sig, key: normalizedClaim(entry.sig.key) }
  return { ...entry, parents: sortedIds(entry.parents), stores, sig }
}

function normalizedClaim(key: SigKey): SigKey {
  if (key.kind === 'direct') return key
  return { ...key, path: key.path.map(({ tree, tips }) => ({ tree, tips: sortedIds(tips) })) }
}

/** By UTF-8 bytes, which JavaScript's own order of strings is not. */
export function compareNames(a: string, b: string): number {
  if (a === b) return 0
  for (let i = 0; i < a.length && i < b.length; i++) {
    const [left, right] = [a.charCodeAt(i), b.charCodeAt(i)]
    if (left === right) continue
    // Below the surrogates the two orders agree.
    return left < 0xd800 && right < 0xd800 ? left - right : Buffer.compare(Buffer.from(a), Buffer.from(b))
  }
  return a.length - b.length
}

/**
 * What can be said of an entry without knowing its database.
 *
 * @throws DocumentError `document/bad-structure`
 */
export function assertStructure(entry: Entry): void {
  const marked = isRoot(entry)
  if (marked && entry.parents.length > 0) throw bad('it is marked as a root and has parents')
  if (marked && entry.root !== undefined) throw bad('it is marked as a root and names another one')
  if (!marked && entry.root === undefined) throw bad('it names no root and is not marked as one')
  if (entry.root === '') throw bad('its root is the empty id')
  if (!marked && entry.parents.length === 0) throw bad('it is no root and has no parents')
  if (entry.parents.some((parent) => parent === '')) throw bad('a parent is the empty id')
  for (const { name, parents } of entry.stores) {
    if (name === '') throw bad('a store has no name')
    if (marked && parents.length > 0) throw bad(`the root has parents in the store ${name}`)
    if (parents.some((parent) => parent === '')) throw bad(`a parent in the store ${name} is the empty id`)
  }
  const { signature, key } = entry.sig
  if (signature === undefined && !claimsNobody(key)) throw bad('it claims a key and is not signed')
  if (signature === undefined && key.kind === 'delegation') throw bad('it is delegated and not signed')
  if (signature !== undefined && claimsNobody(key)) throw bad('it is signed and does not say by which key')
}

function bad(why: string): DocumentError {
  return new DocumentError('document/bad-structure', `the entry is refused: ${why}`)
}
