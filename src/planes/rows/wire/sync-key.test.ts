import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { base64ToBytes, bytesToBase64, isBase64 } from './base64.ts'
import { bytesToHex, hexToBytes } from './hex.ts'
import { bytesToKey, keyToBytes, rowIdentity } from './sync-key.ts'

const hex = (bytes: Uint8Array | undefined) => (bytes === undefined ? undefined : bytesToHex(bytes))

describe('sync keys', () => {
  it('R-34 example D: the bytes of keys, and what tells rows apart', () => {
    const uuid = keyToBytes('uuid', '11111111-2222-3333-4444-555555555555')!
    assert.equal(hex(uuid), '11111111222233334444555555555555')
    assert.equal(hex(keyToBytes('text', 'doc-42')), '646f632d3432')
    assert.equal(hex(keyToBytes('text', 'é😀')), 'c3a9f09f9880')
    assert.equal(hex(rowIdentity(uuid, 8)), '1111111122223333444455555555555500000008')
    assert.equal(hex(rowIdentity(keyToBytes('text', 'doc-42')!, 3)), '646f632d343200000003')
  })

  it('R-32 a uuid key has one form only', () => {
    for (const text of [
      '11111111222233334444555555555555',
      '11111111-2222-3333-4444-55555555555A',
      '{11111111-2222-3333-4444-555555555555}',
      ' 11111111-2222-3333-4444-555555555555',
      '11111111-2222-3333-4444-55555555555',
      '',
    ])
      assert.equal(keyToBytes('uuid', text), undefined, text)
  })

  it('a text key is used as it is, unless no PostgreSQL text could hold it', () => {
    for (const text of ['', ' a ', 'Ä', 'a'.repeat(3000)])
      assert.equal(bytesToKey('text', keyToBytes('text', text)!), text)
    assert.equal(keyToBytes('text', 'a\0b'), undefined)
    assert.equal(keyToBytes('text', '\ud800'), undefined)
    assert.equal(bytesToKey('text', Uint8Array.of(0xff)), undefined)
    assert.equal(bytesToKey('uuid', Uint8Array.of(1)), undefined)
  })

  it('keys survive the way to bytes and back', () => {
    fc.assert(fc.property(fc.uuid(), (text) => bytesToKey('uuid', keyToBytes('uuid', text)!) === text))
  })
})

describe('byte strings on the wire', () => {
  it('R-33 the examples of §2.14.5', () => {
    assert.equal(hex(base64ToBytes('ABEi/w==')), '001122ff')
    assert.equal(hex(base64ToBytes('ABEiM0RVZneImaq7zN3u/w==')), '00112233445566778899aabbccddeeff')
    assert.equal(hex(base64ToBytes('')), '')
  })

  it('R-33 any bytes survive, however many', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 20_000, size: 'max' }), (bytes) => {
        const text = bytesToBase64(bytes)
        assert.equal(text, Buffer.from(bytes).toString('base64'))
        assert.deepEqual(base64ToBytes(text), bytes)
        assert.deepEqual(hexToBytes(bytesToHex(bytes)), bytes)
      }),
      { numRuns: 50 },
    )
  })

  it('R-32 what is not standard padded base64 is refused', () => {
    for (const text of ['A', 'AA', 'AAA', 'AA=', 'AB-_', 'AAAA=', '====', ' AAAA', 'AA==AA=='])
      assert.equal(isBase64(text), false, text)
    for (const text of ['0', '0g', 'zz']) assert.equal(hexToBytes(text), undefined)
  })
})
