import assert from 'node:assert/strict'
import { test } from 'node:test'
import { peerUrl, relayOfWebUrl, serviceOf } from './peer-url.ts'

test('P-12 all spellings of one relay are one relay', () => {
  for (const text of [
    'wss://h.com',
    'wss://h.com/',
    'WSS://H.com:443',
    'wss://h.com.',
    'h.com',
    ' wss://h.com/ ',
  ])
    assert.equal(peerUrl(text), 'wss://h.com/')
  assert.equal(peerUrl('ws://h.com:80/nostr?x=1'), 'ws://h.com/nostr?x=1')
  assert.notEqual(peerUrl('wss://h.com/a'), peerUrl('wss://h.com/a/'))
})

test('what cannot be a relay is none', () => {
  const none = [
    'https://h.com',
    'git://h.com/x',
    'wss://u:p@h.com',
    'wss://h.com/#a',
    'wss://',
    '',
    'wss://h com',
  ]
  for (const text of [...none, `wss://h.com/${'x'.repeat(512)}`]) assert.equal(peerUrl(text), undefined, text)
})

test('P-13 hosts that are no public name are left out, unless asked for', () => {
  const hosts = [
    '127.0.0.1:7777',
    '10.1.2.3',
    '[::1]:8080',
    'localhost',
    'intranet',
    'x.onion',
    'a.local',
    '2130706433',
  ]
  for (const host of hosts) {
    assert.equal(peerUrl(`ws://${host}`), undefined, host)
    assert.notEqual(peerUrl(`ws://${host}`, true), undefined, host)
  }
})

test('P-4 P-5 a web address stands for the relay at its place, other schemes for none', () => {
  assert.equal(relayOfWebUrl('https://git.h.com/npub1/x.git'), 'wss://git.h.com')
  assert.equal(relayOfWebUrl('http://git.h.com:8080/npub1/x.git'), 'ws://git.h.com:8080')
  assert.equal(relayOfWebUrl('https://git.h.com:443/x'), 'wss://git.h.com')
  for (const text of ['git://h.com/x', 'ssh://git@h.com/x', 'ftp://h.com/x', 'git@h.com:x.git', 'x'])
    assert.equal(relayOfWebUrl(text), undefined, text)
})

test('P-11 two services are one when host and port are, not when one name is part of another', () => {
  assert.equal(serviceOf('https://git.h.com/x'), serviceOf('wss://GIT.h.com'))
  assert.equal(serviceOf('ws://h.com:7777'), serviceOf('http://h.com:7777/a'))
  assert.notEqual(serviceOf('wss://h.com'), serviceOf('wss://h.com.evil.org'))
  assert.notEqual(serviceOf('wss://h.com'), serviceOf('wss://my-h.com'))
  assert.equal(serviceOf('not a url'), undefined)
})
