import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { getEventHash } from 'nostr-tools/pure'
import { realEvents } from '../../../test/helpers/real-events.ts'
import type { NostrEvent } from './event.ts'
import { EventError } from './event-error.ts'
import { eventId, serializeEvent } from './event-id.ts'
import { assertEventId, parseEvent, parseEventShape, peekId } from './event-parser.ts'
import { defaultLimits } from './limits.ts'

const pubkey = '79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798'
const base = { pubkey, created_at: 1_700_000_000, kind: 1, tags: [], content: 'hi' }

/** An event with a right id; its signature is of no interest here. */
function make(fields: Partial<NostrEvent> = {}): NostrEvent {
  const unsigned = { ...base, ...fields }
  return { id: eventId(unsigned), sig: 'ab'.repeat(64), ...unsigned }
}

/** The JSON text of an event with some members replaced by exactly this text; undefined leaves one out. */
function rawWith(members: Readonly<Record<string, string | undefined>>, event = make()): string {
  const texts = Object.entries({ ...event }).map(([key, value]) => [key, JSON.stringify(value)])
  const all = { ...Object.fromEntries(texts), ...members } as Record<string, string | undefined>
  const present = Object.entries(all).filter(([, text]) => text !== undefined)
  return `{${present.map(([key, text]) => `${JSON.stringify(key)}:${text}`).join(',')}}`
}

const parse = (raw: string, limits: Partial<typeof defaultLimits> = {}) =>
  parseEvent(raw, { ...defaultLimits, ...limits })

function refuses(raw: string, code: string, limits: Partial<typeof defaultLimits> = {}): void {
  assert.throws(
    () => parse(raw, limits),
    (error) => error instanceof EventError && error.code === code && error.reason.startsWith('invalid: '),
    `${raw.slice(0, 100)} should be refused with ${code}`,
  )
}

describe('event ids', () => {
  it('E-139 follow the vectors of NIP-01', () => {
    const empty = { pubkey, created_at: 0, kind: 0, tags: [], content: '' }
    assert.equal(eventId(empty), '438633166bd72a6b099ca89b06018a96fc9a175ce81b44a853b1242fcca7ae0b')
    const control = { pubkey, created_at: 1_700_000_000, kind: 1, tags: [], content: '\u0001\u001f' }
    assert.equal(eventId(control), 'aaa5df4e5d69b128bec9eeabd77c437cd2cd1485589e0f5de0f01eadd626bb79')
  })

  it('E-139 equal those of nostr-tools for any event', () => {
    const text = fc.string({ unit: 'binary', maxLength: 20 })
    const event = fc.record(
      {
        pubkey: fc.constant(pubkey),
        created_at: fc.maxSafeNat(),
        kind: fc.integer({ min: 0, max: 65_535 }),
        tags: fc.array(fc.array(text, { minLength: 1, maxLength: 4 }), { maxLength: 4 }),
        content: fc.oneof(text, fc.constant('\n"\\\r\t\b\f/\u007f\u2028\u2029\u0000')),
      },
      { noNullPrototype: true },
    )
    fc.assert(
      fc.property(event, (unsigned) => {
        assert.equal(eventId(unsigned), getEventHash(unsigned))
        const signed = make(unsigned)
        const raw = serializeEvent(signed)
        assert.deepEqual(parse(raw), { event: signed, raw })
      }),
    )
  })
})

describe('real events', () => {
  it('E-138 all 544 parse to what JSON.parse reads, and keep their text byte for byte', () => {
    assert.equal(realEvents.length, 544)
    for (const raw of realEvents) {
      const parsed = parse(raw)
      assert.equal(parsed.raw, raw)
      assert.deepEqual(parsed.event, JSON.parse(raw))
      assert.equal(peekId(raw), parsed.event.id)
    }
  })

  it('E-138 each is refused when its id, author, time, kind, tags or content is another', () => {
    for (const raw of realEvents) {
      const event = JSON.parse(raw) as NostrEvent
      const flipped = (hex: string) => (hex[0] === '0' ? `1${hex.slice(1)}` : `0${hex.slice(1)}`)
      const forgeries: NostrEvent[] = [
        { ...event, id: flipped(event.id) },
        { ...event, pubkey: flipped(event.pubkey) },
        { ...event, created_at: event.created_at + 1 },
        { ...event, kind: event.kind + 1 },
        { ...event, tags: [...event.tags, ['t', 'x']] },
        { ...event, content: `${event.content} ` },
      ]
      for (const forgery of forgeries) refuses(JSON.stringify(forgery), 'event/wrong-id')
    }
  })
})

describe('parseEvent', () => {
  it('says that the id does not match in the words of the specification', () => {
    const wrong = JSON.stringify({ ...make(), id: '0'.repeat(64) })
    assert.throws(() => parse(wrong), { reason: 'invalid: event id does not match' })
  })

  it('I18 numbers must be written as whole numbers in range: nothing JSON.parse would round passes', () => {
    const bad = [
      '1e400',
      '9007199254740993',
      '9007199254740992',
      '1.5',
      '-1',
      '-0',
      '1e3',
      '1E3',
      '"1"',
      '1.0',
    ]
    for (const text of [...bad, 'null', 'true', '[1]', '{}', '99999999999999999999']) {
      refuses(rawWith({ created_at: text }), 'event/bad-number')
      refuses(rawWith({ kind: text }), 'event/bad-number')
    }
    refuses(rawWith({ kind: '65536' }), 'event/bad-number')
    for (const text of ['01', '+1', '.5', '1.', 'NaN', 'Infinity', '0x10', ''])
      refuses(rawWith({ created_at: text }), 'event/not-json')
  })

  it('I18 the whole range of times and kinds passes', () => {
    for (const created_at of [0, 1, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER])
      assert.equal(parse(JSON.stringify(make({ created_at }))).event.created_at, created_at)
    for (const kind of [0, 65_535]) assert.equal(parse(JSON.stringify(make({ kind }))).event.kind, kind)
  })

  it('I18 half a surrogate pair is refused, raw or escaped, in content and tags; whole pairs pass', () => {
    for (const half of ['\ud800', '\udfff', 'a\udc00b', '\udc00\ud800'])
      for (const fields of [{ content: half }, { tags: [['t', half]] }, { tags: [[half]] }]) {
        const event = make(fields)
        refuses(JSON.stringify(event), 'event/bad-string')
        const rawText = `"${half}"`
        const member = 'content' in fields ? { content: rawText } : { tags: `[["t",${rawText}]]` }
        refuses(rawWith(member, event), 'event/bad-string')
      }
    const pair = make({ content: '😀' })
    assert.equal(parse(rawWith({ content: '"\\ud83d\\ude00"' }, pair)).event.content, '😀')
    const text = make({ content: '\\ud800' })
    assert.equal(parse(JSON.stringify(text)).event.content, '\\ud800')
  })

  it('E-138 hex must be lowercase and of its length', () => {
    const { id, sig } = make()
    for (const [name, value] of [
      ['id', id],
      ['pubkey', pubkey],
      ['sig', sig],
    ] as const) {
      const others = [
        value.toUpperCase(),
        value.slice(1),
        `${value}0`,
        `${value.slice(1)}g`,
        '',
        ` ${value.slice(1)}`,
      ]
      for (const other of others) refuses(rawWith({ [name]: JSON.stringify(other) }), 'event/bad-field')
      refuses(rawWith({ [name]: '1' }), 'event/bad-field')
      refuses(rawWith({ [name]: undefined }), 'event/bad-field')
    }
  })

  it('E-138 tags are lists of at least one string', () => {
    const bad = [
      'null',
      '{}',
      '"x"',
      '[[]]',
      '["x"]',
      '[[1]]',
      '[["a",null]]',
      '[["a",["b"]]]',
      '[{"0":"a"}]',
      '[null]',
    ]
    for (const tags of bad) refuses(rawWith({ tags }), 'event/bad-field')
    refuses(rawWith({ tags: undefined }), 'event/bad-field')
    assert.deepEqual(parse(JSON.stringify(make({ tags: [['-'], ['', '']] }))).event.tags, [['-'], ['', '']])
  })

  it('E-138 every field has to be there and of its type', () => {
    for (const name of ['created_at', 'kind', 'content'])
      refuses(rawWith({ [name]: undefined }), 'event/bad-field')
    for (const content of ['null', '1', '[]', '{}']) refuses(rawWith({ content }), 'event/bad-field')
    for (const raw of ['[]', '1', 'null', '"x"', `[${JSON.stringify(make())}]`])
      refuses(raw, 'event/not-an-object')
    for (const raw of [
      '',
      '{',
      '{}}',
      'x',
      `${JSON.stringify(make())}x`,
      rawWith({ content: '"\n"' }),
      '\ufeff{}',
    ])
      refuses(raw, 'event/not-json')
  })

  it('takes no field from the prototype chain', () => {
    const { content: _, ...rest } = make()
    refuses(`{"__proto__":{"content":"hi"},${JSON.stringify(rest).slice(1)}`, 'event/bad-field')
  })

  it('enforces each limit at exactly its value', () => {
    const raw = JSON.stringify(make({ content: 'é' }))
    const bytes = Buffer.byteLength(raw)
    assert.ok(parse(raw, { maxEventBytes: bytes }))
    refuses(raw, 'event/too-large', { maxEventBytes: bytes - 1 })

    const tags = JSON.stringify(make({ tags: [['a'], ['b']] }))
    assert.ok(parse(tags, { maxTags: 2 }))
    refuses(tags, 'event/too-many-tags', { maxTags: 1 })

    const value = JSON.stringify(make({ tags: [['t', '€€']] }))
    assert.ok(parse(value, { maxTagValueBytes: 6 }))
    refuses(value, 'event/too-large', { maxTagValueBytes: 5 })

    const content = JSON.stringify(make({ content: '🫂🫂a' }))
    assert.ok(parse(content, { maxContentLength: 3 }))
    refuses(content, 'event/too-large', { maxContentLength: 2 })
  })

  it('I19 nesting is refused before it is parsed', () => {
    const bomb = '['.repeat(200_000)
    refuses(bomb, 'event/too-deep')
    refuses(`{"tags":${bomb}`, 'event/too-deep')
    refuses(rawWith({ extra: '['.repeat(16) + ']'.repeat(16) }), 'event/too-deep')
  })

  it('writes an event anew when it has more than its seven fields, and drops the others', () => {
    const event = make({ content: 'é\u2028"' })
    for (const raw of [
      rawWith({ extra: '{"id":[1]}' }, event),
      rawWith({ __proto__: undefined, x: '1' }, event),
    ]) {
      const parsed = parse(raw)
      assert.deepEqual(parsed, { event, raw: serializeEvent(event) })
    }
  })

  it('a repeated field counts as JSON.parse counts it, and is written once', () => {
    const event = make()
    const twice = `{"kind":1.5,"content":"other",${JSON.stringify(event).slice(1)}`
    assert.deepEqual(parse(twice), { event, raw: serializeEvent(event) })
    const escaped = `{"k\\u0069nd":7,${JSON.stringify(event).slice(1)}`
    assert.deepEqual(parse(escaped), { event, raw: serializeEvent(event) })
    const worse = `${JSON.stringify(event).slice(0, -1)},"k\\u0069nd":1e0}`
    refuses(worse, 'event/bad-number')
  })

  it('keeps blanks and the order of fields, but makes every text one line', () => {
    const { content, ...rest } = make()
    const spaced = `{ "content" : ${JSON.stringify(content)} ,\t${JSON.stringify(rest).slice(1)}`
    assert.equal(parse(`  ${spaced}\n`).raw, serializeEvent(make()))
    assert.equal(parse(`  ${spaced} `).raw, spaced)
    const pretty = JSON.stringify(make(), null, 2)
    assert.equal(parse(pretty).raw, serializeEvent(make()))
  })

  it('E-138 damaged text is either refused or still an event with a right id', () => {
    const corpus = realEvents.filter((raw) => raw.length < 2_000).slice(0, 50)
    const damage = fc.record({
      raw: fc.constantFrom(...corpus),
      at: fc.nat(2_000),
      remove: fc.nat(3),
      insert: fc.string({
        unit: fc.constantFrom('"', '\\', '{', '}', '[', ']', ',', ':', '0', 'e', ' '),
        maxLength: 3,
      }),
    })
    fc.assert(
      fc.property(damage, ({ raw, at, remove, insert }) => {
        const damaged = raw.slice(0, at % raw.length) + insert + raw.slice((at % raw.length) + remove)
        try {
          const { event, raw: kept } = parse(damaged)
          assert.equal(eventId(event), event.id)
          assert.deepEqual(JSON.parse(kept), event)
        } catch (error) {
          assert.ok(error instanceof EventError, String(error))
        }
      }),
      { numRuns: 500 },
    )
  })
})

describe('in two steps', () => {
  it('the shape is known before the id is checked', () => {
    const wrong = { ...make(), id: 'f'.repeat(64) }
    const parsed = parseEventShape(JSON.stringify(wrong), defaultLimits)
    assert.deepEqual(parsed.event, wrong)
    assert.throws(() => assertEventId(parsed.event), { code: 'event/wrong-id' })
  })
})

describe('peekId', () => {
  const event = make({ content: `{"id":"${'0'.repeat(64)}"}`, tags: [['x', '"id":"', 'id']] })

  it('finds the id wherever it stands, and no other', () => {
    const { id, content, ...rest } = event
    assert.equal(peekId(JSON.stringify(event)), id)
    assert.equal(peekId(JSON.stringify({ content, ...rest, id })), id)
    assert.equal(peekId(JSON.stringify({ content, ...rest, id }, null, 1)), id)
    assert.equal(peekId(JSON.stringify({ x: { id: '1'.repeat(64) }, y: ['id'], ...rest, content, id })), id)
  })

  it('finds none where there is none', () => {
    const { id: _, ...rest } = event
    const texts = [
      JSON.stringify(rest),
      '',
      '{}',
      '[]',
      '"id"',
      '{"id":"',
      '{"id":1}',
      '{"id":"xyz"}',
      '['.repeat(1e6),
    ]
    for (const text of texts) assert.equal(peekId(text), undefined)
    assert.equal(peekId(JSON.stringify({ ...rest, id: event.id.toUpperCase() })), undefined)
    assert.equal(peekId(`{"id":"${event.id}0"}`), undefined)
  })
})
