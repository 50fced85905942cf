import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { defaultLimits } from '../limits.ts'
import { parseClientFrame } from './frame.ts'

const parse = (text: string) => parseClientFrame(text, defaultLimits)

describe('client frames', () => {
  it('keeps the text of an event byte for byte', () => {
    const raw = '{ "id" : "x",\n "content":"]\\u0041 ä" }'
    assert.deepEqual(parse(`[ "EVENT" ,${raw} ]\n`), { verb: 'EVENT', raw })
    assert.deepEqual(parse(`["AUTH",${raw}]`), { verb: 'AUTH', raw })
  })

  it('reads the other frames of NIP-01, 45 and 77', () => {
    assert.deepEqual(parse('["REQ","a",{"kinds":[1]},{}]'), {
      verb: 'REQ',
      id: 'a',
      filters: [{ kinds: [1] }, {}],
    })
    assert.deepEqual(parse('["COUNT","a",{}]'), { verb: 'COUNT', id: 'a', filters: [{}] })
    assert.deepEqual(parse('["CLOSE","a"]'), { verb: 'CLOSE', id: 'a' })
    assert.deepEqual(parse('["NEG-CLOSE","a"]'), { verb: 'NEG-CLOSE', id: 'a' })
    assert.deepEqual(parse('["NEG-MSG","a","61Ff"]'), {
      verb: 'NEG-MSG',
      id: 'a',
      message: Buffer.from([0x61, 0xff]),
    })
  })

  it('takes the filter of NEG-OPEN also as a list of one, as a widespread client sends it', () => {
    const open = { verb: 'NEG-OPEN', id: 'a', filter: { kinds: [1] }, message: Buffer.from([0x61]) }
    assert.deepEqual(parse('["NEG-OPEN","a",{"kinds":[1]},"61"]'), open)
    assert.deepEqual(parse('["NEG-OPEN","a",[{"kinds":[1]}],"61"]'), open)
  })

  const refused: readonly [string, string, RegExp][] = [
    ['text that is not JSON', 'hello', /^\["NOTICE","invalid: /],
    ['nothing', '', /^\["NOTICE","invalid: /],
    ['an object', '{}', /^\["NOTICE","invalid: /],
    ['an empty array', '[]', /^\["NOTICE","invalid: /],
    ['an unknown verb', '["HELLO","a"]', /^\["NOTICE","invalid: /],
    ['a verb that every object has', '["constructor","a"]', /^\["NOTICE","invalid: /],
    ['a REQ without id', '["REQ",{}]', /^\["NOTICE","invalid: .*REQ/],
    ['an empty id', '["REQ","",{}]', /^\["NOTICE","invalid: .*REQ/],
    ['an id of 65 characters', `["REQ","${'x'.repeat(65)}",{}]`, /^\["NOTICE","invalid: .*REQ/],
    ['a REQ without filter', '["REQ","a"]', /^\["CLOSED","a","invalid: /],
    ['NEG-OPEN without message', '["NEG-OPEN","a",{}]', /^\["NEG-ERR","a","invalid: /],
    ['NEG-OPEN with half a byte', '["NEG-OPEN","a",{},"616"]', /^\["NEG-ERR","a","invalid: /],
    ['NEG-MSG that is not hex', '["NEG-MSG","a","6g"]', /^\["NEG-ERR","a","invalid: /],
    ['an EVENT that never ends', '["EVENT",{}', /^\["NOTICE","invalid: /],
  ]
  for (const [name, text, answer] of refused)
    it(`answers ${name}`, () => {
      const frame = parse(text)
      assert.equal(frame.verb, 'bad')
      assert.match('answer' in frame ? frame.answer : '', answer)
    })

  it('gives nothing to JSON.parse that is nested too deeply', () => {
    for (const text of ['['.repeat(1_000_000), `["REQ","a",${'['.repeat(16)}${']'.repeat(16)}]`]) {
      const frame = parse(text)
      assert.match('answer' in frame ? frame.answer : '', /^\["NOTICE","invalid: .*nested/)
    }
    assert.equal(parse(`["REQ","a",${'['.repeat(15)}${']'.repeat(15)}]`).verb, 'REQ')
  })

  it('is total: any text leads to a frame or to one answer that is JSON', () => {
    const pieces = fc.constantFrom(
      '["',
      '"',
      ',',
      '[',
      ']',
      '{',
      '}',
      'REQ',
      'NEG-OPEN',
      'EVENT',
      'x',
      '61',
      '\\u',
      ' ',
    )
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.array(pieces).map((list) => list.join('')),
        ),
        (text) => {
          const frame = parse(text)
          if (frame.verb === 'bad') assert.ok(Array.isArray(JSON.parse(frame.answer)))
        },
      ),
      { numRuns: 300 },
    )
  })
})
