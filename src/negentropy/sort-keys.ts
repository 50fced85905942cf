import { compareIds, idSize } from './id.ts'
import type { ItemColumns } from './item-columns.ts'

/** Below it a comparison sort is as fast, and needs no histograms. */
const radixFrom = 8192

const digitValues = 2 ** 16
const base = 2 ** 32

/**
 * The order of the items of unsorted columns: sorted[k] is the index of the item that comes k-th. A generator, so that
 * a million items can be sorted in slices: what happens between two yields takes some ten milliseconds.
 */
export function* sortKeys(columns: ItemColumns): Generator<void, Uint32Array> {
  const { timestamps, ids } = columns
  const count = timestamps.length
  let order: Uint32Array<ArrayBuffer> = new Uint32Array(count)
  for (let i = 0; i < count; i++) order[i] = i
  const compare = (a: number, b: number) =>
    timestamps[a]! - timestamps[b]! || compareIds(ids, a * idSize, ids, b * idSize)
  if (count < radixFrom) return order.sort(compare)

  let spare: Uint32Array<ArrayBuffer> = new Uint32Array(count)
  const digits = new Uint16Array(count)
  for (const fill of digitsOf(columns)) {
    yield
    fill(digits)
    yield
    distribute(order, spare, digits)
    ;[order, spare] = [spare, order]
  }
  yield
  sortTies(order, timestamps, ids, compare)
  return order
}

/** The same in one go. */
export function sortNow(columns: ItemColumns): Uint32Array {
  const sorting = sortKeys(columns)
  for (;;) {
    const step = sorting.next()
    if (step.done) return step.value
  }
}

/** 16-bit digits, least significant first: the first four bytes of the id, then as much of the timestamp as varies. */
function digitsOf({ timestamps, ids }: ItemColumns): ((digits: Uint16Array) => void)[] {
  let low = Number.POSITIVE_INFINITY
  let high = 0
  for (let i = 0; i < timestamps.length; i++) {
    low = Math.min(low, timestamps[i]!)
    high = Math.max(high, timestamps[i]!)
  }
  const fills = [2, 0].map((at) => (digits: Uint16Array) => fillFromIds(digits, ids, at))
  for (let shift = 0; shift < 53 && high - low >= 2 ** shift; shift += 16)
    fills.push((digits) => fillFromTimestamps(digits, timestamps, low, shift))
  return fills
}

function fillFromIds(digits: Uint16Array, ids: Uint8Array, at: number): void {
  for (let i = 0; i < digits.length; i++) digits[i] = (ids[i * idSize + at]! << 8) | ids[i * idSize + at + 1]!
}

function fillFromTimestamps(digits: Uint16Array, timestamps: Float64Array, low: number, shift: number): void {
  const high = shift >= 32
  for (let i = 0; i < digits.length; i++) {
    const value = timestamps[i]! - low
    const word = high ? Math.floor(value / base) : value % base
    digits[i] = word >>> (shift % 32)
  }
}

/** A stable pass of counting sort. */
function distribute(from: Uint32Array, to: Uint32Array, digits: Uint16Array): void {
  const places = new Uint32Array(digitValues + 1)
  for (let i = 0; i < digits.length; i++) places[digits[i]! + 1]!++
  for (let value = 1; value <= digitValues; value++) places[value]! += places[value - 1]!
  for (let i = 0; i < from.length; i++) {
    const item = from[i]!
    to[places[digits[item]!]!++] = item
  }
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
