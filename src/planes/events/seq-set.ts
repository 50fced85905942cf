/** Which of the rows were seen, one bit per `seq`: a million rows cost 125 kB. */
export class SeqSet {
  #bits = new Uint8Array(1_024)

  /** False when it was there already. */
  add(seq: number): boolean {
    const byte = Math.floor(seq / 8)
    if (byte >= this.#bits.length) {
      const larger = new Uint8Array(Math.max(byte + 1, this.#bits.length * 2))
      larger.set(this.#bits)
      this.#bits = larger
    }
    const bit = 1 << (seq % 8)
    const isNew = (this.#bits[byte]! & bit) === 0
    this.#bits[byte]! |= bit
    return isNew
  }
}
