import type { Bound, WireTimestamp } from './bound.ts'
import { idSize } from './id.ts'
import { narrow, writeVarint } from './varint.ts'

/** First byte of every message. */
export const protocolVersion = 0x61

/** What follows a bound. */
export const mode = { skip: 0, fingerprint: 1, idList: 2 } as const

/** Bytes of the longest bound with its mode. */
const maxHeader = 10 + 1 + idSize + 1

/** Builds messages in one buffer that only ever grows; `take` copies the finished message out. */
export class MessageWriter {
  #bytes = new Uint8Array(4096)
  #length = 0
  #previous: WireTimestamp = 0
  #markedLength = 0

  get length(): number {
    return this.#length
  }

  begin(): void {
    this.#bytes[0] = protocolVersion
    this.#length = 1
    this.#previous = 0
  }

  /** Remembers the place to which `rewind` returns. */
  mark(): void {
    this.#markedLength = this.#length
  }

  /** Only infinity may be written after it: the timestamp that deltas count from stays where it was. */
  rewind(): void {
    this.#length = this.#markedLength
  }

  take(): Uint8Array {
    return this.#bytes.slice(0, this.#length)
  }

  /** Bound and mode. Infinity is never written with a prefix. */
  header(bound: Bound, rangeMode: number): void {
    this.headerOf(bound.timestamp, bound.prefix, 0, bound.prefixLength, rangeMode)
  }

  headerOf(
    timestamp: WireTimestamp,
    prefix: Uint8Array,
    offset: number,
    length: number,
    rangeMode: number,
  ): void {
    this.#reserve(maxHeader)
    const bytes = this.#bytes
    const finite = timestamp !== Number.POSITIVE_INFINITY
    let at = writeVarint(finite ? this.#delta(timestamp) : 0, bytes, this.#length)
    const size = finite ? length : 0
    bytes[at++] = size
    for (let i = 0; i < size; i++) bytes[at++] = prefix[offset + i]!
    bytes[at++] = rangeMode
    this.#length = at
    this.#previous = timestamp
  }

  #delta(timestamp: WireTimestamp): WireTimestamp {
    const previous = this.#previous
    if (typeof timestamp === 'number' && typeof previous === 'number') return timestamp - previous + 1
    return narrow(BigInt(timestamp) - BigInt(previous) + 1n)
  }

  varint(value: number): void {
    this.#reserve(10)
    this.#length = writeVarint(value, this.#bytes, this.#length)
  }

  /** Room for `size` bytes that the caller fills through `bytes` at the returned offset. */
  space(size: number): number {
    this.#reserve(size)
    const offset = this.#length
    this.#length += size
    return offset
  }

  /** The buffer as it is now; the next write may replace it. */
  get bytes(): Uint8Array {
    return this.#bytes
  }

  #reserve(size: number): void {
    const needed = this.#length + size
    if (needed <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2))
    grown.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = grown
  }
}
