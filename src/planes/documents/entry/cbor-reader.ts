import { DocumentError } from '../document-error.ts'
import { linkTag, major } from './cbor-writer.ts'
import { areSorted, type EntryId, idFromBytes } from './entry-id.ts'

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** A key of a map, with its encoding: keys are told by their bytes, and no text is made of them. */
export interface MapKey<Key extends string> {
  readonly key: Key
  readonly encoded: Uint8Array
}

/** @param keys in canonical order, each of less than 24 ASCII characters */
export function mapKeys<Key extends string>(...keys: readonly Key[]): readonly MapKey<Key>[] {
  return keys.map((key) => {
    return { key, encoded: Uint8Array.of((major.text << 5) | key.length, ...Buffer.from(key, 'latin1')) }
  })
}

/**
 * Reads exactly what `CborWriter` can write: shortest lengths, definite sizes, map keys in order and each once. So what
 * is read encodes to the same bytes again, and one entry has one id. Throws `document/bad-encoding` for anything else,
 * before it allocates what a length field claims.
 */
export class CborReader {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get position(): number {
    return this.#at
  }

  /** Throws unless everything was read. */
  end(): void {
    if (this.#at !== this.#bytes.length) throw this.#bad('bytes follow the entry')
  }

  /**
   * @param known the keys it may have, in canonical order
   * @param read  called for each key that is there, positioned at its value
   */
  map<Key extends string>(known: readonly MapKey<Key>[], read: (key: Key) => void): void {
    let next = 0
    for (let left = this.#head(major.map); left > 0; left--) {
      while (next < known.length && !this.#skip(known[next]!.encoded)) next++
      if (next === known.length) throw this.#badKey()
      read(known[next++]!.key)
    }
  }

  /** Answers the number of items; each takes at least one byte, so a lie is found here. */
  array(max: number, what: string): number {
    const items = this.#head(major.array)
    if (items > max)
      throw new DocumentError('document/too-large', `${items} ${what}; at most ${max} are taken`)
    if (items > this.#bytes.length - this.#at) throw this.#bad('it ends within a list')
    return items
  }

  unsigned(): number {
    return this.#head(major.unsigned)
  }

  boolean(): boolean {
    const byte = this.#bytes[this.#at++]
    if (byte !== 0xf4 && byte !== 0xf5) throw this.#bad('a boolean is expected')
    return byte === 0xf5
  }

  /** A view, not a copy. */
  bytes(): Uint8Array {
    return this.#take(this.#head(major.bytes))
  }

  text(): string {
    const bytes = this.#take(this.#head(major.text))
    if (bytes.length < 128 && isAscii(bytes))
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
    try {
      return utf8.decode(bytes)
    } catch {
      throw this.#bad('a text is not UTF-8')
    }
  }

  link(): EntryId {
    if (this.#head(major.tag) !== linkTag) throw this.#bad('a link is expected')
    const bytes = this.bytes()
    if (bytes[0] !== 0) throw this.#bad('a link does not begin with a zero byte')
    return idFromBytes(bytes.subarray(1))
  }

  /** Sorted and each once, as the canonical form has them. */
  links(max: number, what: string): EntryId[] {
    const ids: EntryId[] = []
    for (let left = this.array(max, what); left > 0; left--) ids.push(this.link())
    if (!areSorted(ids)) throw this.#bad(`the ${what} are not sorted, or one is there twice`)
    return ids
  }

  /** Whether these bytes come next; then they are behind. */
  #skip(expected: Uint8Array): boolean {
    const at = this.#at
    for (let i = 0; i < expected.length; i++) if (this.#bytes[at + i] !== expected[i]) return false
    this.#at = at + expected.length
    return true
  }

  #badKey(): DocumentError {
    const text = this.text()
    return this.#bad(`the key ${JSON.stringify(text.slice(0, 40))} is unknown, or out of order`)
  }

  #head(expected: number): number {
    const first = this.#bytes[this.#at++]
    if (first === undefined) throw this.#bad('it ends too early')
    if (first >> 5 !== expected) throw this.#bad(`major type ${expected} is expected, not ${first >> 5}`)
    const info = first & 31
    if (info < 24) return info
    if (info > 27) throw this.#bad('a length is indefinite or reserved')
    const size = 1 << (info - 24)
    let value = 0
    for (const byte of this.#take(size)) value = value * 256 + byte
    const least = size === 1 ? 24 : 256 ** (size / 2)
    if (value < least) throw this.#bad('a number is not in its shortest form')
    if (value > Number.MAX_SAFE_INTEGER) throw this.#bad('a number is beyond 2^53 - 1')
    return value
  }

  #take(length: number): Uint8Array {
    const end = this.#at + length
    if (end > this.#bytes.length) throw this.#bad('it ends too early')
    const part = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return part
  }

  #bad(why: string): DocumentError {
    return new DocumentError('document/bad-encoding', `not a canonical entry: ${why} (byte ${this.#at})`)
  }
}

function isAscii(bytes: Uint8Array): boolean {
  for (const byte of bytes) if (byte >= 128) return false
  return true
}
