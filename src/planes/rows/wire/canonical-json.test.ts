import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { CanonicalJsonError, canonicalJson, exactCanonicalJson, maxJsonDepth } from './canonical-json.ts'
import { parseJson } from './json-text.ts'

const canonical = (text: string) => canonicalJson(parseJson(text))

describe('canonical JSON', () => {
  // The table of §2.14.1, and the other rules of its list.
  const numbers: readonly [string, string][] = [
    ['1.0', '1'],
    ['-12.50', '-12.5'],
    ['1e-6', '0.000001'],
    ['1e-7', '1e-7'],
    ['12345678.9e-15', '1.23456789e-8'],
    ['9007199254740993', '9007199254740992'],
    ['0.000001234', '0.000001234'],
    ['1e20', '100000000000000000000'],
    ['1e21', '1e+21'],
    ['100000000000000000000000', '1e+23'],
    ['5e-324', '5e-324'],
    ['1.5E+300', '1.5e+300'],
    ['123456789012345678901', '123456789012345680000'],
    ['-0', '-0'],
    ['0', '0'],
    ['-0.0', '-0'],
    ['1e-400', '0'],
  ]
  for (const [input, output] of numbers)
    it(`R-34 the number ${input} is ${output}`, () => assert.equal(canonical(input), output))

  it('R-34 a number beyond the range of doubles is an error', () => {
    for (const text of ['1E400', '{"a":[-1e999]}', '1'.padEnd(400, '0')]) {
      assert.throws(() => canonical(text), CanonicalJsonError)
      assert.throws(() => exactCanonicalJson(parseJson(text)), CanonicalJsonError)
    }
  })

  it('R-34 members are in the order of their UTF-8 bytes, at every depth', () => {
    assert.equal(canonical('{"😀":1,"\uffee":2,"a":3,"B":4,"":5}'), '{"":5,"B":4,"a":3,"\uffee":2,"😀":1}')
    assert.equal(canonical('[{"10":1,"9":{"b":0,"a":0},"1":2}]'), '[{"1":2,"10":1,"9":{"a":0,"b":0}}]')
  })

  it('R-34 order by code points is order by bytes', () => {
    const names = fc.uniqueArray(
      fc.string({ unit: 'binary', maxLength: 6 }).map((name) => name.toWellFormed()),
    )
    fc.assert(
      fc.property(names, (list) => {
        const text = canonicalJson(Object.fromEntries(list.map((name) => [name, null])))
        const bytewise = list.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
        assert.deepEqual(
          [...text.matchAll(/("(?:[^"\\]|\\.)*"):null/g)].map((match) => JSON.parse(match[1]!)),
          bytewise,
        )
      }),
    )
  })

  it('R-34 strings escape what Go escapes, and nothing else', () => {
    assert.equal(
      canonical('"\\u0008\\f\\n\\r\\t\\u0001\\u001F\\"\\\\\\/<>&\\u2028\\u2029\\u007f\\u00e9é😀"'),
      '"\\b\\f\\n\\r\\t\\u0001\\u001f\\"\\\\/\\u003c\\u003e\\u0026\\u2028\\u2029\u007féé😀"',
    )
  })

  it('R-34 an unpaired surrogate becomes U+FFFD', () => {
    assert.equal(canonical('{"\\ud800":"a\\udc00b"}'), '{"\ufffd":"a\ufffdb"}')
  })

  it('R-34 of duplicate members the last one wins', () => {
    assert.equal(canonical('{"a":1,"b":2,"a":3}'), '{"a":3,"b":2}')
  })

  it('a member called __proto__ is a member like any other', () => {
    assert.equal(canonical('{"__proto__":{"a":1},"constructor":2}'), '{"__proto__":{"a":1},"constructor":2}')
  })

  it('nesting without bound is refused before it can exhaust the stack', () => {
    const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)
    assert.equal(canonical(nested(maxJsonDepth)), nested(maxJsonDepth))
    assert.throws(() => canonical(nested(maxJsonDepth + 1)), CanonicalJsonError)
    assert.throws(() => canonical(nested(5_000)), CanonicalJsonError)
  })

  it('the canonical text of a canonical text is itself', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 4 }), (text) => {
        const once = canonical(text)
        assert.equal(canonical(once), once)
      }),
    )
  })
})

describe('exact canonical JSON', () => {
  it('keeps the numbers that a double would change', () => {
    const text = '{"a":9007199254740993,"b":[1.00,12345678901234567.89],"c":-9223372036854775808}'
    assert.equal(
      exactCanonicalJson(parseJson(text)),
      '{"a":9007199254740993,"b":[1,12345678901234567.89],"c":-9223372036854775808}',
    )
  })

  it('hashes like the rounded text', () => {
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.string(),
          fc.oneof(fc.bigInt(), fc.double({ noNaN: true, noDefaultInfinity: true })),
        ),
        (object) => {
          const text = `{${Object.entries(object).map(([name, value]) => `${JSON.stringify(name)}:${value}`)}}`
          assert.equal(canonical(exactCanonicalJson(parseJson(text))), canonical(text))
        },
      ),
    )
  })
})
