import { compareIds, idSize } from './id.ts'
import type { ItemColumns } from './item-columns.ts'

/** Below it a comparison sort is as fast, and needs no histograms. */
const radixFrom = 8192

const digitValues = 2 ** 16
const base = 2 ** 32

/**
 * The order of the items of unsorted columns: sorted[k] is the index of the item that comes k-th. A generator, so that
 * a million items can be sorted in slices: every pass between two yields is a few tens of milliseconds.
 */
export function* sortKeys(columns: ItemColumns): Generator<void, Uint32Array> {
  const { timestamps, ids } = columns
  const count = timestamps.length
  let order = Uint32Array.from({ length: count }, (_, i) => i)
  const compare = (a: number, b: number) =>
    timestamps[a]! - timestamps[b]! || compareIds(ids, a * idSize, ids, b * idSize)
  if (count < radixFrom) return order.sort(compare)

  let spare: Uint32Array<ArrayBuffer> = new Uint32Array(count)
  for (const digit of digitsOf(columns)) {
    yield
    distribute(order, spare, digit)
    ;[order, spare] = [spare, order]
  }
  yield
  sortTies(order, timestamps, ids, compare)
  return order
}

/** 16-bit digits, least significant first: the first four bytes of the id, then as much of the timestamp as varies. */
function digitsOf({ timestamps, ids }: ItemColumns): ((item: number) => number)[] {
  let low = Number.POSITIVE_INFINITY
  let high = 0
  for (const timestamp of timestamps) {
    if (timestamp < low) low = timestamp
    if (timestamp > high) high = timestamp
  }
  const idDigit = (at: number) => (item: number) =>
    (ids[item * idSize + at]! << 8) | ids[item * idSize + at + 1]!
  const digits = [idDigit(2), idDigit(0)]
  for (let shift = 0; shift < 54 && high - low >= 2 ** shift; shift += 16)
    digits.push((item) => digitAt(timestamps[item]! - low, shift))
  return digits
}

function digitAt(value: number, shift: number): number {
  const word = shift < 32 ? value % base : Math.floor(value / base)
  return (word >>> (shift % 32)) & (digitValues - 1)
}

function distribute(from: Uint32Array, to: Uint32Array, digit: (item: number) => number): void {
  const places = new Uint32Array(digitValues + 1)
  for (const item of from) places[digit(item) + 1]!++
  for (let value = 1; value <= digitValues; value++) places[value]! += places[value - 1]!
  for (const item of from) to[places[digit(item)]!++] = item
}

/** What the digits could not tell apart: equal timestamps and equal first four bytes, hence rare and short runs. */
function sortTies(
  order: Uint32Array,
  timestamps: Float64Array,
  ids: Uint8Array,
  compare: (a: number, b: number) => number,
): void {
  const tied = (a: number, b: number) => {
    if (timestamps[a] !== timestamps[b]) return false
    for (let i = 0; i < 4; i++) if (ids[a * idSize + i] !== ids[b * idSize + i]) return false
    return true
  }
  for (let start = 0; start < order.length; ) {
    let end = start + 1
    while (end < order.length && tied(order[start]!, order[end]!)) end++
    if (end - start > 1) order.subarray(start, end).sort(compare)
    start = end
  }
}
