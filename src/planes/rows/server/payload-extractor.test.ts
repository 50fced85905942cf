import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseJson } from '../wire/json-text.ts'
import type { JsonObject } from '../wire/json-value.ts'
import {
  convertBase64EncodedUuid,
  optionallyConvertBase64EncodedUuid,
  PayloadExtractor,
  PayloadFieldError,
} from './payload-extractor.ts'

const of = (text: string) => new PayloadExtractor(parseJson(`{"x":${text}}`) as JsonObject)
const uuid = '00112233-4455-6677-8899-aabbccddeeff'

describe('payload extractor', () => {
  it('a field is there though it is null, and not if it is inherited', () => {
    assert.equal(of('null').hasField('x'), true)
    assert.equal(of('null').hasField('toString'), false)
    assert.equal(of('null').strField('toString'), undefined)
  })

  it('integers are exact, and nothing else is an integer', () => {
    for (const [text, value] of [
      ['5', 5n],
      ['5.0', 5n],
      ['-9223372036854775808', -(2n ** 63n)],
      ['"9007199254740993"', 9007199254740993n],
      ['"+7"', 7n],
    ] as const)
      assert.equal(of(text).int64Field('x'), value)
    for (const text of ['1.5', '"1.5"', '"12 apples"', '""', 'true', 'null', '9223372036854775808', '1e300'])
      assert.equal(of(text).int64Field('x'), undefined, text)
  })

  it('numbers, booleans and bytes in the spellings of clients', () => {
    assert.equal(of('"1e3"').float64Field('x'), 1000)
    assert.equal(of('9007199254740993').float64Field('x'), 9007199254740992)
    for (const text of ['"x"', '"1x"', '"NaN"', '1e400', 'true'])
      assert.equal(of(text).float64Field('x'), undefined)
    for (const text of ['true', '1', '-2', '"1"', '"TRUE"', '12345678901234567890'])
      assert.equal(of(text).boolField('x'), true)
    for (const text of ['false', '0', '"0"', '"FALSE"']) assert.equal(of(text).boolField('x'), false)
    for (const text of ['"yes"', 'null', '[]']) assert.equal(of(text).boolField('x'), undefined)
    assert.deepEqual(of('"ABEi/w=="').base64Field('x'), Uint8Array.of(0, 0x11, 0x22, 0xff))
    assert.equal(of('"AB"').base64Field('x'), undefined)
  })

  it('uuids in any common spelling become canonical', () => {
    for (const text of [uuid, uuid.toUpperCase(), uuid.replaceAll('-', ''), `{${uuid}}`, `urn:uuid:${uuid}`])
      assert.equal(of(JSON.stringify(text)).uuidField('x'), uuid)
    assert.equal(of('"nonsense"').uuidField('x'), undefined)
  })

  it('what is required and not there is named', () => {
    const empty = of('null')
    for (const read of [
      () => empty.strFieldRequired('x'),
      () => empty.int64FieldRequired('x'),
      () => empty.float64FieldRequired('x'),
      () => empty.boolFieldRequired('x'),
      () => empty.uuidFieldRequired('x'),
      () => empty.base64FieldRequired('x'),
    ])
      assert.throws(read, (error) => error instanceof PayloadFieldError && error.field === 'x')
    assert.equal(of('"a"').strFieldRequired('x'), 'a')
  })

  it('a uuid in base64 is converted', () => {
    assert.equal(convertBase64EncodedUuid('ABEiM0RVZneImaq7zN3u/w=='), uuid)
    assert.throws(() => convertBase64EncodedUuid('ABEi/w=='), TypeError)
    assert.throws(() => convertBase64EncodedUuid(uuid), TypeError)
    assert.equal(optionallyConvertBase64EncodedUuid('ABEiM0RVZneImaq7zN3u/w=='), uuid)
    assert.equal(optionallyConvertBase64EncodedUuid(uuid), uuid)
    assert.throws(() => optionallyConvertBase64EncodedUuid(uuid.replaceAll('-', '')), TypeError)
  })
})
