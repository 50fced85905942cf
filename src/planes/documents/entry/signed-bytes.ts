import type { Entry, SealedEntry } from './entry.ts'
import type { EntryId } from './entry-id.ts'

/** Where the signature stands in the bytes: the header of the map around it, and the key and value to leave out. */
export interface SignatureSpan {
  readonly header: number
  readonly begin: number
  readonly end: number
}

/** An entry as it was read. What its signature is over is made when it is asked for: most entries are never asked again. */
export class SignedBytes implements SealedEntry {
  readonly id: EntryId
  readonly bytes: Uint8Array
  readonly entry: Entry
  readonly #span: SignatureSpan | undefined

  /** @param span undefined: it is not signed */
  constructor(id: EntryId, bytes: Uint8Array, entry: Entry, span: SignatureSpan | undefined) {
    this.id = id
    this.bytes = bytes
    this.entry = entry
    this.#span = span
  }

  /** The bytes without the key and value of the signature, and with one entry less in the map around them. */
  get signingBytes(): Uint8Array {
    if (this.#span === undefined) return this.bytes
    const { header, begin, end } = this.#span
    // From the pool: a buffer of its own for each entry costs more than filling it.
    const pooled = Buffer.allocUnsafe(this.bytes.length - (end - begin))
    const rest = new Uint8Array(pooled.buffer, pooled.byteOffset, pooled.length)
    rest.set(this.bytes.subarray(0, begin))
    rest.set(this.bytes.subarray(end), begin)
    rest[header]! -= 1
    return rest
  }
}
