import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { NostrEvent } from '../event.ts'
import { type AuthExpectation, authRefusal } from './auth-challenge.ts'

const expected: AuthExpectation = {
  challenge: 'abc',
  relayUrls: ['wss://relay.example.com/'],
  now: 1_000_000,
  maxAge: 600,
}
const auth = (
  parts: Partial<NostrEvent> = {},
  relay = 'wss://relay.example.com',
  challenge = 'abc',
): NostrEvent => ({
  id: '',
  pubkey: '',
  sig: '',
  content: '',
  kind: 22_242,
  created_at: 1_000_000,
  tags: [
    ['relay', relay],
    ['challenge', challenge],
  ],
  ...parts,
})

describe('E-148 AUTH checks', () => {
  it('accepts what answers the challenge for this relay, in any spelling of its address', () => {
    for (const relay of ['wss://relay.example.com', 'wss://RELAY.example.com:443/', 'ws://relay.example.com'])
      assert.equal(authRefusal(auth({}, relay), expected), undefined)
  })

  it('accepts a clock up to 600 s off, and no more', () => {
    for (const off of [-600, 600])
      assert.equal(authRefusal(auth({ created_at: 1_000_000 + off }), expected), undefined)
    for (const off of [-601, 601])
      assert.match(authRefusal(auth({ created_at: 1_000_000 + off }), expected) ?? '', /^invalid: created_at/)
  })

  const refused: readonly [string, NostrEvent, AuthExpectation, RegExp][] = [
    ['another kind', auth({ kind: 1 }), expected, /^invalid: .*kind/],
    ['another challenge', auth({}, undefined, 'xyz'), expected, /^invalid: .*challenge/],
    ['no challenge sent', auth(), { ...expected, challenge: undefined }, /^invalid: .*challenge/],
    ['no tags', auth({ tags: [] }), expected, /^invalid: .*challenge/],
    ['another relay', auth({}, 'wss://other.example.com'), expected, /^invalid: .*relay/],
    ['another port', auth({}, 'wss://relay.example.com:8443'), expected, /^invalid: .*relay/],
    ['a longer host', auth({}, 'wss://relay.example.com.evil.example'), expected, /^invalid: .*relay/],
    ['no relay address', auth({}, 'relay.example.com'), expected, /^invalid: .*relay/],
    ['a relay that knows no address', auth(), { ...expected, relayUrls: [] }, /^invalid: .*relay/],
  ]
  for (const [name, event, expectation, reason] of refused)
    it(`refuses ${name}`, () => assert.match(authRefusal(event, expectation) ?? '', reason))
})
