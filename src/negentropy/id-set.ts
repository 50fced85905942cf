import { idSize, readId } from './id.ts'

const wordSize = 4

/**
 * A set of 32-byte ids in flat memory, about 50 bytes each. The hash is seeded per set: whoever sends the ids cannot
 * choose them to collide.
 */
export class IdSet {
  readonly #seed: number
  #ids: Uint8Array
  /** Open addressing: number of the id plus one, 0 for a free slot. */
  #slots: Int32Array
  #size = 0

  /** @param random uniform in [0, 1) */
  constructor(random: () => number, capacity = 16) {
    this.#seed = Math.floor(random() * 2 ** 32) | 0
    this.#ids = new Uint8Array(capacity * idSize)
    this.#slots = new Int32Array(slotsFor(capacity))
  }

  get size(): number {
    return this.#size
  }

  /** The number of the id in order of addition, or -1. */
  indexOf(bytes: Uint8Array, offset: number): number {
    return this.#slots[this.#find(bytes, offset)]! - 1
  }

  /** @returns false when it was there already */
  add(bytes: Uint8Array, offset: number): boolean {
    if ((this.#size + 1) * idSize > this.#ids.length) this.#grow()
    const slot = this.#find(bytes, offset)
    if (this.#slots[slot] !== 0) return false
    this.#ids.set(bytes.subarray(offset, offset + idSize), this.#size * idSize)
    this.#slots[slot] = ++this.#size
    return true
  }

  /** The id with that number as hex. */
  at(index: number): string {
    return readId(this.#ids, index * idSize)
  }

  #find(bytes: Uint8Array, offset: number): number {
    const slots = this.#slots
    const mask = slots.length - 1
    let slot = this.#hash(bytes, offset) & mask
    for (;;) {
      const entry = slots[slot]!
      if (entry === 0 || equalIds(this.#ids, (entry - 1) * idSize, bytes, offset)) return slot
      slot = (slot + 1) & mask
    }
  }

  #hash(bytes: Uint8Array, offset: number): number {
    let hash = this.#seed
    for (let at = offset; at < offset + idSize; at += wordSize) {
      const word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
      hash = Math.imul(hash ^ word, 0x9e3779b1)
      hash ^= hash >>> 15
    }
    return hash >>> 0
  }

  #grow(): void {
    const ids = new Uint8Array(this.#ids.length * 2)
    ids.set(this.#ids)
    this.#ids = ids
    this.#slots = new Int32Array(slotsFor(ids.length / idSize))
    for (let index = 0; index < this.#size; index++) this.#slots[this.#find(ids, index * idSize)] = index + 1
  }
}

/** A power of two, at most half full. */
function slotsFor(capacity: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(2, capacity * 2)))
}

export function equalIds(a: Uint8Array, aOffset: number, b: Uint8Array, bOffset: number): boolean {
  for (let i = 0; i < idSize; i++) if (a[aOffset + i] !== b[bOffset + i]) return false
  return true
}
