/** 32-bit words of an id or of a sum, least significant first. */
export const wordsPerId = 8

const littleEndian = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1

/** 2^21 words of 32 bits still add up exactly in a double. */
const exactTerms = 2 ** 20

const base = 2 ** 32

/** The ids of a column as little-endian words; a view of the same memory wherever possible. */
export function wordsOf(ids: Uint8Array): Uint32Array {
  if (littleEndian) {
    const aligned = ids.byteOffset % 4 === 0 ? ids : ids.slice()
    return new Uint32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength >> 2)
  }
  const view = new DataView(ids.buffer, ids.byteOffset, ids.byteLength)
  return Uint32Array.from({ length: ids.byteLength >> 2 }, (_, i) => view.getUint32(4 * i, true))
}

/**
 * A sum of ids as 256-bit little-endian integers modulo 2^256. Each 32-bit lane is a double that carries only when it
 * is read: an addition is eight independent adds, without a carry chain and without BigInt.
 */
export class IdSum {
  readonly #lanes = new Float64Array(wordsPerId)
  #terms = 0

  clear(): void {
    this.#lanes.fill(0)
    this.#terms = 0
  }

  /** Adds the ids, or finished sums, number `from` up to `to` of a column of words. */
  add(words: Uint32Array, from: number, to: number): void {
    for (let start = from; start < to; ) {
      const end = Math.min(to, start + exactTerms)
      this.#reserve(end - start)
      this.#addExact(words, start * wordsPerId, end * wordsPerId)
      start = end
    }
  }

  #addExact(words: Uint32Array, from: number, to: number): void {
    const lanes = this.#lanes
    let [a, b, c, d, e, f, g, h] = [0, 0, 0, 0, 0, 0, 0, 0]
    for (let i = from; i < to; i += wordsPerId) {
      a += words[i]!
      b += words[i + 1]!
      c += words[i + 2]!
      d += words[i + 3]!
      e += words[i + 4]!
      f += words[i + 5]!
      g += words[i + 6]!
      h += words[i + 7]!
    }
    lanes[0]! += a
    lanes[1]! += b
    lanes[2]! += c
    lanes[3]! += d
    lanes[4]! += e
    lanes[5]! += f
    lanes[6]! += g
    lanes[7]! += h
  }

  /** Takes away one id or sum. */
  subtract(words: Uint32Array, index: number): void {
    this.#reserve(1)
    const offset = index * wordsPerId
    for (let i = 0; i < wordsPerId; i++) this.#lanes[i]! -= words[offset + i]!
  }

  /** Stores the sum as entry `index` of a column of sums. */
  store(words: Uint32Array, index: number): void {
    this.#carry()
    words.set(this.#lanes, index * wordsPerId)
  }

  /** Stores the sum as 32 little-endian bytes. */
  storeBytes(bytes: Uint8Array, offset: number): void {
    this.#carry()
    for (let i = 0; i < wordsPerId; i++) {
      const word = this.#lanes[i]!
      const at = offset + 4 * i
      bytes[at] = word
      bytes[at + 1] = word / 2 ** 8
      bytes[at + 2] = word / 2 ** 16
      bytes[at + 3] = word / 2 ** 24
    }
  }

  #reserve(terms: number): void {
    if (this.#terms + terms > exactTerms) this.#carry()
    this.#terms += terms
  }

  #carry(): void {
    const lanes = this.#lanes
    let carry = 0
    for (let i = 0; i < wordsPerId; i++) {
      const value = lanes[i]! + carry
      carry = Math.floor(value / base)
      lanes[i] = value - carry * base
    }
    this.#terms = 1
  }
}
