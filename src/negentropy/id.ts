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

const pairs = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** -1 when any of the characters is not a hex digit; decodes straight into its place, since ids come by the million. */
function decodeInto(text: string, target: Uint8Array, offset: number): number {
  let bad = 0
  for (let i = 0; i < text.length; i += 2) {
    const high = digits[text.charCodeAt(i)] ?? 255
    const low = digits[text.charCodeAt(i + 1)] ?? 255
    bad |= high | low
    target[offset + (i >> 1)] = (high << 4) | low
  }
  return bad > 15 ? -1 : 0
}

/** Writes the 32 bytes of an id, given as 64 hex digits or as bytes. Throws `negentropy/invalid-item`. */
export function writeId(id: string | Uint8Array, target: Uint8Array, offset: number): void {
  if (typeof id !== 'string') {
    if (id.length !== idSize) throw invalidId()
    target.set(id, offset)
  } else if (id.length !== 2 * idSize || decodeInto(id, target, offset) < 0) throw invalidId()
}

function invalidId(): NegentropyError {
  return new NegentropyError('negentropy/invalid-item', 'an id is 64 hex digits or 32 bytes')
}

/** The id at `offset` as 64 lowercase hex digits. */
export function readId(bytes: Uint8Array, offset: number): string {
  return encodeHex(bytes, offset, offset + idSize)
}

/** Lowercase hex of a message, as NIP-77 frames carry it. */
export function encodeHex(bytes: Uint8Array, from = 0, to: number = bytes.length): string {
  let text = ''
  for (let i = from; i < to; i++) text += pairs[bytes[i]!]
  return text
}

/** Bytes of a hex message, in either case. Throws `negentropy/malformed`. */
export function decodeHex(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length >> 1)
  if (text.length % 2 !== 0 || decodeInto(text, bytes, 0) < 0) throw malformed('not hex')
  return bytes
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
