import assert from 'node:assert/strict'
import { test } from 'node:test'
import { normalizeRelayUrl } from './relay-url.ts'

const same: [given: string, normal: string][] = [
  ['wss://Relay.Example.COM', 'wss://relay.example.com/'],
  ['WSS://relay.example.com:443/', 'wss://relay.example.com/'],
  ['ws://relay.example.com:80/inbox?x=1', 'ws://relay.example.com/inbox?x=1'],
  ['ws://127.0.0.1:7777', 'ws://127.0.0.1:7777/'],
  ['wss://bücher.example', 'wss://xn--bcher-kva.example/'],
]
for (const [given, normal] of same) {
  test(`${given} is ${normal}, and normalising again changes nothing`, () => {
    assert.equal(normalizeRelayUrl(given), normal)
    assert.equal(normalizeRelayUrl(normal), normal)
  })
}

for (const bad of [
  '',
  'relay.example.com',
  'http://x',
  'ws://',
  'ws://user:pw@x/',
  'wss://x/#frag',
  'wss://x y/',
]) {
  test(`"${bad}" is refused with a message that says what to write`, () => {
    assert.throws(() => normalizeRelayUrl(bad), { code: 'config/invalid', message: /is no relay URL: / })
  })
}
