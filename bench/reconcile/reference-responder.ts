import { createHash } from 'node:crypto'

/**
 * A negentropy responder written straight from the protocol's description: 16 buckets, lists below 32 items, every
 * fingerprint a scan over its range. What the benchmark compares with; nothing of src/negentropy is used, so that it
 * also serves as a second opinion on the answers. No frame limit, timestamps below 2^53.
 */

export interface ReferenceItem {
  readonly timestamp: number
  readonly id: Uint8Array
}

interface ReferenceBound {
  readonly timestamp: number
  readonly prefix: Uint8Array
}

const version = 0x61
const idSize = 32
const fingerprintSize = 16
const buckets = 16
const skip = 0
const fingerprint = 1
const idList = 2
const infinity: ReferenceBound = { timestamp: Number.POSITIVE_INFINITY, prefix: new Uint8Array(0) }

export class ReferenceResponder {
  readonly #items: readonly ReferenceItem[]
  #query: Uint8Array = new Uint8Array(0)
  #offset = 0
  #lastIn = 0
  #lastOut = 0
  #output: number[] = []

  /** @param items in the order of (timestamp, id) */
  constructor(items: readonly ReferenceItem[]) {
    this.#items = items
  }

  reply(query: Uint8Array): Uint8Array {
    this.#query = query
    this.#offset = 1
    this.#lastIn = 0
    this.#lastOut = 0
    this.#output = [version]
    let previous: ReferenceBound = { timestamp: 0, prefix: new Uint8Array(0) }
    let lower = 0
    let skipping = false
    const flush = () => {
      if (skipping) this.#header(previous, skip)
      skipping = false
    }
    while (this.#offset < query.length) {
      const bound = this.#readBound()
      const kind = this.#readVarint()
      const upper = this.#lowerBound(lower, bound)
      if (kind === skip) skipping = true
      else if (kind === fingerprint) {
        if (equal(this.#read(fingerprintSize), this.#fingerprint(lower, upper))) skipping = true
        else {
          flush()
          this.#split(lower, upper, bound)
        }
      } else if (kind === idList) {
        this.#read(this.#readVarint() * idSize)
        flush()
        this.#list(lower, upper, bound)
      } else throw new Error(`unexpected mode ${kind}`)
      lower = upper
      previous = bound
    }
    return Uint8Array.from(this.#output)
  }

  #split(lower: number, upper: number, bound: ReferenceBound): void {
    const count = upper - lower
    if (count < 2 * buckets) return this.#list(lower, upper, bound)
    let from = lower
    for (let i = 0; i < buckets; i++) {
      const to = from + Math.floor(count / buckets) + (i < count % buckets ? 1 : 0)
      this.#header(to === upper ? bound : minimalBound(this.#items[to - 1]!, this.#items[to]!), fingerprint)
      for (const byte of this.#fingerprint(from, to)) this.#output.push(byte)
      from = to
    }
  }

  #list(lower: number, upper: number, bound: ReferenceBound): void {
    this.#header(bound, idList)
    this.#varint(upper - lower)
    for (let i = lower; i < upper; i++) for (const byte of this.#items[i]!.id) this.#output.push(byte)
  }

  #fingerprint(lower: number, upper: number): Uint8Array {
    const sum = new Uint32Array(idSize / 4)
    for (let i = lower; i < upper; i++) addId(sum, this.#items[i]!.id)
    const hash = createHash('sha256').update(new Uint8Array(sum.buffer))
    return hash
      .update(Uint8Array.from(varintBytes(upper - lower)))
      .digest()
      .subarray(0, fingerprintSize)
  }

  #lowerBound(from: number, bound: ReferenceBound): number {
    let low = from
    let high = this.#items.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (compare(this.#items[middle]!, bound) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  #header(bound: ReferenceBound, kind: number): void {
    const finite = bound.timestamp !== Number.POSITIVE_INFINITY
    this.#varint(finite ? bound.timestamp - this.#lastOut + 1 : 0)
    this.#lastOut = bound.timestamp
    this.#varint(bound.prefix.length)
    for (const byte of bound.prefix) this.#output.push(byte)
    this.#varint(kind)
  }

  #varint(value: number): void {
    for (const byte of varintBytes(value)) this.#output.push(byte)
  }

  #readBound(): ReferenceBound {
    const encoded = this.#readVarint()
    const prefixOf = () => this.#read(this.#readVarint())
    if (encoded === 0) {
      prefixOf()
      return infinity
    }
    this.#lastIn += encoded - 1
    return { timestamp: this.#lastIn, prefix: prefixOf() }
  }

  #readVarint(): number {
    let value = 0
    for (;;) {
      const byte = this.#read(1)[0]!
      value = value * 128 + (byte & 127)
      if (byte < 128) return value
    }
  }

  #read(size: number): Uint8Array {
    if (this.#offset + size > this.#query.length) throw new Error('truncated message')
    this.#offset += size
    return this.#query.subarray(this.#offset - size, this.#offset)
  }
}

function addId(sum: Uint32Array, id: Uint8Array): void {
  let carry = 0
  for (let i = 0; i < sum.length; i++) {
    const at = 4 * i
    const word = (id[at]! | (id[at + 1]! << 8) | (id[at + 2]! << 16) | (id[at + 3]! << 24)) >>> 0
    const value = sum[i]! + word + carry
    sum[i] = value
    carry = value >= 2 ** 32 ? 1 : 0
  }
}

function varintBytes(value: number): number[] {
  const bytes = [value % 128]
  for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128))
    bytes.unshift((rest % 128) + 128)
  return bytes
}

function minimalBound(before: ReferenceItem, after: ReferenceItem): ReferenceBound {
  if (before.timestamp !== after.timestamp) return { timestamp: after.timestamp, prefix: new Uint8Array(0) }
  let shared = 0
  while (before.id[shared] === after.id[shared]) shared++
  return { timestamp: after.timestamp, prefix: after.id.subarray(0, shared + 1) }
}

function compare(item: ReferenceItem, bound: ReferenceBound): number {
  if (item.timestamp !== bound.timestamp) return item.timestamp - bound.timestamp
  for (let i = 0; i < idSize; i++) {
    const difference = item.id[i]! - (bound.prefix[i] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.every((byte, i) => byte === b[i])
}
