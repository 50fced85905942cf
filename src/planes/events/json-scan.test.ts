import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { EventError } from './event-error.ts'
import { elementSpans, isShallow, memberSpans, type Span } from './json-scan.ts'

const cut = (text: string, [start, end]: Span): string => text.slice(start, end)
const code = (expected: string) => (error: unknown) => error instanceof EventError && error.code === expected

/** Strings full of what a scanner may trip over. */
const trickyString = fc.string({
  unit: fc.constantFrom(
    '"',
    '\\',
    '[',
    ']',
    '{',
    '}',
    ',',
    ':',
    ' ',
    '\n',
    '\u0001',
    'a',
    'é',
    '🫂',
    '\u2028',
  ),
  maxLength: 12,
})
const json = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    fc.constant(null),
    fc.boolean(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    trickyString,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(trickyString, tie('value'), { maxKeys: 4 }),
  ),
})).value
const space = fc.constantFrom('', ' ', '\n', '\t\r\n ')

describe('elementSpans', () => {
  it('cuts any valid array into what JSON.parse makes of it', () => {
    fc.assert(
      fc.property(
        fc.array(json, { maxLength: 5 }),
        space,
        fc.constantFrom(0, 1, '\t'),
        (array, around, indent) => {
          const text = `${around}${JSON.stringify(array, null, indent)}${around}`
          const elements = elementSpans(text).map((span) => JSON.parse(cut(text, span)))
          assert.deepEqual(elements, JSON.parse(text))
          for (const span of elementSpans(text)) assert.equal(cut(text, span), cut(text, span).trim())
        },
      ),
    )
  })

  it('yields the exact text of the event in a relay frame', () => {
    const event = '{ "content":"]}\\",[{\\\\", "tags" :[["a","b"]] }'
    const text = ` ["EVENT" , "sub:[1]",${event}\n]`
    assert.deepEqual(
      elementSpans(text).map((span) => cut(text, span)),
      ['"EVENT"', '"sub:[1]"', event],
    )
  })

  it('has no element in an empty array', () => {
    assert.deepEqual(elementSpans(' [ \n ] '), [])
  })

  const broken = [
    '',
    '[',
    '[1',
    '[1,]',
    '[,1]',
    '[1,,2]',
    '[1]2',
    '[1}',
    '[{]}',
    '["a]',
    '["a\\"]',
    '{}',
    '[1:2]',
    '1',
    '"[]"',
  ]
  for (const text of broken)
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => elementSpans(text), code('event/not-json'))
    })
})

describe('memberSpans', () => {
  it('cuts any valid object into what JSON.parse makes of it', () => {
    fc.assert(
      fc.property(
        fc.dictionary(trickyString, json, { maxKeys: 5 }),
        space,
        fc.constantFrom(0, 1, '\t'),
        (object, around, indent) => {
          const text = `${around}${JSON.stringify(object, null, indent)}${around}`
          const members = memberSpans(text).map(({ key, value }) => [
            JSON.parse(cut(text, key)),
            JSON.parse(cut(text, value)),
          ])
          assert.deepEqual(Object.fromEntries(members), JSON.parse(text))
        },
      ),
    )
  })

  it('keeps repeated keys, in their order', () => {
    const text = '{"a":1,"b":[2],"a":"3"}'
    const members = memberSpans(text).map(({ key, value }) => [cut(text, key), cut(text, value)])
    assert.deepEqual(members, [
      ['"a"', '1'],
      ['"b"', '[2]'],
      ['"a"', '"3"'],
    ])
  })

  const broken = [
    '{',
    '{}}',
    '{"a"}',
    '{"a":}',
    '{"a":1,}',
    '{,"a":1}',
    '{"a":1:2}',
    '{"a",1}',
    '{a:1}',
    '{"a"b:1}',
    '{"a":[}]',
    '[]',
  ]
  for (const text of broken)
    it(`refuses ${text}`, () => {
      assert.throws(() => memberSpans(text), code('event/not-json'))
    })
})

describe('bounds', () => {
  const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)

  it('I19 depth 16 is the deepest that passes', () => {
    assert.equal(isShallow(nested(16)), true)
    assert.equal(isShallow(nested(17)), false)
    assert.equal(elementSpans(nested(16)).length, 1)
    assert.throws(() => elementSpans(nested(17)), code('event/too-deep'))
    assert.throws(() => memberSpans(`{"a":${nested(16)}}`), code('event/too-deep'))
    assert.equal(memberSpans(`{"a":${nested(15)}}`).length, 1)
  })

  it('I19 a megabyte of opening brackets is refused, whatever it is made of', () => {
    for (const bomb of ['[', '{"a":', '[{"":', '["\\"",[']) {
      const text = bomb.repeat(Math.ceil(1_048_576 / bomb.length))
      assert.equal(isShallow(text), false)
      const scan = bomb.startsWith('{') ? memberSpans : elementSpans
      assert.throws(() => scan(text), code('event/too-deep'))
    }
  })

  it('brackets inside strings do not count', () => {
    assert.equal(isShallow(JSON.stringify('['.repeat(1_000))), true)
    assert.equal(isShallow(JSON.stringify(`\\"${'{'.repeat(1_000)}`)), true)
  })

  it('isShallow agrees with the depth of the parsed value', () => {
    const depthOf = (value: unknown): number =>
      typeof value === 'object' && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depthOf)) : 0
    fc.assert(
      fc.property(json, fc.nat(6), (value, maxDepth) => {
        assert.equal(isShallow(JSON.stringify(value), maxDepth), depthOf(value) <= maxDepth)
      }),
    )
  })

  it('text beyond its length and lists beyond their entries are refused', () => {
    assert.throws(() => elementSpans('[1,2]', { maxDepth: 16, maxLength: 4 }), code('event/too-large'))
    assert.equal(elementSpans('[1,2]', { maxDepth: 16, maxLength: 5 }).length, 2)
    assert.throws(() => elementSpans(`[${'1,'.repeat(100_000)}1]`), code('event/too-large'))
  })

  it('no text makes it throw anything but an EventError', () => {
    const text = fc.string({
      unit: fc.constantFrom('"', '\\', '[', ']', '{', '}', ',', ':', ' ', '1'),
      maxLength: 40,
    })
    fc.assert(
      fc.property(text, (garbage) => {
        for (const scan of [elementSpans, memberSpans, isShallow]) {
          try {
            scan(garbage)
          } catch (error) {
            assert.ok(error instanceof EventError)
          }
        }
      }),
      { numRuns: 500 },
    )
  })
})
