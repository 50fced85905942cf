import { sha256 } from '@noble/hashes/sha2.js'
import { encodeHex, idSize } from './id.ts'
import { IdSum } from './id-sum.ts'
import type { OrderedSet } from './ordered-set.ts'
import { maxVarintSize, writeVarint } from './varint.ts'

/** Bytes of a fingerprint on the wire. */
export const fingerprintSize = 16

const fresh = sha256.create()

/**
 * Computes fingerprints: the first 16 bytes of SHA-256(sum of the ids ‖ varint(count)). Owns its scratch memory, so
 * that a session computes tens of thousands of them without allocating.
 */
export class Fingerprinter {
  readonly #sum = new IdSum()
  readonly #input = new Uint8Array(idSize + maxVarintSize)
  readonly #digest = new Uint8Array(32)
  readonly #hash = sha256.create()

  /** The fingerprint of the items [begin, end), in memory that the next call overwrites. */
  of(set: OrderedSet, begin: number, end: number): Uint8Array {
    this.#sum.clear()
    if (end > begin) set.addSum(begin, end, this.#sum)
    this.#sum.storeBytes(this.#input, 0)
    const size = writeVarint(end - begin, this.#input, idSize)
    // Twice as fast as a new hash object for an input of one block.
    fresh._cloneInto(this.#hash).update(this.#input.subarray(0, size)).digestInto(this.#digest)
    return this.#digest
  }
}

/**
 * The fingerprint of a whole set: equal for equal sets whatever order they were built in (events.md §5.5).
 *
 * @returns 32 lowercase hex digits
 */
export function fingerprintOf(set: OrderedSet): string {
  return encodeHex(new Fingerprinter().of(set, 0, set.size).subarray(0, fingerprintSize))
}
