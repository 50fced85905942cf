import { DocumentError } from '../document-error.ts'
import {
  type DocumentLimits,
  defaultDocumentLimits,
  maxDelegationSteps,
  maxDelegationTips,
} from '../document-limits.ts'
import { CborReader, mapKeys } from './cbor-reader.ts'
import { assertStructure, compareNames, type Entry, type SealedEntry, type StoreNode } from './entry.ts'
import { type EntryId, entryIdOf } from './entry-id.ts'
import { parsePublicKey } from './key-pair.ts'
import { type DelegationStep, type KeyHint, noKey, type SigKey } from './sig-key.ts'
import { type SignatureSpan, SignedBytes } from './signed-bytes.ts'

const entryKeys = mapKeys('_v', 'sig', 'tree', 'subtrees')
const treeKeys = mapKeys('h', 'root', 'parents', 'metadata')
const storeKeys = mapKeys('h', 'data', 'name', 'parents')
const sigKeys = mapKeys('key', 'sig')
const claimKeys = mapKeys('Direct', 'Delegation')
const directKeys = mapKeys('hint')
const delegationKeys = mapKeys('hint', 'path')
const stepKeys = mapKeys('tips', 'tree')
const hintKeys = mapKeys('name', 'pubkey', 'is_global')

/** A path this long passes through, so that it is refused for what it is, by whoever resolves it. */
const readableSteps = 4 * maxDelegationSteps
const readableTips = 4 * maxDelegationTips

/**
 * Reads one entry as received, keeps its bytes, computes its id and checks its structure. Accepts canonical bytes only:
 * encoding the result gives the same bytes.
 *
 * @throws DocumentError `document/too-large`, `document/bad-encoding`, `document/bad-version`, `document/bad-id`,
 *   `document/bad-key`, `document/bad-structure`
 */
export function openEntry(bytes: Uint8Array, limits: DocumentLimits = defaultDocumentLimits): SealedEntry {
  if (bytes.length > limits.maxEntryBytes) {
    const message = `an entry of ${bytes.length} bytes; at most ${limits.maxEntryBytes} are taken`
    throw new DocumentError('document/too-large', message)
  }
  const { entry, span } = new EntryDecoder(bytes, limits).decode()
  assertStructure(entry)
  return new SignedBytes(entryIdOf(bytes), bytes, entry, span)
}

class EntryDecoder {
  readonly #reader: CborReader
  readonly #limits: DocumentLimits
  #span: SignatureSpan | undefined

  constructor(bytes: Uint8Array, limits: DocumentLimits) {
    this.#reader = new CborReader(bytes)
    this.#limits = limits
  }

  decode(): { readonly entry: Entry; readonly span: SignatureSpan | undefined } {
    let sig: Entry['sig'] | undefined
    let tree: ReturnType<EntryDecoder['tree']> | undefined
    let stores: StoreNode[] | undefined
    this.#reader.map(entryKeys, (key) => {
      if (key === '_v') throw badVersion(this.#reader.unsigned())
      else if (key === 'sig') sig = this.sig()
      else if (key === 'tree') tree = this.tree()
      else stores = this.stores()
    })
    this.#reader.end()
    if (sig === undefined || tree === undefined || stores === undefined) throw missing('part of the entry')
    return { entry: { ...tree, stores, sig }, span: this.#span }
  }

  tree(): Pick<Entry, 'height' | 'root' | 'parents' | 'metadata'> {
    let height = 0
    let root: EntryId | undefined
    let parents: EntryId[] | undefined
    let metadata: Uint8Array | undefined
    this.#reader.map(treeKeys, (key) => {
      if (key === 'h') height = this.#positive()
      else if (key === 'root') root = this.#reader.link()
      else if (key === 'parents') parents = this.#reader.links(this.#limits.maxParents, 'parents')
      else metadata = this.#reader.bytes()
    })
    if (parents === undefined) throw missing('the parents')
    return { height, root, parents, metadata }
  }

  stores(): StoreNode[] {
    const stores: StoreNode[] = []
    for (let left = this.#reader.array(this.#limits.maxStoresPerEntry, 'stores'); left > 0; left--) {
      const store = this.#store()
      const last = stores.at(-1)
      if (last !== undefined && compareNames(last.name, store.name) >= 0)
        throw new DocumentError(
          'document/bad-encoding',
          'the stores are not sorted by name, or one is there twice',
        )
      stores.push(store)
    }
    return stores
  }

  sig(): Entry['sig'] {
    const reader = this.#reader
    const header = reader.position
    let key: SigKey = noKey
    let seen = false
    let signature: string | undefined
    let begin = 0
    reader.map(sigKeys, (name) => {
      if (name === 'key') {
        key = this.#sigKey()
        seen = true
        begin = reader.position
      } else {
        signature = reader.text()
        this.#span = { header, begin, end: reader.position }
      }
    })
    if (!seen) throw missing('the key')
    return { signature, key }
  }

  #store(): StoreNode {
    let name: string | undefined
    let parents: EntryId[] | undefined
    let data: Uint8Array | undefined
    let height: number | undefined
    this.#reader.map(storeKeys, (key) => {
      if (key === 'h') height = this.#reader.unsigned()
      else if (key === 'data') data = this.#reader.bytes()
      else if (key === 'name') name = this.#reader.text()
      else parents = this.#reader.links(this.#limits.maxParents, 'parents')
    })
    if (name === undefined || parents === undefined) throw missing('the name or the parents of a store')
    return { name, parents, data, height }
  }

  #sigKey(): SigKey {
    let key: SigKey | undefined
    this.#reader.map(claimKeys, (kind) => {
      if (key !== undefined) throw new DocumentError('document/bad-encoding', 'the entry claims two keys')
      let hint: KeyHint | undefined
      let path: DelegationStep[] | undefined
      this.#reader.map<'hint' | 'path'>(kind === 'Direct' ? directKeys : delegationKeys, (part) => {
        if (part === 'hint') hint = this.#hint()
        else path = this.#path()
      })
      if (hint === undefined) throw missing('the hint of the key')
      if (kind === 'Direct') key = { kind: 'direct', hint }
      else if (path === undefined) throw missing('the path of the key')
      else key = { kind: 'delegation', path, hint }
    })
    if (key === undefined) throw missing('the key')
    return key
  }

  #path(): DelegationStep[] {
    const path: DelegationStep[] = []
    for (let left = this.#reader.array(readableSteps, 'delegation steps'); left > 0; left--) {
      let tree: EntryId | undefined
      let tips: EntryId[] | undefined
      this.#reader.map(stepKeys, (part) => {
        if (part === 'tips') tips = this.#reader.links(readableTips, 'claimed tips')
        else tree = this.#reader.link()
      })
      if (tree === undefined || tips === undefined) throw missing('a part of the delegation path')
      path.push({ tree, tips })
    }
    return path
  }

  #hint(): KeyHint {
    const hint: { name?: string; pubkey?: KeyHint['pubkey'] & string; isGlobal?: boolean } = {}
    this.#reader.map(hintKeys, (part) => {
      if (part === 'name') hint.name = this.#reader.text()
      else if (part === 'pubkey') hint.pubkey = parsePublicKey(this.#reader.text())
      else if (this.#reader.boolean()) hint.isGlobal = true
      else throw new DocumentError('document/bad-encoding', 'is_global is left out when false')
    })
    return hint
  }

  #positive(): number {
    const height = this.#reader.unsigned()
    if (height === 0) throw new DocumentError('document/bad-encoding', 'height 0 is left out')
    return height
  }
}

function badVersion(version: number): DocumentError {
  const what =
    version === 0 ? 'version 0 is left out' : `version ${version} is not known; this program reads 0`
  return new DocumentError('document/bad-version', `the entry is refused: ${what}`)
}

function missing(what: string): DocumentError {
  return new DocumentError('document/bad-encoding', `not a canonical entry: ${what} is missing`)
}
