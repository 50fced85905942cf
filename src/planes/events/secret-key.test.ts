import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nip19 } from 'nostr-tools'
import { parseSecretKey } from './secret-key.ts'
import { generateSecretKey } from './signer.ts'

test('a secret key is read as hex and as nsec, whatever its case', () => {
  for (let i = 0; i < 50; i++) {
    const key = generateSecretKey()
    const nsec = nip19.nsecEncode(Buffer.from(key, 'hex'))
    assert.equal(parseSecretKey(key.toUpperCase()), key)
    assert.equal(parseSecretKey(` ${nsec}\n`), key)
    assert.equal(parseSecretKey(nsec.slice(0, -1) + (nsec.endsWith('q') ? 'p' : 'q')), undefined, 'checksum')
  }
})

test('what is no secret key reads as none', () => {
  const npub = nip19.npubEncode('79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798')
  for (const text of ['', 'nsec1', npub, '00', 'z'.repeat(64), `nsec1${'q'.repeat(58)}`])
    assert.equal(parseSecretKey(text), undefined, text)
})
