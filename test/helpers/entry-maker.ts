import type { SealedEntry, StoreNode } from '../../src/planes/documents/entry/entry.ts'
import { databaseOf, storeHeight, storeNode } from '../../src/planes/documents/entry/entry.ts'
import { sealEntry } from '../../src/planes/documents/entry/entry-encoder.ts'
import { encodeMetadata } from '../../src/planes/documents/entry/entry-metadata.ts'
import type { KeyPair } from '../../src/planes/documents/entry/key-pair.ts'
import { keyClaim, noKey } from '../../src/planes/documents/entry/sig-key.ts'

export interface DraftStore {
  readonly name: string
  readonly parents?: readonly SealedEntry[]
  readonly data?: string | undefined
  readonly height?: number
}

const utf8 = (text: string) => new Uint8Array(Buffer.from(text))

/** A root entry of an unsigned database; another `salt`, another database. */
export function makeRoot(salt: number, stores: readonly DraftStore[] = []): SealedEntry {
  return sealEntry({
    root: undefined,
    parents: [],
    metadata: encodeMetadata({ settingsTips: [] }, BigInt(salt)),
    height: 0,
    stores: [
      { name: '_root', parents: [], data: utf8('""'), height: undefined },
      { name: '_settings', parents: [], data: utf8('{"children":{}}'), height: undefined },
      ...stores.map(toNode),
    ],
    sig: { signature: undefined, key: noKey },
  })
}

/** An entry over `parents` as an honest writer makes it, except for what `change` says. */
export function makeEntry(
  parents: readonly SealedEntry[],
  stores: readonly DraftStore[] = [],
  change: { readonly height?: number; readonly key?: KeyPair; readonly pin?: readonly SealedEntry[] } = {},
): SealedEntry {
  const database = databaseOf(parents[0]!)
  const height = change.height ?? 1 + Math.max(...parents.map(({ entry }) => entry.height))
  const pin = change.pin?.map(({ id }) => id) ?? [database]
  const { key } = change
  const draft = {
    root: database,
    parents: parents.map(({ id }) => id),
    metadata: encodeMetadata({ settingsTips: pin }),
    height,
    stores: stores.map(toNode),
    sig: { signature: undefined, key: key === undefined ? noKey : keyClaim(key.publicKey) },
  }
  return sealEntry(draft, key)
}

function toNode({ name, parents = [], data, height }: DraftStore): StoreNode {
  return {
    name,
    parents: parents.map(({ id }) => id),
    data: data === undefined ? undefined : utf8(data),
    height,
  }
}

/** The height of an entry in a store it takes part in. */
export function heightIn(sealed: SealedEntry, store: string): number {
  return storeHeight(sealed.entry, storeNode(sealed.entry, store)!)
}
