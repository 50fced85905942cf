import { type EntryId, idToBytes } from './entry-id.ts'

/** Major types of RFC 8949. */
export const major = { unsigned: 0, bytes: 2, text: 3, array: 4, map: 5, tag: 6 } as const

/** The tag of a link in DAG-CBOR; its content is a zero byte and the binary CID. */
export const linkTag = 42

/** Writes the parts of DAG-CBOR that entries are made of, in the shortest form. The caller brings map keys in order. */
export class CborWriter {
  #bytes = Buffer.allocUnsafe(512)
  #length = 0

  map(entries: number): void {
    this.#head(major.map, entries)
  }

  array(items: number): void {
    this.#head(major.array, items)
  }

  unsigned(value: number): void {
    this.#head(major.unsigned, value)
  }

  true(): void {
    this.#append(Uint8Array.of(0xf5))
  }

  bytes(value: Uint8Array): void {
    this.#head(major.bytes, value.length)
    this.#append(value)
  }

  text(value: string): void {
    const length = Buffer.byteLength(value)
    this.#head(major.text, length)
    this.#reserve(length)
    this.#length += this.#bytes.write(value, this.#length)
  }

  link(id: EntryId): void {
    const cid = idToBytes(id)
    this.#head(major.tag, linkTag)
    this.#head(major.bytes, cid.length + 1)
    this.#append(Uint8Array.of(0))
    this.#append(cid)
  }

  links(ids: readonly EntryId[]): void {
    this.array(ids.length)
    for (const id of ids) this.link(id)
  }

  /** A copy of exactly what was written. */
  take(): Uint8Array {
    return new Uint8Array(this.#bytes.subarray(0, this.#length))
  }

  #head(type: number, value: number): void {
    this.#reserve(9)
    const bytes = this.#bytes
    const first = type << 5
    if (value < 24) bytes[this.#length++] = first | value
    else if (value < 0x100) {
      bytes[this.#length++] = first | 24
      bytes[this.#length++] = value
    } else if (value < 0x10000) {
      bytes[this.#length++] = first | 25
      this.#length = bytes.writeUInt16BE(value, this.#length)
    } else if (value < 0x100000000) {
      bytes[this.#length++] = first | 26
      this.#length = bytes.writeUInt32BE(value, this.#length)
    } else {
      bytes[this.#length++] = first | 27
      this.#length = bytes.writeBigUInt64BE(BigInt(value), this.#length)
    }
  }

  #append(value: Uint8Array): void {
    this.#reserve(value.length)
    this.#bytes.set(value, this.#length)
    this.#length += value.length
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return
    const grown = Buffer.allocUnsafe(Math.max(2 * this.#bytes.length, this.#length + more))
    grown.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = grown
  }
}
