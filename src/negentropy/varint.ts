import type { WireTimestamp } from './bound.ts'

/** Bytes of the longest varint: 2^64−1. */
export const maxVarintSize = 10

/** Largest value a varint may carry. */
export const maxVarint = 2n ** 64n - 1n

/** Above it a double is not exact, and values travel as bigint. */
const maxSafe = Number.MAX_SAFE_INTEGER

/**
 * Writes base 128, most significant group first. Divides instead of shifting: 32-bit shifts corrupt values from 2^31
 * on, which made other implementations loop for ever on one event dated after January 2038.
 *
 * @returns the offset behind it
 */
export function writeVarint(value: WireTimestamp, target: Uint8Array, offset: number): number {
  if (typeof value === 'bigint') return writeWide(value, target, offset)
  let size = 1
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) size++
  const end = offset + size
  let rest = value
  for (let at = end - 1; at >= offset; at--) {
    const next = Math.floor(rest / 128)
    target[at] = rest - next * 128 + (at === end - 1 ? 0 : 128)
    rest = next
  }
  return end
}

function writeWide(value: bigint, target: Uint8Array, offset: number): number {
  const groups = [Number(value & 127n)]
  for (let rest = value >> 7n; rest > 0n; rest >>= 7n) groups.unshift(Number(rest & 127n) | 128)
  target.set(groups, offset)
  return offset + groups.length
}

/** The value as a number when a double holds it exactly. */
export function narrow(value: bigint): WireTimestamp {
  return value <= maxSafe ? Number(value) : value
}
