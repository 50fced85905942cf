import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { formatAddress } from '../../planes/documents/index.ts'
import { isLocal, publicAddresses } from './public-addresses.ts'

const own = (address: string, internal: boolean, family: 'IPv4' | 'IPv6' = 'IPv4') =>
  ({ address, internal, family, netmask: '', mac: '', cidr: null, scopeid: 0 }) as const

const interfaces = {
  lo: [own('127.0.0.1', true), own('::1', true, 'IPv6')],
  eth0: [own('192.0.2.7', false), own('fe80::1', false, 'IPv6')],
}

const told = (url: string, publicUrls: readonly string[] = [], found = interfaces as object) =>
  publicAddresses(url, publicUrls, found as typeof interfaces).map(formatAddress)

describe('addresses of the public listener for documents', () => {
  it('are those it is said to have, by host and port', () => {
    const said = ['wss://node.example.org', 'ws://node.example.org:8080/', 'wss://node.example.org/with/path']
    assert.deepEqual(told('ws://127.0.0.1:7777', said), [
      'https:node.example.org:443',
      'http:node.example.org:8080',
    ])
    assert.deepEqual(told('ws://127.0.0.1:7777', ['wss://node.example.org/path']), ['http:127.0.0.1:7777'])
  })

  it('are else what it is bound to, and where that is everything, those of the machine', () => {
    assert.deepEqual(told('ws://[::1]:7777'), ['http:[::1]:7777'])
    assert.deepEqual(told('ws://192.0.2.9:80'), ['http:192.0.2.9:80'])
    assert.deepEqual(told('ws://0.0.0.0:7777'), ['http:192.0.2.7:7777'])
    assert.deepEqual(told('ws://[::]:7777', [], { lo: interfaces.lo }), ['http:127.0.0.1:7777'])
  })

  it('are known for being of this machine only', () => {
    const local = (type: string, address: string) => isLocal({ type, address })
    assert.ok(local('http', '127.0.0.1:7777') && local('http', '[::1]:1') && local('https', 'localhost:443'))
    assert.ok(
      !local('http', '192.0.2.7:7777') &&
        !local('iroh', 'endpointx') &&
        !local('http', '127.0.0.1.example:1'),
    )
  })
})
