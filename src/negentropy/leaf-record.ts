import type { ItemColumns } from './item-columns.ts'
import type { Key } from './key.ts'

/**
 * What is kept of one leaf: the items from `first` (inclusive) up to the next leaf's `first`. The first leaf of an
 * index starts at `firstKey`; `first` need not be an item.
 */
export interface LeafRecord {
  readonly first: Key
  readonly count: number
  /** The ids added up as 256-bit little-endian integers, 32 bytes. */
  readonly sum: Uint8Array
}

/** What to do to the stored leaf records, in the transaction that changed the items. */
export type LeafChange =
  | { readonly op: 'put'; readonly leaf: LeafRecord }
  | { readonly op: 'delete'; readonly first: Key }

/** One item that came or went. */
export interface ItemChange {
  readonly key: Key
  readonly op: 'add' | 'remove'
}

/** Below every item; where the first leaf starts. */
export const firstKey: Key = { timestamp: 0, id: '0'.repeat(64) }

/** Reads the items of a key range as they are now, in key order. `to` is exclusive; undefined: up to the last. */
export type LoadItems = (from: Key, to: Key | undefined) => ItemColumns
