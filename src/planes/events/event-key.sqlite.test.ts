import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { bytesOf, hexOf, tagKey, tagKeys } from './event-key.sqlite.ts'

const letter = fc.constantFrom(...'aezATZ')
const value = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 60 }),
  fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 62, maxLength: 66 }),
  fc.constantFrom('', 'A'.repeat(64), 'a'.repeat(64), 'x'.repeat(31), 'x'.repeat(32), 'x'.repeat(4_096)),
)

describe('tag keys', () => {
  it('are at most 33 bytes, and equal only for the same letter and value', () => {
    fc.assert(
      fc.property(letter, value, letter, value, (a, b, c, d) => {
        const [one, other] = [tagKey(a, b), tagKey(c, d)]
        assert.ok(one.length >= 1 && one.length <= 33)
        assert.equal(Buffer.compare(one, other) === 0, a === c && b === d)
      }),
    )
  })

  it('are made of single-letter tags with a value, each once', () => {
    const tags = [
      ['e', 'x', 'more'],
      ['e', 'x'],
      ['e'],
      [],
      ['long', 'x'],
      ['1', 'x'],
      ['E', 'x'],
      ['e', 'y'],
    ]
    assert.deepEqual(tagKeys(tags), [tagKey('e', 'x'), tagKey('E', 'x'), tagKey('e', 'y')])
  })
})

describe('ids', () => {
  it('come back from their bytes', () => {
    const hex = '00ff'.repeat(16)
    assert.equal(hexOf(bytesOf(hex)), hex)
    assert.equal(hexOf(Buffer.from(`ab${hex}`, 'hex').subarray(1)), hex)
  })
})
