import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js'
import { malformed, NegentropyError } from './negentropy-error.ts'

/** Bytes of an id. */
export const idSize = 32

/** Value of a hex digit by its character code; 255: none. */
const digits = new Uint8Array(128).fill(255)
for (let value = 0; value < 16; value++) {
  const digit = value.toString(16)
  digits[digit.charCodeAt(0)] = value
  digits[digit.toUpperCase().charCodeAt(0)] = value
}

/** False when any of the characters is not a hex digit. Ids come by the million: straight into their place. */
function decodeId(text: string, target: Uint8Array, offset: number): boolean {
  let bad = 0
  for (let i = 0; i < 2 * idSize; i += 2) {
    const high = digits[text.charCodeAt(i)] ?? 255
    const low = digits[text.charCodeAt(i + 1)] ?? 255
    bad |= high | low
    target[offset + (i >> 1)] = (high << 4) | low
  }
  return bad < 16
}

/** Writes the 32 bytes of an id, given as 64 hex digits or as bytes. Throws `negentropy/invalid-item`. */
export function writeId(id: string | Uint8Array, target: Uint8Array, offset: number): void {
  if (typeof id !== 'string') {
    if (id.length !== idSize) throw invalidId()
    target.set(id, offset)
  } else if (id.length !== 2 * idSize || !decodeId(id, target, offset)) throw invalidId()
}

function invalidId(): NegentropyError {
  return new NegentropyError('negentropy/invalid-item', 'an id is 64 hex digits or 32 bytes')
}

/** The id at `offset` as 64 lowercase hex digits. */
export function readId(bytes: Uint8Array, offset: number): string {
  return bytesToHex(bytes.subarray(offset, offset + idSize))
}

/** Lowercase hex of a message, as NIP-77 frames carry it. */
export function encodeHex(bytes: Uint8Array): string {
  return bytesToHex(bytes)
}

/** Bytes of a hex message, in either case. Throws `negentropy/malformed`. */
export function decodeHex(text: string): Uint8Array {
  try {
    return hexToBytes(text)
  } catch {
    throw malformed('not hex')
  }
}

/** Negative, zero or positive: the order of two ids, byte by byte. */
export function compareIds(a: Uint8Array, aOffset: number, b: Uint8Array, bOffset: number): number {
  for (let i = 0; i < idSize; i++) {
    const difference = a[aOffset + i]! - b[bOffset + i]!
    if (difference !== 0) return difference
  }
  return 0
}

/** Throws `negentropy/invalid-item` unless the timestamp is an integer of 0 … 2^53−1. */
export function checkTimestamp(timestamp: number): void {
  if (!Number.isSafeInteger(timestamp) || timestamp < 0)
    throw new NegentropyError('negentropy/invalid-item', `timestamp ${timestamp} is not in 0 … 2^53−1`)
}

/** A few bytes are copied faster by hand than through a view. */
export function copyBytes(
  from: Uint8Array,
  begin: number,
  end: number,
  target: Uint8Array,
  offset: number,
): void {
  if (end - begin > 256) target.set(from.subarray(begin, end), offset)
  else for (let i = begin; i < end; i++) target[offset + i - begin] = from[i]!
}
