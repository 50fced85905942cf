import { type Bound, setBound, type WireTimestamp } from './bound.ts'
import { idSize } from './id.ts'
import { malformed } from './negentropy-error.ts'
import { maxVarint, maxVarintSize, narrow } from './varint.ts'

const infinity = Number.POSITIVE_INFINITY

/** Groups of 7 bits whose value certainly fits a double. */
const safeGroups = 7

/** Decodes one message in place; whatever does not fit throws `negentropy/malformed` before anything is allocated. */
export class MessageReader {
  #bytes: Uint8Array = new Uint8Array(0)
  #offset = 0
  #previous: WireTimestamp = 0

  /** Starts on the first range, behind the version byte. */
  open(message: Uint8Array): void {
    this.#bytes = message
    this.#offset = 1
    this.#previous = 0
  }

  /** Lets go of the message. */
  close(): void {
    this.#bytes = new Uint8Array(0)
    this.#offset = 0
  }

  get atEnd(): boolean {
    return this.#offset >= this.#bytes.length
  }

  get bytes(): Uint8Array {
    return this.#bytes
  }

  readVarint(): WireTimestamp {
    const bytes = this.#bytes
    const start = this.#offset
    let value = 0
    for (let size = 1; size <= safeGroups; size++) {
      const byte = bytes[start + size - 1]
      if (byte === undefined) throw malformed('truncated number')
      if (byte === 0x80 && size === 1) throw malformed('number with a leading zero group')
      value = value * 128 + (byte & 127)
      if (byte < 128) {
        this.#offset = start + size
        return value
      }
    }
    return this.#readWide(start + safeGroups, BigInt(value))
  }

  #readWide(start: number, high: bigint): WireTimestamp {
    let value = high
    for (let at = start; at < start + maxVarintSize - safeGroups; at++) {
      const byte = this.#bytes[at]
      if (byte === undefined) throw malformed('truncated number')
      value = (value << 7n) | BigInt(byte & 127)
      if (byte < 128) {
        if (value > maxVarint) break
        this.#offset = at + 1
        return narrow(value)
      }
    }
    throw malformed('number above 2^64−1')
  }

  /** A number of things of `size` bytes each, all of which must still be in the message. */
  readCount(size: number): number {
    const count = this.readVarint()
    if (typeof count === 'bigint' || count * size > this.#bytes.length - this.#offset)
      throw malformed('list longer than the message')
    return count
  }

  readBound(into: Bound): void {
    const encoded = this.readVarint()
    const timestamp = encoded === 0 ? infinity : this.#after(encoded)
    this.#previous = timestamp
    const length = this.readVarint()
    if (length > idSize) throw malformed('bound prefix longer than an id')
    const offset = this.skip(Number(length), 'truncated bound')
    // A prefix behind infinity means nothing; one public implementation sends 32 × ff there.
    if (timestamp === infinity) setBound(into, infinity, this.#bytes, offset, 0)
    else setBound(into, timestamp, this.#bytes, offset, Number(length))
  }

  #after(encoded: WireTimestamp): WireTimestamp {
    const previous = this.#previous
    if (typeof encoded === 'number' && typeof previous === 'number') {
      // In this order: adding first would round just above 2^53 and come back as another value below it.
      const sum = previous + (encoded - 1)
      if (sum <= Number.MAX_SAFE_INTEGER) return sum
    }
    if (previous === infinity) return infinity
    const sum = BigInt(previous) + BigInt(encoded) - 1n
    return sum >= maxVarint ? infinity : narrow(sum)
  }

  /** @returns the offset of the next `size` bytes, and moves behind them */
  skip(size: number, otherwise: string): number {
    const offset = this.#offset
    if (offset + size > this.#bytes.length) throw malformed(otherwise)
    this.#offset = offset + size
    return offset
  }
}
