import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clientAddressOf } from './client-address.ts'

const from = (remoteAddress: string | undefined, forwarded?: string) => ({
  headers: forwarded === undefined ? {} : { 'x-forwarded-for': forwarded },
  socket: { remoteAddress },
})

const proxies = ['127.0.0.1', '10.0.0.0/8', 'fd00::/8']
const cases: readonly [what: string, request: ReturnType<typeof from>, expected: string][] = [
  ['nobody is between', from('203.0.113.9'), '203.0.113.9'],
  ['a client says it was another', from('203.0.113.9', '198.51.100.1'), '203.0.113.9'],
  ['one proxy', from('127.0.0.1', '203.0.113.9'), '203.0.113.9'],
  ['a proxy on a mapped address', from('::ffff:127.0.0.1', '203.0.113.9'), '203.0.113.9'],
  ['two proxies', from('fd00::1', '203.0.113.9, 10.1.2.3'), '203.0.113.9'],
  ['what a client wrote before', from('127.0.0.1', '198.51.100.1, 203.0.113.9'), '203.0.113.9'],
  ['a proxy that names ports', from('127.0.0.1', '203.0.113.9:4711'), '203.0.113.9'],
  ['a proxy that names ports of IPv6', from('127.0.0.1', '[2001:db8::7]:4711'), '2001:db8::7'],
  ['an IPv6 client', from('127.0.0.1', '2001:db8::7'), '2001:db8::7'],
  ['a proxy that says nothing', from('127.0.0.1'), '127.0.0.1'],
  ['a proxy that says no address', from('10.0.0.1', 'unknown'), '10.0.0.1'],
  ['all of them are proxies', from('127.0.0.1', '10.0.0.7, 10.0.0.8'), '10.0.0.7'],
  ['a socket that is gone', from(undefined, '203.0.113.9'), 'unknown'],
]

for (const [what, request, expected] of cases)
  test(`the client of a request: ${what}`, () => {
    assert.equal(clientAddressOf(proxies)(request), expected)
  })

test('without trusted proxies the header says nothing', () => {
  assert.equal(clientAddressOf([])(from('127.0.0.1', '203.0.113.9')), '127.0.0.1')
})
