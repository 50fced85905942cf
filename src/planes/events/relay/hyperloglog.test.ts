import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import * as nip45 from 'nostr-tools/nip45'
import { HyperLogLog, hllOffset } from './hyperloglog.ts'

const key = (name: string | number) => hash('sha256', `key ${name}`)

describe('HyperLogLog (NIP-45)', () => {
  it('takes the offset from the first value of the only tag', () => {
    const id = `${'0'.repeat(32)}a${'0'.repeat(31)}`
    assert.equal(hllOffset({ '#e': [id, key(1)], kinds: [7] }), 8 + 10)
    assert.equal(hllOffset({ '#a': [`30023:${id}:some:thing`] }), 8 + 10)
    // echo -n nostr | sha256sum: character 32 is 4
    assert.equal(hllOffset({ '#t': ['nostr'] }), 8 + Number.parseInt(hash('sha256', 'nostr').charAt(32), 16))
  })

  it('gives none for filters by no tag, by two tags, or by no value', () => {
    for (const filter of [{}, { kinds: [1] }, { '#e': [key(1)], '#p': [key(2)] }, { '#e': [] }])
      assert.equal(hllOffset(filter), undefined)
  })

  it('E-152 equals another implementation for any set of keys', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(), { maxLength: 300 }),
        fc.integer({ min: 8, max: 23 }),
        (names, offset) => {
          const hll = new HyperLogLog(offset)
          let other = new Uint8Array(256)
          for (const name of names) {
            hll.add(key(name))
            other = nip45.feedPubkey(other, key(name), offset) as typeof other
          }
          assert.equal(hll.toHex(), nip45.hllEncode(other))
        },
      ),
      { numRuns: 30 },
    )
  })

  it('counts zeros over byte borders, to the end of the key', () => {
    const hll = new HyperLogLog(8)
    hll.add(`${'0'.repeat(16)}05${'00'}1f${'f'.repeat(42)}`)
    assert.equal(Buffer.from(hll.toHex(), 'hex')[5], 8 + 3 + 1)
  })
})
