import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { describe, it } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { asParsed, craft, hexId } from '../../../../test/acceptance/event-arbitrary.ts'
import { FakeClock } from '../../../../test/helpers/fake-clock.ts'
import { newAuthor } from '../../../../test/peers/author.ts'
import { realRelay } from '../../../../test/peers/real-relay.ts'
import { TestClient } from '../../../../test/peers/test-client.ts'

const httpUrl = (url: string) => url.replace('ws:', 'http:')

describe('relay: HTTP', { timeout: 30_000 }, () => {
  it('serves its NIP-11 document to any origin', async () => {
    await using peer = await realRelay()
    const response = await fetch(httpUrl(peer.url), { headers: { Accept: 'application/nostr+json' } })
    assert.equal(response.status, 200)
    assert.equal(response.headers.get('access-control-allow-origin'), '*')
    assert.match(response.headers.get('content-type') ?? '', /^application\/nostr\+json/)
    const { name, self, pubkey, version, supported_nips, negentropy } = (await response.json()) as Record<
      string,
      unknown
    >
    assert.deepEqual(
      { name, self, pubkey, version, negentropy },
      { name: 'test relay', self: 'ab'.repeat(32), pubkey: 'ab'.repeat(32), version: '1.2.3', negentropy: 1 },
    )
    assert.deepEqual(supported_nips, [1, 9, 11, 40, 42, 45, 62, 67, 70, 77])
  })

  it('answers OPTIONS, plain GETs with text, and knows no other path', async () => {
    await using peer = await realRelay()
    const options = await fetch(httpUrl(peer.url), { method: 'OPTIONS' })
    assert.equal(options.status, 204)
    for (const name of ['origin', 'headers', 'methods'])
      assert.ok(options.headers.get(`access-control-allow-${name}`))
    const landing = await fetch(httpUrl(peer.url))
    assert.match(landing.headers.get('content-type') ?? '', /^text\/plain/)
    assert.match(await landing.text(), /test relay/)
    assert.equal((await fetch(`${httpUrl(peer.url)}/other`)).status, 404)
    assert.equal((await fetch(httpUrl(peer.url), { method: 'POST', body: '{}' })).status, 404)
    await assert.rejects(TestClient.connect(`${peer.url}/other`), /404/)
  })

  it('refuses web pages of other origins when origins are listed, and clients without an origin never', async () => {
    await using peer = await realRelay({ allowedOrigins: ['https://app.example'] })
    using app = await TestClient.connect(peer.url, { origin: 'https://app.example' })
    using plain = await TestClient.connect(peer.url)
    for (const client of [app, plain]) assert.equal((await client.ask(['REQ', 'a', {}]))[0], 'EOSE')
    await assert.rejects(TestClient.connect(peer.url, { origin: 'https://evil.example' }), /403/)
  })

  it('bounds connections per address and in all, and takes new ones when others leave', async () => {
    await using peer = await realRelay({ limits: { maxConnectionsPerAddress: 2 } })
    using one = await TestClient.connect(peer.url)
    using two = await TestClient.connect(peer.url)
    await assert.rejects(TestClient.connect(peer.url), /429/)
    two.socket.close()
    await two.closed()
    while (peer.relay.stats().connections > 1) await one.settled()
    using three = await TestClient.connect(peer.url)
    assert.equal((await three.ask(['REQ', 'a', {}]))[0], 'EOSE')
    await using full = await realRelay({ limits: { maxConnections: 1 } })
    using only = await TestClient.connect(full.url)
    await assert.rejects(TestClient.connect(full.url), /503/)
    assert.equal((await only.ask(['REQ', 'a', {}]))[0], 'EOSE')
  })

  it('survives handshakes that break off or make no sense (incident I13)', async () => {
    await using peer = await realRelay()
    const port = Number(new URL(peer.url).port)
    const headers = Array.from({ length: 2_000 }, (_, at) => `x${at}: 1`).join('\r\n')
    const requests = [
      'GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n',
      'GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: short\r\nSec-WebSocket-Version: 13\r\n\r\n',
      `GET / HTTP/1.1\r\nHost: x\r\n${headers}\r\n\r\n`,
      'nonsense\r\n\r\n',
    ]
    for (const request of requests) {
      const socket = connect(port, '127.0.0.1')
      socket.on('error', () => {})
      socket.write(request)
      const [answer] = (await once(socket, 'data')) as [Buffer]
      assert.match(String(answer), /^HTTP\/1\.1 4/)
      socket.destroy()
    }
    using client = await TestClient.connect(peer.url)
    await client.ask(['REQ', 'a', {}])
    assert.equal(peer.relay.stats().connections, 1, 'a failed handshake counts no more')
  })
})

/** A WebSocket client that never answers anything. */
async function muteSocket(url: string): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  socket.on('error', () => {})
  const key = `${'A'.repeat(22)}==`
  socket.write(
    `GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
  )
  const [answer] = (await once(socket, 'data')) as [Buffer]
  assert.match(String(answer), /^HTTP\/1\.1 101/)
  return socket
}

describe('relay: connections', { timeout: 30_000 }, () => {
  it('cuts a peer that does not answer a ping within 10 s, and keeps one that does', async () => {
    const clock = new FakeClock(Date.now())
    await using peer = await realRelay({ clock })
    using client = await TestClient.connect(peer.url)
    const mute = await muteSocket(peer.url)
    await clock.advance(30_000)
    // The pong is on its way before this question is.
    assert.equal((await client.ask(['REQ', 'a', {}]))[0], 'EOSE')
    const closed = once(mute, 'close')
    await clock.advance(11_000)
    await closed
    assert.equal((await client.ask(['REQ', 'a', {}]))[0], 'EOSE')
    assert.equal(peer.relay.stats().connections, 1)
  })

  it('serves inside a server of its host, which keeps the other paths', async () => {
    await using peer = await realRelay()
    const { relay } = peer
    const server = createServer((request, response) => {
      if (!relay.handleRequest(request, response)) response.end('something else')
    })
    server.on('upgrade', (request, stream, head) => {
      if (!relay.handleUpgrade(request, stream, head)) stream.end('HTTP/1.1 418 No\r\n\r\n')
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const { port } = server.address() as AddressInfo
    assert.equal(await (await fetch(`http://127.0.0.1:${port}/other`)).text(), 'something else')
    assert.match(await (await fetch(`http://127.0.0.1:${port}/`)).text(), /test relay/)
    await assert.rejects(TestClient.connect(`ws://127.0.0.1:${port}/other`), /418/)
    using client = await TestClient.connect(`ws://127.0.0.1:${port}`)
    assert.equal((await client.ask(['REQ', 'a', {}]))[0], 'EOSE')
    client.socket.terminate()
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })

  it('compresses when asked to, and still waits for a slow reader', async () => {
    await using peer = await realRelay({ compression: true, limits: { maxPendingBytes: 100_000 } })
    const random = Array.from({ length: 500 }, (_, at) => hexId(at).repeat(300))
    const events = random.map((content, at) => craft({ id: hexId(at), created_at: 1_000 + at, content }))
    await peer.store.put(events.map(asParsed))
    using client = await TestClient.connect(peer.url, { perMessageDeflate: true })
    assert.match(client.socket.extensions, /permessage-deflate/)
    client.socket.pause()
    client.send(['REQ', 'a', {}])
    while (peer.relay.stats().pendingBytes < 100_000) await setImmediate()
    assert.ok(peer.relay.stats().pendingBytes <= 200_000)
    client.socket.resume()
    assert.equal((await client.until('EOSE')).length, 501)
    using plain = await TestClient.connect(peer.url)
    assert.equal(plain.socket.extensions, '')
  })
})

describe('relay: stopping', { timeout: 30_000 }, () => {
  it('K11 answers what was received, says goodbye, and takes nobody in', async () => {
    const peer = await realRelay()
    using client = await TestClient.connect(peer.url)
    const event = newAuthor().write()
    await client.request('a', {})
    client.send(['EVENT', event])
    const ok = await client.until('OK')
    assert.equal(ok.at(-1)![1], event.id)
    const stopped = peer[Symbol.asyncDispose]()
    assert.equal((await client.closed()).code, 1001)
    await stopped
    await assert.rejects(TestClient.connect(peer.url), /ECONNREFUSED/)
  })

  it('K11 cuts a peer that does not say goodbye after 5 s', async () => {
    const clock = new FakeClock(Date.now())
    const peer = await realRelay({ clock })
    const socket = await muteSocket(peer.url)
    const stopped = peer.relay[Symbol.asyncDispose]()
    await once(socket, 'data')
    await clock.advance(5_000)
    await stopped
    assert.equal(peer.relay.stats().connections, 0)
    socket.destroy()
    await peer[Symbol.asyncDispose]()
  })
})
