import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { startBound } from './bound.ts'
import { fingerprintOf } from './fingerprint.ts'
import { decodeHex, encodeHex } from './id.ts'
import { ItemVector, ItemVectorBuilder } from './item-vector.ts'
import type { Key } from './key.ts'
import { NegentropyError } from './negentropy-error.ts'
import { TimeRange } from './time-range.ts'

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
const text = (key: Key) => `${String(key.timestamp).padStart(16, '0')}:${key.id}`
const invalid = (error: unknown) =>
  error instanceof NegentropyError && error.code === 'negentropy/invalid-item'

function items(vector: ItemVector): Key[] {
  const { timestamps, ids } = vector.columns
  return Array.from(timestamps, (timestamp, i) => ({
    timestamp,
    id: encodeHex(ids.subarray(32 * i, 32 * i + 32)),
  }))
}

/** Straight from the definition (events.md §5.5), with BigInt. */
function naiveFingerprint(keys: readonly Key[]): string {
  let sum = 0n
  for (const { id } of keys) sum += BigInt(`0x${id.match(/../g)!.reverse().join('')}`)
  const littleEndian = (sum % 2n ** 256n).toString(16).padStart(64, '0').match(/../g)!.reverse().join('')
  assert.ok(keys.length < 128)
  const count = keys.length.toString(16).padStart(2, '0')
  return createHash('sha256').update(`${littleEndian}${count}`, 'hex').digest('hex').slice(0, 32)
}

const timestampArbitrary = fc.oneof(fc.integer({ min: 0, max: 3 }), fc.maxSafeNat())
const keyArbitrary = fc
  .record({
    timestamp: timestampArbitrary,
    id: fc
      .oneof(fc.constantFrom(0x00, 0x7f, 0x80, 0xff), fc.nat(255))
      .chain((fill) => fc.tuple(fc.constant(fill), fc.uint8Array({ maxLength: 32 })))
      .map(([fill, bytes]) => {
        const id = new Uint8Array(32).fill(fill)
        id.set(bytes)
        return encodeHex(id)
      }),
  })
  .map(({ timestamp, id }): Key => ({ timestamp, id }))
const keysArbitrary = fc.uniqueArray(keyArbitrary, { selector: text, maxLength: 100 })

test('E-112 fingerprints equal the vectors', () => {
  const one = (id: string) => ({ timestamp: 1, id: id.repeat(32) })
  assert.equal(fingerprintOf(ItemVector.from([])), '7f9c9e31ac8256ca2f258583df262dbc')
  assert.equal(fingerprintOf(ItemVector.from([one('aa')])), '42b5d6e9a824e972398bfe0b80a84fb2')
  assert.equal(fingerprintOf(ItemVector.from([one('01'), one('ff')])), 'a45b81d5bd8f90ade27ed6ec281d7f3e')
  const three = [0, 1, 2].map((k) => ({ timestamp: 1_700_000_000 + k, id: sha256(`event${k}`) }))
  assert.equal(fingerprintOf(ItemVector.from(three)), '0533db2e4c9a02ed77bc17ac072a70a1')
})

test('E-112 fingerprints follow the definition in any order of insertion, and of any span of time', () => {
  fc.assert(
    fc.property(keysArbitrary, timestampArbitrary, timestampArbitrary, (keys, since, until) => {
      const forth = ItemVector.from(keys)
      assert.equal(fingerprintOf(forth), naiveFingerprint(keys))
      assert.equal(fingerprintOf(ItemVector.from([...keys].reverse())), fingerprintOf(forth))
      const inside = keys.filter(({ timestamp }) => timestamp >= since && timestamp <= until)
      const range = new TimeRange(forth, since, until)
      assert.equal(range.size, inside.length)
      assert.equal(fingerprintOf(range), naiveFingerprint(inside))
    }),
  )
})

test('a vector is sorted by timestamp, then by id bytes', () => {
  fc.assert(
    fc.property(keysArbitrary, (keys) => {
      const sorted = [...keys].sort((a, b) => (text(a) < text(b) ? -1 : 1))
      assert.deepEqual(items(ItemVector.from(keys)), sorted)
    }),
  )
})

test('many items are sorted like few, whatever their timestamps have in common', async () => {
  const spreads = [(k: number) => k, () => 7, (k: number) => k % 5, (k: number) => k * 2 ** 37 + (k % 3)]
  for (const spread of spreads) {
    const keys = Array.from({ length: 10_000 }, (_, k) => ({
      timestamp: spread((k * 7919) % 10_000),
      // The first four bytes repeat, so that the digits alone cannot order all ids.
      id: `${sha256(`${k % 50}`).slice(0, 8)}${sha256(`${k}`).slice(8)}`,
    }))
    const sorted = [...keys].sort((a, b) => (text(a) < text(b) ? -1 : 1))
    const builder = new ItemVectorBuilder(16)
    for (const { timestamp, id } of keys) builder.add(timestamp, decodeHex(id))
    let pauses = 0
    const vector = await builder.sealGradually(async () => void pauses++)
    assert.deepEqual(items(vector), sorted)
    assert.ok(pauses > 3)
  }
})

test('duplicates, bad ids and bad timestamps are refused', () => {
  const id = 'ab'.repeat(32)
  assert.throws(() => new ItemVectorBuilder().add(5, id).add(5, id.toUpperCase()).seal(), invalid)
  assert.throws(() => new ItemVectorBuilder().add(5, id).add(3, id).add(5, id).seal(), invalid)
  assert.equal(new ItemVectorBuilder().add(5, id).add(6, id).seal().size, 2)
  for (const bad of ['', 'ab', `${id}00`, `zz${id.slice(2)}`, `é${id.slice(1)}`, new Uint8Array(31)])
    assert.throws(() => new ItemVectorBuilder().add(5, bad), invalid)
  for (const bad of [-1, 1.5, Number.NaN, 2 ** 53, Number.POSITIVE_INFINITY])
    assert.throws(() => new ItemVectorBuilder().add(bad, id), invalid)
})

test('columns out of order or of uneven length are refused', () => {
  const ids = new Uint8Array(64)
  assert.throws(() => new ItemVector({ timestamps: Float64Array.of(2, 1), ids }), invalid)
  assert.throws(() => new ItemVector({ timestamps: Float64Array.of(1, 1), ids }), invalid)
  assert.throws(() => new ItemVector({ timestamps: Float64Array.of(1), ids }), invalid)
  assert.equal(new ItemVector({ timestamps: Float64Array.of(1, 2), ids }).size, 2)
  const unaligned = new Uint8Array(65).subarray(1)
  assert.equal(
    fingerprintOf(new ItemVector({ timestamps: Float64Array.of(1, 2), ids: unaligned })).length,
    32,
  )
})

test('a sealed builder takes nothing more', () => {
  const builder = new ItemVectorBuilder()
  builder.seal()
  assert.throws(() => builder.add(1, '00'.repeat(32)), { code: 'negentropy/out-of-order' })
  assert.throws(() => builder.seal(), { code: 'negentropy/out-of-order' })
})

test('the lower bound of a position is the first item not below it', () => {
  fc.assert(
    fc.property(keysArbitrary, keyArbitrary, (keys, at) => {
      const vector = ItemVector.from(keys)
      const bound = { ...startBound(), timestamp: at.timestamp, prefixLength: 32, prefix: decodeHex(at.id) }
      assert.equal(vector.lowerBound(bound, 0), keys.filter((key) => text(key) < text(at)).length)
    }),
  )
})
