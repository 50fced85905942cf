import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, it } from 'node:test'
import { silentLogger } from '../../kernel/logger.ts'
import type { MessageHandler } from '../../planes/documents/index.ts'
import { clientAddressOf } from '../../transports/client-address.ts'
import { PublicDoor } from './public-door.ts'

/** A listener of somebody else, with the door in it. */
async function listener(handler: MessageHandler) {
  const door = new PublicDoor(silentLogger, clientAddressOf([]))
  const server = createServer((request, response) => {
    if (!door.handle(request, response)) response.writeHead(404).end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  door.tellAddresses([{ type: 'http', address: `127.0.0.1:${port}` }])
  const { transport } = await door.transport().build(undefined)
  return {
    open: () => transport.listen!(handler),
    ask: (path = '/api/v0', method = 'POST') => {
      const body = method === 'POST' ? Buffer.from('hello') : null
      return fetch(`http://127.0.0.1:${port}${path}`, { method, body })
    },
    send: () => transport.send(`127.0.0.1:${port}`, Buffer.from('hello'), AbortSignal.timeout(10_000)),
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
      await transport[Symbol.asyncDispose]()
    },
  }
}

const echo: MessageHandler = async (message) => message

describe('the door of documents in the public listener', () => {
  it('answers at its path while it is open, and leaves all others to the listener', async () => {
    await using world = await listener(echo)
    assert.equal((await world.ask()).status, 503)
    const listening = await world.open()
    assert.equal(listening.addresses.length, 1)
    assert.equal(Buffer.from(await world.send()).toString(), 'hello')
    assert.equal((await world.ask('/api/v0?x=1')).status, 200)
    assert.equal((await world.ask('/api/v0', 'GET')).status, 405)
    for (const path of ['/api/v01', '/api/v0/x', '/', '/sync'])
      assert.equal((await world.ask(path)).status, 404)
    await listening[Symbol.asyncDispose]()
    assert.equal((await world.ask()).status, 503)
    await assert.rejects(world.send(), { code: 'document/unreachable' })
  })

  it('K7 takes a bounded number of requests at a time, of one address fewer, and goes on once they are answered', async () => {
    const waiting: (() => void)[] = []
    await using world = await listener(async (message) => {
      await new Promise<void>((resolve) => waiting.push(resolve))
      return message
    })
    await using _ = await world.open()
    const under = Array.from({ length: 16 }, () => world.ask())
    while (waiting.length < 16) await new Promise((resolve) => setImmediate(resolve))
    assert.equal((await world.ask()).status, 503)
    for (const answer of waiting.splice(0)) answer()
    assert.deepEqual(new Set((await Promise.all(under)).map(({ status }) => status)), new Set([200]))
    const later = world.ask()
    while (waiting.length === 0) await new Promise((resolve) => setImmediate(resolve))
    waiting[0]!()
    assert.equal((await later).status, 200)
  })
})
