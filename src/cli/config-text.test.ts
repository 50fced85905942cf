import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type ConfigBlock, ConfigTextError, type ConfigValue, parseConfigText } from './config-text.ts'

const toPlain = (value: ConfigValue): unknown => {
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, one]) => [key, toPlain(one)]))
  return Array.isArray(value) ? value.map(toPlain) : value
}

const lineOf = (text: string): number => {
  try {
    parseConfigText(text)
  } catch (error) {
    assert.ok(error instanceof ConfigTextError)
    return error.line
  }
  assert.fail('it was taken')
}

/** Every choice a writer has is made by `pick`, so one value has many texts. */
function write(block: ConfigBlock, pick: () => number): string {
  const gap = () => [' ', '\n', '\t', ' ## note { " \n', '// note ]\n'][pick() % 5]!
  const comma = () => (pick() % 2 === 0 ? ',' : gap())
  const key = (name: string) =>
    /^[A-Za-z0-9_-]+$/.test(name) && pick() % 2 === 0 ? name : JSON.stringify(name)
  const value = (one: ConfigValue): string => {
    if (Array.isArray(one)) return `[${gap()}${one.map((each) => value(each) + gap() + comma()).join('')}]`
    if (one instanceof Map) return `{${gap()}${members(one)}${gap()}}`
    return JSON.stringify(one)
  }
  const members = (map: ConfigBlock): string =>
    [...map]
      .map(([name, one]) => {
        const sign = one instanceof Map && pick() % 3 === 0 ? '' : ['=', ':'][pick() % 2]
        return `${key(name)}${gap()}${sign}${gap()}${value(one)}${gap()}${comma()}`
      })
      .join('')
  return members(block)
}

const { block } = fc.letrec<{ value: ConfigValue; block: ConfigBlock }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.string({ unit: 'grapheme' }),
    fc.integer(),
    fc.double({ noNaN: true, noDefaultInfinity: true }).filter((n) => !Object.is(n, -0)),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 4 }),
    tie('block'),
  ),
  block: fc
    .uniqueArray(fc.tuple(fc.string(), tie('value')), { maxLength: 4, selector: ([key]) => key })
    .map((entries) => new Map(entries)),
}))

describe('configuration text', () => {
  it('is read as it was written, whichever way', () => {
    fc.assert(
      fc.property(block, fc.infiniteStream(fc.nat()), (written, choices) => {
        const text = write(written, () => choices.next().value as number)
        assert.deepEqual(parseConfigText(text), written)
      }),
      { numRuns: 300 },
    )
  })

  it('whatever the text, it is read or refused with a line of it', () => {
    const token = fc.constantFrom(...'{}[]=:,"\'\\#/\n -1e.', 'a', 'true', '"x"', 'key =', '[', '{', '\u2028')
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(token).map((tokens) => tokens.join('')),
    )
    fc.assert(
      fc.property(text, (input) => {
        try {
          parseConfigText(input)
        } catch (error) {
          assert.ok(error instanceof ConfigTextError, String(error))
          assert.ok(error.line >= 1 && error.line <= input.split('\n').length)
        }
      }),
      { numRuns: 2_000 },
    )
  })

  it('names the line of what is wrong', () => {
    assert.equal(lineOf('a = 1\nb = \n\n}'), 4)
    assert.equal(lineOf('a = 1\n\na = 2'), 3)
    assert.equal(lineOf('a {\n  b = 1\n'), 3)
    assert.equal(lineOf('a = [1\n2 = 3]'), 2)
    assert.equal(lineOf('a = bare'), 1)
    assert.equal(lineOf('a = "open\n"'), 1)
    assert.equal(lineOf('a = "\\x"'), 1)
    assert.equal(lineOf(`a = ${'['.repeat(100_000)}`), 1)
    assert.equal(lineOf('#'.repeat(1_048_577)), 1)
  })

  it('keys of objects that JavaScript has itself are ordinary keys', () => {
    const parsed = parseConfigText('__proto__ { constructor = 1 }')
    assert.deepEqual([...parsed.keys()], ['__proto__'])
    assert.deepEqual(toPlain(parsed.get('__proto__') ?? null), { constructor: 1 })
  })
})
