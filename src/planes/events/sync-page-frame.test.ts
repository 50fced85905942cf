import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { syncPageCodec as codec, syncPageInfoSchema } from './sync-page-frame.ts'

const id = 'ab'.repeat(32)

describe('SYNC-PAGE frames', () => {
  it('a request comes out as it went in, and what is left out has its default', () => {
    const request = { filter: { kinds: [1] }, limit: 7, order: 'desc', after: [5, id], until: null } as const
    const [verb, name, ...rest] = JSON.parse(codec.encodeRequest('a', request)) as unknown[]
    assert.deepEqual([verb, name], ['SYNC-PAGE', 'a'])
    assert.deepEqual(codec.decodeRequest(rest), request)
    const defaults = { filter: {}, limit: 500, order: 'asc', after: null, until: null }
    assert.deepEqual(codec.decodeRequest([{}]), defaults)
    assert.deepEqual(codec.decodeRequest([{}, {}]), defaults)
  })

  const malformed: readonly [string, readonly unknown[]][] = [
    ['no filter', []],
    ['a fifth element', [{}, {}, 1]],
    ['an unknown option', [{}, { offset: 1 }]],
    ['a limit of 0', [{}, { limit: 0 }]],
    ['a limit that is no number', [{}, { limit: '5' }]],
    ['an unknown order', [{}, { order: 'seq' }]],
    ['a cursor of one', [{}, { after: [1] }]],
    ['a cursor with a negative time', [{}, { after: [-1, id] }]],
    ['a cursor with an id in upper case', [{}, { until: [1, id.toUpperCase()] }]],
    ['options that are a list', [{}, []]],
    ['options that are null', [{}, null]],
  ]
  for (const [what, rest] of malformed)
    it(`E-92 a request with ${what} is refused in words`, () => {
      assert.equal(typeof codec.decodeRequest(rest), 'string')
    })

  it('a page keeps the texts of its events byte for byte', () => {
    const raws = ['{ "id" : "x", "content":"]\\u0041 ä" }', '{"a":[1,2,{}]}']
    const page = { raws, next: [5, id] as const, complete: false, rawCount: 3 }
    assert.deepEqual(codec.decodeAnswer(codec.encodePage('q"', page)), { kind: 'page', id: 'q"', page })
    const empty = { raws: [], next: null, complete: true, rawCount: 0 }
    assert.deepEqual(codec.decodeAnswer(codec.encodePage('a', empty)), { kind: 'page', id: 'a', page: empty })
    const error = { kind: 'error', id: 'a', reason: 'restricted: not you' }
    assert.deepEqual(codec.decodeAnswer(codec.encodeError('a', error.reason)), error)
  })

  it('an advertisement of another version is none', () => {
    const info = { version: 1, max_limit: 500, max_bytes: 1_000_000 }
    assert.equal(syncPageInfoSchema.safeParse(info).success, true)
    assert.equal(syncPageInfoSchema.safeParse({ ...info, version: 2 }).success, false)
  })

  it('whatever a relay sends is an answer or undefined, never an exception', () => {
    const broken = [
      '["SYNC-PAGE","a",{"events":[],"next":null,"complete":true}]',
      '["SYNC-PAGE","a",{"events":{},"next":null,"complete":true,"raw_count":0}]',
      '["SYNC-PAGE","a",{"events":[],"next":[1],"complete":true,"raw_count":0}]',
      '["SYNC-PAGE","a",{"events":[],"next":null,"complete":true,"raw_count":-1}]',
      '["SYNC-PAGE",5,{"events":[],"next":null,"complete":true,"raw_count":0}]',
      '["SYNC-PAGE","a",{"events":[',
      '["SYNC-PAGE"]',
      '["SYNC-PAGE-ERR","a",5]',
      '["SYNC-PAGES","a",{}]',
      `["SYNC-PAGE","a",${'['.repeat(100_000)}`,
    ]
    for (const text of broken) assert.equal(codec.decodeAnswer(text), undefined, text.slice(0, 80))
    const piece = fc.constantFrom('["SYNC-PAGE"', '"', ',', '[', ']', '{', '}', '"events":', '1', 'null', ' ')
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        codec.decodeAnswer(pieces.join(''))
      }),
    )
  })
})
