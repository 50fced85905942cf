import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseRelayFrame, reasonPrefix } from './relay-frame.ts'

test('frames of NIP-01, 42, 45, 67 and 77 are understood, with what they may carry beyond', () => {
  assert.deepEqual(parseRelayFrame('["EOSE","s1",["finish"]]'), ['EOSE', 's1', ['finish']])
  assert.deepEqual(parseRelayFrame('["OK","id",true]'), ['OK', 'id', true, ''])
  assert.deepEqual(parseRelayFrame('["CLOSED","s1"]'), ['CLOSED', 's1', ''])
  assert.deepEqual(parseRelayFrame('["NEG-ERR","n","blocked: too big",500]'), [
    'NEG-ERR',
    'n',
    'blocked: too big',
    500,
  ])
  assert.deepEqual(parseRelayFrame('["COUNT","c",{"count":3,"approximate":true}]'), [
    'COUNT',
    'c',
    { count: 3 },
  ])
})

test('E-55 whatever a relay sends is a frame or undefined, never an exception', () => {
  const odd = [
    '',
    '{}',
    '[]',
    '[1]',
    '["OK"]',
    '["toString"]',
    '["COUNT","c",{"count":-1}]',
    '["COUNT","c",{"count":1e400}]',
  ]
  for (const text of odd) assert.equal(parseRelayFrame(text), undefined, text)
  fc.assert(fc.property(fc.json(), (text) => void parseRelayFrame(text)))
  fc.assert(fc.property(fc.string(), (text) => void parseRelayFrame(text)))
})

test('E-47 only what stands before the first colon is the prefix, not any word in the text', () => {
  assert.equal(reasonPrefix('auth-required: we only serve friends'), 'auth-required')
  assert.equal(reasonPrefix('invalid: too many authors'), 'invalid')
  assert.equal(reasonPrefix('too many authors'), '')
  assert.equal(reasonPrefix('Sorry: no'), '')
})
