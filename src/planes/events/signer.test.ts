import assert from 'node:assert/strict'
import { it } from 'node:test'
import { getPublicKey, verifyEvent } from 'nostr-tools/pure'
import { eventId } from './event-id.ts'
import { createSigner, generateSecretKey } from './signer.ts'

const template = { created_at: 1_700_000_000, kind: 1, tags: [['t', 'x']], content: 'hello\n"🫂"' }

it('signs events that nostr-tools accepts, for the public key it computes too', () => {
  for (let i = 0; i < 10; i++) {
    const secret = generateSecretKey()
    const signer = createSigner(secret)
    assert.equal(signer.pubkey, getPublicKey(Buffer.from(secret, 'hex')))
    const event = signer.sign(template)
    assert.equal(event.id, eventId(event))
    assert.ok(verifyEvent(structuredClone(event) as Parameters<typeof verifyEvent>[0]))
  }
})

it('two signatures of one event differ unless the auxiliary bytes are fixed', () => {
  const secret = generateSecretKey()
  const { sign } = createSigner(secret)
  assert.notEqual(sign(template).sig, sign(template).sig)
  const fixed = () => createSigner(secret, { auxiliary: () => new Uint8Array(32) }).sign(template)
  assert.deepEqual(fixed(), fixed())
})

it('secret keys are fresh each time', () => {
  const keys = new Set(Array.from({ length: 20 }, generateSecretKey))
  assert.equal(keys.size, 20)
  for (const key of keys) assert.match(key, /^[0-9a-f]{64}$/)
})

const order = 'fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141'
for (const secret of [
  '',
  'x',
  '0'.repeat(64),
  order,
  'f'.repeat(64),
  `${'1'.repeat(64)}0`,
  ` ${'1'.repeat(63)}`,
])
  it(`refuses ${JSON.stringify(secret)} as a secret key without repeating it`, () => {
    assert.throws(
      () => createSigner(secret),
      (error) => error instanceof RangeError && (secret === '' || !error.message.includes(` ${secret} `)),
    )
  })
