import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { ExactNumber, exactInteger } from './exact-number.ts'
import { formatJson, parseJson } from './json-text.ts'

describe('JSON text without loss', () => {
  it('every integer comes back digit by digit', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }), (value) => {
        const parsed = parseJson(`{"a":[${value}]}`)
        assert.equal(formatJson(parsed), `{"a":[${value}]}`)
        const inner = (parsed as { a: (number | ExactNumber)[] }).a[0]!
        assert.equal(inner instanceof ExactNumber ? inner.toBigInt() : BigInt(inner), value)
      }),
    )
  })

  it('every decimal comes back with its value', () => {
    const decimal = fc.tuple(
      fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }),
      fc.integer({ min: -40, max: 40 }),
    )
    fc.assert(
      fc.property(decimal, ([digits, power]) => {
        const again = formatJson(parseJson(`[${digits}e${power}]`)).slice(1, -1)
        const [, mantissa, exponent = '0'] = /^([^e]*)(?:e(.*))?$/.exec(again)!
        const [whole, fraction = ''] = mantissa!.split('.')
        const shift = Number(exponent) - fraction.length - power
        const value = BigInt(whole! + fraction)
        // value × 10^shift must be the digits that went in.
        if (shift >= 0) assert.equal(value * 10n ** BigInt(shift), digits)
        else assert.equal(value, digits * 10n ** BigInt(-shift))
      }),
    )
  })

  it('ordinary numbers are plain numbers, whatever their spelling', () => {
    assert.deepEqual(
      parseJson('[1.50, 42.0, 1e3, 100000000000000000000, 0.1, -0.0, 6.571114736960073]'),
      [1.5, 42, 1000, 1e20, 0.1, -0, 6.571114736960073],
    )
  })

  it('what looks like a long number inside a string changes nothing', () => {
    const text = '{"a":":9007199254740993","b":"[1e999,","c":" 12345678901234567890"}'
    assert.equal(formatJson(parseJson(text)), text)
  })

  it('agrees with the platform on everything else', () => {
    fc.assert(fc.property(fc.json(), (text) => assert.deepEqual(parseJson(text), JSON.parse(text))))
  })

  it('refuses what is not JSON', () => {
    for (const text of ['', '{', '01', '[1,]', '9007199254740993x', 'NaN'])
      assert.throws(() => parseJson(text), SyntaxError)
  })

  it('integers of any size become JSON numbers', () => {
    assert.equal(
      formatJson([exactInteger(2n ** 53n - 1n), exactInteger(-(2n ** 63n))]),
      '[9007199254740991,-9223372036854775808]',
    )
    assert.equal(exactInteger(5n), 5)
  })

  it('an exact number says whether it is an integer', () => {
    assert.equal(new ExactNumber('12345678901234567890.0').toBigInt(), 12345678901234567890n)
    assert.equal(new ExactNumber('-1e20').toBigInt(), -(10n ** 20n))
    assert.equal(new ExactNumber('0.00000').toBigInt(), 0n)
    assert.equal(new ExactNumber('1.5').toBigInt(), undefined)
    assert.equal(new ExactNumber('1e999999999').toBigInt(), undefined)
  })
})
