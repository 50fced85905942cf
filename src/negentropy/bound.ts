import { compareIds, idSize } from './id.ts'

/**
 * A timestamp as it may stand on the wire: infinity is `Infinity`, what a double cannot hold exactly is a bigint (a
 * peer may store items we never could, and its bounds must come back to it unchanged). Relations between the two
 * types are exact in JavaScript.
 */
export type WireTimestamp = number | bigint

/** A position between items: the first key that is not below (timestamp, prefix padded with zeros). Reused in place. */
export interface Bound {
  timestamp: WireTimestamp
  /** 0 … 32 bytes given on the wire; the rest of `prefix` is zero. */
  prefixLength: number
  readonly prefix: Uint8Array
}

/** Below every item. */
export function startBound(): Bound {
  return { timestamp: 0, prefixLength: 0, prefix: new Uint8Array(idSize) }
}

/** Above every item. */
export function endBound(): Bound {
  return { timestamp: Number.POSITIVE_INFINITY, prefixLength: 0, prefix: new Uint8Array(idSize) }
}

/** The first position of a second, or whatever the timestamps count. */
export function timestampBound(timestamp: number): Bound {
  return { timestamp, prefixLength: 0, prefix: new Uint8Array(idSize) }
}

export function setBound(
  bound: Bound,
  timestamp: WireTimestamp,
  bytes: Uint8Array,
  offset: number,
  length: number,
): void {
  bound.timestamp = timestamp
  bound.prefixLength = length
  const prefix = bound.prefix
  for (let i = 0; i < length; i++) prefix[i] = bytes[offset + i]!
  for (let i = length; i < idSize; i++) prefix[i] = 0
}

/** Omitted trailing zeros compare as if they were there. */
export function compareBounds(a: Bound, b: Bound): number {
  if (a.timestamp !== b.timestamp) return a.timestamp < b.timestamp ? -1 : 1
  return compareIds(a.prefix, 0, b.prefix, 0)
}
