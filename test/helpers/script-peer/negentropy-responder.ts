import { hash } from 'node:crypto'

export interface ResponderOptions {
  /** Parts a differing range is split into. */
  readonly buckets: number
  /** A range of at most so many items is answered with their ids. */
  readonly listUpTo: number
  /** Bytes of the longest answer; undefined: as long as it gets. */
  readonly frameLimit?: number
  /** Refuses an infinity bound that carries a prefix, as strict peers do. */
  readonly strictInfinity?: boolean
}

interface Item {
  readonly timestamp: number
  readonly id: string
}

interface Bound {
  readonly timestamp: number
  /** Lowercase hex, shortened where the rest is zeros. */
  readonly prefix: string
}

const infinity: Bound = { timestamp: Number.POSITIVE_INFINITY, prefix: '' }

/**
 * The relay's side of Negentropy V1 over a fixed set, written from the specification alone: it shares nothing with the
 * implementation it is asked by, and splits as many ways as it is told.
 */
export class NegentropyResponder {
  readonly #items: readonly Item[]
  readonly #options: ResponderOptions

  constructor(
    events: readonly { readonly created_at: number; readonly id: string }[],
    options: ResponderOptions,
  ) {
    this.#items = events
      .map(({ created_at, id }) => ({ timestamp: created_at, id }))
      .sort((a, b) => a.timestamp - b.timestamp || (a.id < b.id ? -1 : 1))
    this.#options = options
  }

  /** Hex in, hex out. Throws RangeError on what is malformed. */
  answer(hex: string): string {
    const reader = new Reader(Buffer.from(hex, 'hex'))
    if (!/^([0-9a-f]{2})+$/i.test(hex)) throw new RangeError('not hex')
    const version = reader.byte()
    if (version !== 0x61) return '61'
    const writer = new Writer()
    let at = 0
    let from: Bound = { timestamp: 0, prefix: '' }
    let skipping = false
    while (!reader.done) {
      const bound = reader.bound(this.#options.strictInfinity === true)
      const mode = reader.varint()
      const to = this.#indexOf(bound)
      const own = this.#items.slice(at, to)
      const flush = () => {
        if (skipping) writer.range(from, 0)
        skipping = false
      }
      if (mode === 0) skipping = true
      else if (mode === 1) {
        if (reader.bytes(16).toString('hex') === fingerprint(own)) skipping = true
        else {
          flush()
          if (!this.#split(writer, own, bound, to)) return writer.hex()
        }
      } else if (mode === 2) {
        const count = reader.varint()
        reader.bytes(count * 32)
        flush()
        if (!this.#list(writer, own, bound, at)) return writer.hex()
      } else throw new RangeError('unexpected mode')
      from = bound
      at = to
    }
    return writer.hex()
  }

  /** False: the frame is full and the rest is asked for by a fingerprint. */
  #split(writer: Writer, own: readonly Item[], bound: Bound, end: number): boolean {
    const { buckets, listUpTo } = this.#options
    const start = end - own.length
    if (own.length <= listUpTo) return this.#list(writer, own, bound, start)
    if (this.#full(writer, buckets * 60)) return this.#remainder(writer, start)
    for (let bucket = 0; bucket < buckets; bucket++) {
      const part = own.slice(
        Math.floor((own.length * bucket) / buckets),
        Math.floor((own.length * (bucket + 1)) / buckets),
      )
      const next = own[Math.floor((own.length * (bucket + 1)) / buckets)]
      const upper = next === undefined ? bound : between(part.at(-1), next)
      writer.range(upper, 1)
      writer.raw(fingerprint(part))
    }
    return true
  }

  #list(writer: Writer, own: readonly Item[], bound: Bound, start: number): boolean {
    const { frameLimit } = this.#options
    const room = frameLimit === undefined ? own.length : Math.floor((frameLimit - 200 - writer.length) / 32)
    if (own.length <= room) {
      writer.range(bound, 2)
      writer.list(own)
      return true
    }
    const fitting = own.slice(0, Math.max(0, room))
    const next = own[fitting.length] as Item
    if (fitting.length > 0) {
      writer.range({ timestamp: next.timestamp, prefix: next.id }, 2)
      writer.list(fitting)
    }
    return this.#remainder(writer, start + fitting.length)
  }

  #remainder(writer: Writer, start: number): false {
    writer.range(infinity, 1)
    writer.raw(fingerprint(this.#items.slice(start)))
    return false
  }

  #full(writer: Writer, more: number): boolean {
    const { frameLimit } = this.#options
    return frameLimit !== undefined && writer.length + more > frameLimit - 200
  }

  #indexOf({ timestamp, prefix }: Bound): number {
    const id = prefix.padEnd(64, '0')
    let [low, high] = [0, this.#items.length]
    while (low < high) {
      const middle = (low + high) >> 1
      const item = this.#items[middle] as Item
      if (item.timestamp < timestamp || (item.timestamp === timestamp && item.id < id)) low = middle + 1
      else high = middle
    }
    return low
  }
}

function between(last: Item | undefined, next: Item): Bound {
  if (last === undefined || last.timestamp !== next.timestamp)
    return { timestamp: next.timestamp, prefix: '' }
  let common = 0
  while (last.id.slice(common, common + 2) === next.id.slice(common, common + 2)) common += 2
  return { timestamp: next.timestamp, prefix: next.id.slice(0, common + 2) }
}

/** Sum of the ids as little-endian numbers, with their count, hashed: 16 bytes as hex. */
function fingerprint(items: readonly Item[]): string {
  let sum = 0n
  for (const { id } of items) sum += BigInt(`0x${Buffer.from(id, 'hex').reverse().toString('hex')}`)
  const big = (sum & ((1n << 256n) - 1n)).toString(16).padStart(64, '0')
  const writer = new Writer('')
  writer.raw(Buffer.from(big, 'hex').reverse().toString('hex'))
  writer.varint(items.length)
  return hash('sha256', Buffer.from(writer.hex(), 'hex'), 'hex').slice(0, 32)
}

class Reader {
  readonly #bytes: Buffer
  #at = 0
  #previous = 0
  #ended = false

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length
  }

  byte(): number {
    return this.bytes(1)[0] as number
  }

  bytes(count: number): Buffer {
    if (this.#at + count > this.#bytes.length) throw new RangeError('truncated')
    this.#at += count
    return this.#bytes.subarray(this.#at - count, this.#at)
  }

  varint(): number {
    let value = 0
    for (;;) {
      const byte = this.byte()
      value = value * 128 + (byte & 127)
      if (byte < 128) return value
    }
  }

  bound(strict: boolean): Bound {
    const encoded = this.varint()
    const prefix = this.bytes(this.varint()).toString('hex')
    if (encoded === 0 || this.#ended) {
      if (strict && prefix !== '') throw new RangeError('infinity with a prefix')
      this.#ended = true
      return infinity
    }
    this.#previous += encoded - 1
    return { timestamp: this.#previous, prefix }
  }
}

class Writer {
  #hex: string
  #previous = 0

  constructor(start = '61') {
    this.#hex = start
  }

  get length(): number {
    return this.#hex.length / 2
  }

  hex(): string {
    return this.#hex
  }

  raw(hex: string): void {
    this.#hex += hex
  }

  varint(value: number): void {
    let hex = (value % 128).toString(16).padStart(2, '0')
    for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128))
      hex = ((rest % 128) + 128).toString(16).padStart(2, '0') + hex
    this.#hex += hex
  }

  range({ timestamp, prefix }: Bound, mode: number): void {
    if (timestamp === Number.POSITIVE_INFINITY) this.varint(0)
    else {
      this.varint(timestamp - this.#previous + 1)
      this.#previous = timestamp
    }
    this.varint(prefix.length / 2)
    this.raw(prefix)
    this.varint(mode)
  }

  list(items: readonly Item[]): void {
    this.varint(items.length)
    for (const { id } of items) this.raw(id)
  }
}
