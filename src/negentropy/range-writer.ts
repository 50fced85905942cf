import { type Bound, endBound } from './bound.ts'
import { Fingerprinter, fingerprintSize } from './fingerprint.ts'
import { idSize } from './id.ts'
import { MessageWriter, mode } from './message-writer.ts'
import type { OrderedSet } from './ordered-set.ts'
import type { SessionLimits } from './session-options.ts'
import type { Role } from './tuning.ts'

/** Kept free at the end of a limited message for the bounds and the fingerprint of what did not fit. */
const reserve = 200

/** Most bytes a skip before the range and the range's own header take. */
const headers = 100

/** Most bytes of one fingerprint range: timestamp, prefix length, prefix, mode, fingerprint. */
const maxRangeSize = 10 + 1 + idSize + 1 + fingerprintSize

const infinity = endBound()

/** Writes the ranges of one message over a set, within the frame limit. */
export class RangeWriter {
  readonly #set: OrderedSet
  readonly #limits: SessionLimits
  readonly #role: Role
  readonly #writer = new MessageWriter()
  readonly #fingerprinter = new Fingerprinter()
  /** The two ids around a border. */
  readonly #pair = new Uint8Array(2 * idSize)
  /** Up to this index the items lie in finished ranges. */
  #covered = 0

  constructor(set: OrderedSet, limits: SessionLimits, role: Role) {
    this.#set = set
    this.#limits = limits
    this.#role = role
  }

  begin(): void {
    this.#writer.begin()
    this.#covered = 0
  }

  take(): Uint8Array {
    return this.#writer.take()
  }

  /** True when the peer's fingerprint at `offset` is that of the own items [begin, end). */
  matches(begin: number, end: number, theirs: Uint8Array, offset: number): boolean {
    const ours = this.#fingerprinter.of(this.#set, begin, end)
    for (let i = 0; i < fingerprintSize; i++) if (ours[i] !== theirs[offset + i]) return false
    return true
  }

  /**
   * Divides the own items [begin, end) below `upper`: a list of ids, or fingerprints of parts. `skipTo`, when given,
   * ends a stretch of equal ranges before it.
   *
   * @returns false when the message is full; it then ends with a fingerprint of everything not yet covered
   */
  split(begin: number, end: number, upper: Bound, skipTo: Bound | undefined): boolean {
    this.#writer.mark()
    this.#skip(skipTo)
    const buckets = this.#buckets(end - begin)
    if (buckets === 0) this.#list(begin, end, upper)
    else this.#divide(begin, end, upper, buckets)
    if (!this.#overflows()) {
      this.#covered = end
      return true
    }
    this.#writer.rewind()
    this.#remainder()
    return false
  }

  /** Lists all own ids of [begin, end), or as many as fit. @returns false when the message is full */
  list(begin: number, end: number, upper: Bound, skipTo: Bound | undefined): boolean {
    const count = Math.min(end - begin, this.#room())
    this.#skip(skipTo)
    if (count === end - begin) this.#list(begin, end, upper)
    else {
      this.#set.copyIds(begin + count, begin + count + 1, this.#pair, 0)
      this.#writer.headerOf(this.#set.timestampAt(begin + count), this.#pair, 0, idSize, mode.idList)
      this.#ids(begin, begin + count)
    }
    this.#covered = begin + count
    if (!this.#overflows()) return true
    if (count < end - begin || upper.timestamp !== infinity.timestamp) this.#remainder()
    return false
  }

  #skip(to: Bound | undefined): void {
    if (to !== undefined) this.#writer.header(to, mode.skip)
  }

  #list(begin: number, end: number, upper: Bound): void {
    this.#writer.header(upper, mode.idList)
    this.#ids(begin, end)
  }

  #ids(begin: number, end: number): void {
    this.#writer.varint(end - begin)
    const offset = this.#writer.space((end - begin) * idSize)
    if (end > begin) this.#set.copyIds(begin, end, this.#writer.bytes, offset)
  }

  #divide(begin: number, end: number, upper: Bound, buckets: number): void {
    const count = end - begin
    const size = Math.floor(count / buckets)
    const larger = count % buckets
    let from = begin
    for (let i = 0; i < buckets; i++) {
      const last = i === buckets - 1
      const even = from + size + (i < larger ? 1 : 0)
      const to = last
        ? end
        : this.#limits.randomBounds
          ? this.#border(begin, end, buckets, i + 1, from)
          : even
      if (last) this.#writer.header(upper, mode.fingerprint)
      else this.#minimalHeader(to)
      this.#fingerprint(from, to)
      from = to
    }
  }

  /** A random border within a quarter of a bucket of the even one; no bucket becomes empty. */
  #border(begin: number, end: number, buckets: number, index: number, after: number): number {
    const shift = (this.#limits.random() - 0.5) / 2
    const border = begin + Math.round(((index + shift) * (end - begin)) / buckets)
    return Math.min(end - (buckets - index), Math.max(after + 1, border))
  }

  /** The shortest bound between the items index − 1 and index. */
  #minimalHeader(index: number): void {
    const timestamp = this.#set.timestampAt(index)
    let length = 0
    if (this.#set.timestampAt(index - 1) === timestamp) {
      this.#set.copyIds(index - 1, index + 1, this.#pair, 0)
      while (this.#pair[length] === this.#pair[idSize + length]) length++
      length++
    }
    this.#writer.headerOf(timestamp, this.#pair, idSize, length, mode.fingerprint)
  }

  #fingerprint(begin: number, end: number): void {
    const fingerprint = this.#fingerprinter.of(this.#set, begin, end)
    const offset = this.#writer.space(fingerprintSize)
    const bytes = this.#writer.bytes
    for (let i = 0; i < fingerprintSize; i++) bytes[offset + i] = fingerprint[i]!
  }

  /**
   * Covers whatever no range of this message covers, equal stretches not yet written included: a match then compares
   * the same items on both sides.
   */
  #remainder(): void {
    this.#writer.header(infinity, mode.fingerprint)
    this.#fingerprint(this.#covered, this.#set.size)
  }

  /** The tuning's choice, changed where it makes no sense or could never fit into a message of its own. */
  #buckets(count: number): number {
    const wanted = Math.min(count, this.#limits.tuning.buckets(count, this.#role))
    const limit = this.#limits.frameLimit
    if (limit === 0) return wanted < 2 ? 0 : wanted
    const room = limit - reserve - headers
    const most = Math.floor(room / maxRangeSize)
    if (wanted < 2) return count * idSize <= room ? 0 : most
    return Math.min(wanted, most)
  }

  /** Ids that may still be added, at least none: the one that overflows is the last. */
  #room(): number {
    const limit = this.#limits.frameLimit
    if (limit === 0) return Number.POSITIVE_INFINITY
    return Math.max(0, Math.floor((limit - reserve - this.#writer.length) / idSize) + 1)
  }

  #overflows(): boolean {
    const limit = this.#limits.frameLimit
    return limit !== 0 && this.#writer.length > limit - reserve
  }
}
