import assert from 'node:assert/strict'
import type { LookupAddress } from 'node:dns'
import { once } from 'node:events'
import { type AddressInfo, createServer, isIPv6 } from 'node:net'
import { test } from 'node:test'
import { readDocument } from './document.ts'
import { isPublicAddress, publicLookup } from './public-address.ts'
import { createWsTransport } from './ws.ts'

const { signal } = new AbortController()

const elsewhere = [
  '127.0.0.1',
  '127.8.9.10',
  '10.0.0.1',
  '172.16.5.4',
  '192.168.1.1',
  '169.254.169.254',
  '100.64.0.1',
  '0.0.0.0',
  '224.0.0.1',
  '255.255.255.255',
  '192.0.2.1',
  '198.18.0.1',
  '240.0.0.1',
  '::',
  '::1',
  'fe80::1',
  'fe80::1%eth0',
  'fd00::1',
  'ff02::1',
  '::ffff:127.0.0.1',
  '::ffff:10.1.2.3',
  '64:ff9b::a00:1',
  '2002:7f00:1::',
  '2001:db8::1',
  'not an address',
]

for (const address of elsewhere)
  test(`${address} is not of the public internet`, () => assert.equal(isPublicAddress(address), false))

for (const address of ['1.1.1.1', '8.8.4.4', '2606:4700:4700::1111', '::ffff:1.1.1.1', '[2606:4700::1]'])
  test(`${address} is of the public internet`, () => assert.equal(isPublicAddress(address), true))

test('of the addresses of a name only the public ones are ever connected to', async () => {
  const names: Record<string, string[]> = {
    mixed: ['10.0.0.1', '1.1.1.1', '::1', '2606:4700::1'],
    inside: ['10.0.0.1', '::1'],
  }
  const look = publicLookup((name, _options, done) => {
    const addresses = names[name]?.map((address) => ({ address, family: isIPv6(address) ? 6 : 4 }))
    if (addresses === undefined) done(Object.assign(new Error('unknown'), { code: 'ENOTFOUND' }), [])
    else done(null, addresses)
  })
  const ask = (name: string, all: boolean) =>
    new Promise<string | LookupAddress[]>((resolve, reject) =>
      look(name, { all }, (error, address) => (error ? reject(error) : resolve(address))),
    )
  assert.deepEqual(await ask('mixed', true), [
    { address: '1.1.1.1', family: 4 },
    { address: '2606:4700::1', family: 6 },
  ])
  assert.equal(await ask('mixed', false), '1.1.1.1')
  await assert.rejects(ask('inside', true), { code: 'peer/rejected' })
  await assert.rejects(ask('unknown', true), { code: 'ENOTFOUND' })
})

test('a relay that data named is not connected to in our own network, by address or by name, over any way', async () => {
  let connections = 0
  const server = createServer((socket) => {
    connections++
    socket.destroy()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await using transport = createWsTransport()
  try {
    for (const host of ['127.0.0.1', 'localhost', '[::1]', '2130706433', '0x7f.1'])
      for (const scheme of ['ws', 'wss']) {
        const address = { transport: 'ws', value: `${scheme}://${host}:${port}/`, publicOnly: true }
        await assert.rejects(transport.dial(address, { protocol: 'nostr', signal }), {
          code: 'peer/rejected',
          message: /public internet/,
        })
        const document = readDocument(address, { accept: 'application/json', maxBytes: 10, signal })
        await assert.rejects(document, { code: 'peer/rejected', message: /public internet/ })
      }
    assert.equal(connections, 0)
    const given = { transport: 'ws', value: `ws://127.0.0.1:${port}/` }
    await assert.rejects(transport.dial(given, { protocol: 'nostr', signal }), { code: 'peer/unreachable' })
    assert.equal(connections, 1, 'what an operator names is connected to')
  } finally {
    server.close()
  }
})
