import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Bound, compareBounds, endBound, startBound, type WireTimestamp } from './bound.ts'
import { decodeHex, encodeHex } from './id.ts'
import { MessageReader } from './message-reader.ts'
import { MessageWriter, mode } from './message-writer.ts'
import { NegentropyError } from './negentropy-error.ts'
import { writeVarint } from './varint.ts'

const malformed = (error: unknown) =>
  error instanceof NegentropyError && error.code === 'negentropy/malformed'

function readerOf(hex: string): MessageReader {
  const reader = new MessageReader()
  reader.open(decodeHex(`61${hex}`))
  return reader
}

function encode(value: WireTimestamp): string {
  const bytes = new Uint8Array(10)
  return encodeHex(bytes.subarray(0, writeVarint(value, bytes, 0)))
}

const vectors: readonly (readonly [WireTimestamp, string])[] = [
  [0, '00'],
  [1, '01'],
  [127, '7f'],
  [128, '8100'],
  [300, '822c'],
  [16_384, '818000'],
  [1_700_000_000, '86aacfe200'],
  [2 ** 31, '8880808000'],
  [4_294_967_295, '8fffffff7f'],
  [Number.MAX_SAFE_INTEGER, '8fffffffffffff7f'],
  [2n ** 53n, '9080808080808000'],
  [2n ** 64n - 2n, '81ffffffffffffffff7e'],
]

test('E-110 varint vectors encode and decode', () => {
  for (const [value, hex] of vectors) {
    assert.equal(encode(value), hex)
    assert.equal(readerOf(hex).readVarint(), value)
  }
})

test('E-110 non-minimal, overlong and truncated varints are refused', () => {
  const broken = [
    '',
    '80',
    '81',
    '8000',
    '8001',
    '8180',
    'ffffffffffffffff',
    '82808080808080808000',
    'ff'.repeat(11),
  ]
  for (const hex of broken) assert.throws(() => readerOf(hex).readVarint(), malformed, hex)
})

test('E-110 every value up to 2^53−1 and beyond survives a round trip', () => {
  const value = fc.oneof(
    fc.maxSafeNat(),
    fc.integer({ min: 0, max: 53 }).map((bit) => Math.min(2 ** bit, Number.MAX_SAFE_INTEGER)),
    fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }),
  )
  fc.assert(fc.property(value, (one) => assert.equal(readerOf(encode(one)).readVarint(), one)))
})

const timestampArbitrary: fc.Arbitrary<WireTimestamp> = fc.oneof(
  fc.integer({ min: 0, max: 3 }),
  fc.maxSafeNat(),
  fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 2n }),
  fc.constant(Number.POSITIVE_INFINITY),
)

const boundArbitrary: fc.Arbitrary<Bound> = fc
  .tuple(timestampArbitrary, fc.uint8Array({ maxLength: 32 }))
  .map(([timestamp, bytes]) => {
    const prefix = new Uint8Array(32)
    if (timestamp !== Number.POSITIVE_INFINITY) prefix.set(bytes)
    return { timestamp, prefixLength: timestamp === Number.POSITIVE_INFINITY ? 0 : bytes.length, prefix }
  })

const at = (timestamp: WireTimestamp): Bound => ({ timestamp, prefixLength: 0, prefix: new Uint8Array(32) })

test('P-NEG-2 ascending bounds survive a round trip exactly, however far apart', () => {
  fc.assert(
    fc.property(fc.array(boundArbitrary, { maxLength: 8 }), (bounds) => {
      bounds.sort(compareBounds)
      const writer = new MessageWriter()
      writer.begin()
      for (const bound of bounds) writer.header(bound, mode.skip)
      const reader = new MessageReader()
      reader.open(writer.take())
      for (const bound of bounds) {
        const read = startBound()
        reader.readBound(read)
        assert.deepEqual(read, bound)
        assert.equal(reader.readVarint(), mode.skip)
      }
      assert.ok(reader.atEnd)
    }),
    { examples: [[[at(2), at(2n ** 53n)]], [[at(1), at(Number.MAX_SAFE_INTEGER), at(2n ** 53n)]]] },
  )
})

test('E-117 infinity with a prefix is tolerated on input and never written', () => {
  const bound = startBound()
  readerOf(`0020${'ff'.repeat(32)}`).readBound(bound)
  assert.deepEqual(bound, endBound())
  const writer = new MessageWriter()
  writer.begin()
  writer.headerOf(Number.POSITIVE_INFINITY, new Uint8Array(32).fill(255), 0, 32, mode.skip)
  assert.equal(encodeHex(writer.take()), '61000000')
})

test('E-117 a bound with omitted trailing zeros equals the one that has them', () => {
  const short = startBound()
  const long = startBound()
  readerOf('0601aa').readBound(short)
  readerOf('0603aa0000').readBound(long)
  assert.equal(compareBounds(short, long), 0)
  assert.equal(short.timestamp, 5)
})

test('a timestamp beyond 2^64−2 reads as infinity, as in the reference implementation', () => {
  const bound = startBound()
  const reader = readerOf('81ffffffffffffffff7f008100')
  reader.readBound(bound)
  assert.equal(bound.timestamp, 2n ** 64n - 2n)
  const sum = readerOf('81ffffffffffffffff7f0081000000')
  sum.readBound(bound)
  sum.readBound(bound)
  assert.equal(bound.timestamp, Number.POSITIVE_INFINITY)
})

test('a message that is not hex is malformed, upper case is not', () => {
  for (const text of ['6', '6g', 'zz']) assert.throws(() => decodeHex(text), malformed)
  assert.deepEqual(decodeHex('6A'), Uint8Array.of(0x6a))
})
