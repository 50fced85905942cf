import { CID } from 'multiformats/cid'
import { DocumentError } from '../document-error.ts'
import { blake3 } from './blake3.ts'

/**
 * A content id in its text form: CIDv1, multibase base32-lower. Entry ids are dag-cbor with BLAKE3-256 and begin with
 * `bafyr4i`. The text does NOT sort like the bytes (base32 puts its digits last, ASCII first): use `compareIds`.
 */
export type EntryId = string & { readonly __entryId: never }

/** A database is named by the id of its root entry. */
export type DatabaseId = EntryId

/** `01 71 1e 20`: version 1, dag-cbor, BLAKE3, 32 bytes. */
const entryPrefix = Uint8Array.of(0x01, 0x71, 0x1e, 0x20)
const rawPrefix = Uint8Array.of(0x01, 0x55, 0x1e, 0x20)
const digestBytes = 32
const idBytes = entryPrefix.length + digestBytes

const alphabet = 'abcdefghijklmnopqrstuvwxyz234567'
/** An entry id is `b` and 58 characters; the last of them carries three bits. */
const idCharacters = 59

const values = new Int8Array(128).fill(-1)
for (let i = 0; i < alphabet.length; i++) values[alphabet.charCodeAt(i)] = i

/** The id of an entry with these canonical bytes (signature included). */
export function entryIdOf(canonical: Uint8Array): EntryId {
  return withPrefix(entryPrefix, blake3(canonical))
}

/** The id of arbitrary bytes (codec raw): cache keys and tests. Never an entry. */
export function rawIdOf(bytes: Uint8Array): EntryId {
  return withPrefix(rawPrefix, blake3(bytes))
}

/** The entry id with this digest. */
export function entryIdOfDigest(digest: Uint8Array): EntryId {
  return withPrefix(entryPrefix, digest)
}

/** The 32 digest bytes of an entry id. Throws `document/bad-id` for any other kind of id. */
export function digestOf(id: EntryId): Uint8Array {
  // An EntryId is canonical; only its kind is in question.
  if (id.length !== idCharacters || !id.startsWith('bafyr4i'))
    throw badId(id, 'not a dag-cbor, BLAKE3-256 id')
  return decodeFixed(id).subarray(entryPrefix.length)
}

/** Whether it can be the id of an entry at all: dag-cbor and BLAKE3-256, canonical base32. */
export function isEntryId(text: string): text is EntryId {
  return text.length === idCharacters && text.startsWith('bafyr4i') && isCanonical(text)
}

/** Any CIDv1 in any multibase becomes its base32 text; "" stays empty. Throws `document/bad-id`. */
export function parseId(text: string): EntryId {
  if (text === '' || isEntryId(text)) return text as EntryId
  try {
    return CID.parse(text).toV1().toString() as EntryId
  } catch (cause) {
    throw badId(text, 'not a content id', cause)
  }
}

/** Binary form; 36 bytes for an entry id, none for the empty one. */
export function idToBytes(id: EntryId): Uint8Array {
  if (id === '') return new Uint8Array(0)
  if (id.length !== idCharacters || !isCanonical(id)) return CID.parse(id).bytes
  return decodeFixed(id)
}

/** Throws `document/bad-id` unless it is exactly one CIDv1. */
export function idFromBytes(bytes: Uint8Array): EntryId {
  if (bytes.length === idBytes && (bytes[1] === 0x71 || bytes[1] === 0x55) && bytes[0] === 1) {
    if (bytes[2] === 0x1e && bytes[3] === digestBytes) return encodeFixed(bytes)
  }
  try {
    const cid = CID.decode(bytes)
    if (cid.version !== 1) throw new Error('version 0')
    return cid.toString() as EntryId
  } catch (cause) {
    throw badId(Buffer.from(bytes.subarray(0, 64)).toString('hex'), 'not one CIDv1', cause)
  }
}

/**
 * The one order of ids, the same on every engine: empty first, then codec, hash function, digest size, digest bytes.
 * For entry ids that is the byte order of the digest.
 */
export function compareIds(a: EntryId, b: EntryId): number {
  if (a === b) return 0
  // `bafyr4i` and `bafkr4i` differ within their first four characters, in the order of their codecs.
  if (a.length !== idCharacters || b.length !== idCharacters) return compareUnlike(a, b)
  let at = 0
  while (a.charCodeAt(at) === b.charCodeAt(at)) at++
  if (at < 7 && !(hasKnownPrefix(a) && hasKnownPrefix(b))) return compareUnlike(a, b)
  return values[a.charCodeAt(at)]! - values[b.charCodeAt(at)]!
}

/** Ascending and without duplicates. */
export function sortedIds(ids: Iterable<EntryId>): EntryId[] {
  return [...new Set(ids)].sort(compareIds)
}

/** Strictly ascending: sorted, and each once. */
export function areSorted(ids: readonly EntryId[]): boolean {
  for (let i = 1; i < ids.length; i++) if (compareIds(ids[i - 1]!, ids[i]!) >= 0) return false
  return true
}

function hasKnownPrefix(id: string): boolean {
  return id.startsWith('bafyr4i') || id.startsWith('bafkr4i')
}

function compareUnlike(a: EntryId, b: EntryId): number {
  if (a === '' || b === '') return a === '' ? -1 : 1
  const [left, right] = [CID.parse(a), CID.parse(b)]
  return (
    left.version - right.version ||
    left.code - right.code ||
    left.multihash.code - right.multihash.code ||
    left.multihash.size - right.multihash.size ||
    Buffer.compare(left.multihash.digest, right.multihash.digest)
  )
}

function withPrefix(prefix: Uint8Array, digest: Uint8Array): EntryId {
  const bytes = new Uint8Array(idBytes)
  bytes.set(prefix)
  bytes.set(digest, prefix.length)
  return encodeFixed(bytes)
}

const letters = Uint8Array.from(alphabet, (letter) => letter.charCodeAt(0))
/** Reused: everything here is synchronous. */
const text = Buffer.alloc(idCharacters, 'b')

/** multiformats does the same through a general path, many times slower; ids are made by the million. */
function encodeFixed(bytes: Uint8Array): EntryId {
  let bits = 0
  let buffer = 0
  let at = 1
  for (let i = 0; i < idBytes; i++) {
    buffer = ((buffer << 8) | bytes[i]!) & 0xfff
    bits += 8
    while (bits >= 5) {
      bits -= 5
      text[at++] = letters[(buffer >>> bits) & 31]!
    }
  }
  text[at] = letters[(buffer << (5 - bits)) & 31]!
  return text.toString('latin1') as EntryId
}

function decodeFixed(id: string): Uint8Array {
  const bytes = new Uint8Array(idBytes)
  let bits = 0
  let buffer = 0
  let at = 0
  for (let i = 1; i < idCharacters; i++) {
    buffer = ((buffer << 5) | values[id.charCodeAt(i)]!) & 0xfff
    bits += 5
    if (bits < 8) continue
    bits -= 8
    bytes[at++] = buffer >>> bits
  }
  return bytes
}

/** Base32-lower of 36 bytes whose two unused bits are zero, so that one id has one text. */
function isCanonical(text: string): boolean {
  if (text.charCodeAt(0) !== 98) return false
  for (let i = 1; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code >= 128 || values[code]! < 0) return false
  }
  return (values[text.charCodeAt(text.length - 1)]! & 3) === 0
}

function badId(text: string, why: string, cause?: unknown): DocumentError {
  return new DocumentError('document/bad-id', `${JSON.stringify(text.slice(0, 80))} is ${why}`, { cause })
}
