import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { canonicalJson } from './canonical-json.ts'
import { canonicalPattern } from './canonical-pattern.ts'
import { parseJson } from './json-text.ts'

const pattern = canonicalPattern(['a', 'b_2'])
const object = (value: string) => `{"a":${value},"b_2":null}`

describe('text that is canonical JSON as it stands', () => {
  const plain = [
    '"x y"',
    '""',
    '"é – 漢"',
    'true',
    'false',
    'null',
    '0',
    '-1',
    '123456789012345',
    '0.5',
    '-12.25',
  ]
  const edges = ['0.000001', '999999999.999999', '-0.000001', '100000000000000', '"1234567890123456789"']
  for (const value of [...plain, ...edges])
    it(`R-33 ${value} is known as such, and is`, () => {
      assert.match(object(value), pattern)
      assert.equal(canonicalJson(parseJson(object(value))), object(value))
    })

  const escapes = ['"<"', '"a&b"', '"\\u003c"', '"\\n"', '"\u2028"', '"😀"', '"\ud800"', '"\\""', '"\t"']
  const numbers = ['-0', '1.0', '1.50', '1e3', '1E-7', '0.0000001', '1234567890123456', '01', '+1', '-0.0']
  for (const value of [...escapes, ...numbers, '[]', '{"x":1}', ' 1'])
    it(`R-33 ${JSON.stringify(value)} is left to the parser`, () =>
      assert.doesNotMatch(object(value), pattern))

  it('R-33 members that are missing, more, or in another order are left to the parser', () => {
    for (const text of ['{"a":1}', '{"b_2":1,"a":1}', '{"a":1,"b_2":1,"c":1}', '{"a":1, "b_2":1}', '{}'])
      assert.doesNotMatch(text, pattern)
    assert.doesNotMatch(`${object('1')}\n`, pattern)
  })
})
