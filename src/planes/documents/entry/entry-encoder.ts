import { CborWriter } from './cbor-writer.ts'
import type { Entry, SealedEntry, StoreNode } from './entry.ts'
import { assertStructure, normalized } from './entry.ts'
import { entryIdOf } from './entry-id.ts'
import type { KeyPair } from './key-pair.ts'
import type { KeyHint, SigKey } from './sig-key.ts'

/** Canonical DAG-CBOR; `entry` must be normalized. */
export function encodeEntry(entry: Entry): Uint8Array {
  return encode(entry, entry.sig.signature)
}

/** What the signature of an entry is over: its canonical bytes without the value of the signature. */
export function signingBytesOf(entry: Entry): Uint8Array {
  return encode(entry, undefined)
}

/**
 * Normalizes, checks the structure, signs with `key` (none: leaves it as it is) and names it.
 *
 * @throws DocumentError `document/bad-structure`
 */
export function sealEntry(draft: Entry, key?: KeyPair): SealedEntry {
  let entry = normalized(draft)
  const signingBytes = signingBytesOf(entry)
  if (key !== undefined) {
    const signature = Buffer.from(key.sign(signingBytes)).toString('base64')
    entry = { ...entry, sig: { ...entry.sig, signature } }
  }
  assertStructure(entry)
  const bytes = encodeEntry(entry)
  return { id: entryIdOf(bytes), bytes, entry, signingBytes }
}

function encode(entry: Entry, signature: string | undefined): Uint8Array {
  const writer = new CborWriter()
  writer.map(3)
  writer.text('sig')
  writer.map(signature === undefined ? 1 : 2)
  writer.text('key')
  writeSigKey(writer, entry.sig.key)
  if (signature !== undefined) {
    writer.text('sig')
    writer.text(signature)
  }
  writer.text('tree')
  writeTree(writer, entry)
  writer.text('subtrees')
  writer.array(entry.stores.length)
  for (const store of entry.stores) writeStore(writer, store)
  return writer.take()
}

function writeTree(writer: CborWriter, { height, root, parents, metadata }: Entry): void {
  writer.map(1 + Number(height !== 0) + Number(root !== undefined) + Number(metadata !== undefined))
  if (height !== 0) {
    writer.text('h')
    writer.unsigned(height)
  }
  if (root !== undefined) {
    writer.text('root')
    writer.link(root)
  }
  writer.text('parents')
  writer.links(parents)
  if (metadata !== undefined) {
    writer.text('metadata')
    writer.bytes(metadata)
  }
}

function writeStore(writer: CborWriter, { name, parents, data, height }: StoreNode): void {
  writer.map(2 + Number(height !== undefined) + Number(data !== undefined))
  if (height !== undefined) {
    writer.text('h')
    writer.unsigned(height)
  }
  if (data !== undefined) {
    writer.text('data')
    writer.bytes(data)
  }
  writer.text('name')
  writer.text(name)
  writer.text('parents')
  writer.links(parents)
}

function writeSigKey(writer: CborWriter, key: SigKey): void {
  writer.map(1)
  writer.text(key.kind === 'direct' ? 'Direct' : 'Delegation')
  writer.map(key.kind === 'direct' ? 1 : 2)
  writer.text('hint')
  writeHint(writer, key.hint)
  if (key.kind === 'direct') return
  writer.text('path')
  writer.array(key.path.length)
  for (const { tree, tips } of key.path) {
    writer.map(2)
    writer.text('tips')
    writer.links(tips)
    writer.text('tree')
    writer.link(tree)
  }
}

function writeHint(writer: CborWriter, { name, pubkey, isGlobal = false }: KeyHint): void {
  writer.map(Number(name !== undefined) + Number(pubkey !== undefined) + Number(isGlobal))
  if (name !== undefined) {
    writer.text('name')
    writer.text(name)
  }
  if (pubkey !== undefined) {
    writer.text('pubkey')
    writer.text(pubkey)
  }
  if (!isGlobal) return
  writer.text('is_global')
  writer.true()
}
