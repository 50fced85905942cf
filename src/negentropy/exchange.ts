import { type Bound, compareBounds, startBound } from './bound.ts'
import type { Differences } from './differences.ts'
import { fingerprintSize } from './fingerprint.ts'
import { idSize } from './id.ts'
import { MessageReader } from './message-reader.ts'
import { mode } from './message-writer.ts'
import { malformed } from './negentropy-error.ts'
import type { OrderedSet } from './ordered-set.ts'
import { RangeWriter } from './range-writer.ts'
import type { SessionLimits } from './session-options.ts'

const infinity = Number.POSITIVE_INFINITY

/** Throws `negentropy/malformed` unless the message starts with a version byte and is not too long. */
export function versionOf(message: Uint8Array, limits: SessionLimits): number {
  if (message.length > limits.maxMessageBytes) throw malformed(`${message.length} bytes are too long`)
  const version = message[0]
  if (version === undefined) throw malformed('empty')
  if (version < 0x60 || version > 0x6f) throw malformed('not a version byte')
  return version
}

/** Turns one message into the next, range by range (events.md §5.7). With `differences` it is the initiator. */
export class Exchange {
  readonly #set: OrderedSet
  readonly #differences: Differences | undefined
  readonly #reader = new MessageReader()
  readonly #ranges: RangeWriter
  #previous: Bound = startBound()
  #upper: Bound = startBound()

  constructor(set: OrderedSet, limits: SessionLimits, differences: Differences | undefined) {
    this.#set = set
    this.#differences = differences
    this.#ranges = new RangeWriter(set, limits, differences === undefined ? 'responder' : 'initiator')
  }

  /** The initiator's first message. */
  start(upper: Bound): Uint8Array {
    this.#ranges.begin()
    this.#ranges.split(0, this.#set.size, upper, undefined)
    return this.#ranges.take()
  }

  /** @param message with the right version */
  answer(message: Uint8Array): Uint8Array {
    this.#reader.open(message)
    this.#ranges.begin()
    this.#previous = startBound()
    let begin = 0
    let skipping = false
    while (!this.#reader.atEnd) {
      const end = this.#readUpper(begin)
      const found = this.#range(begin, end, skipping ? this.#previous : undefined)
      if (found === 'full') break
      skipping = found === 'equal'
      ;[this.#previous, this.#upper] = [this.#upper, this.#previous]
      begin = end
    }
    this.#reader.close()
    return this.#ranges.take()
  }

  /** Reads the next upper bound. @returns the index of the first own item at or above it */
  #readUpper(begin: number): number {
    this.#reader.readBound(this.#upper)
    if (compareBounds(this.#upper, this.#previous) < 0) throw malformed('bounds are not ascending')
    return this.#set.lowerBound(this.#upper, begin)
  }

  /** @param skipTo the end of the equal stretch before this range, which is still to be told */
  #range(begin: number, end: number, skipTo: Bound | undefined): 'equal' | 'told' | 'full' {
    const kind = this.#reader.readVarint()
    // Where a list up to infinity just fills a message, the reference adds the fingerprint of nothing behind it.
    if (this.#previous.timestamp === infinity && kind !== mode.fingerprint)
      throw malformed('a range after infinity')
    if (kind === mode.skip) return 'equal'
    if (kind === mode.fingerprint) {
      const offset = this.#reader.skip(fingerprintSize, 'truncated fingerprint')
      if (this.#ranges.matches(begin, end, this.#reader.bytes, offset)) return 'equal'
      return this.#ranges.split(begin, end, this.#upper, skipTo) ? 'told' : 'full'
    }
    if (kind !== mode.idList) throw malformed('unknown mode')
    const count = this.#reader.readCount(idSize)
    const offset = this.#reader.skip(count * idSize, 'truncated list')
    if (this.#differences === undefined)
      return this.#ranges.list(begin, end, this.#upper, skipTo) ? 'told' : 'full'
    this.#differences.compare(begin, end, this.#reader.bytes, offset, count)
    return 'equal'
  }
}
