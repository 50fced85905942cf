import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { transportSuite } from '../../test/acceptance/transport-suite.ts'
import { FakeClock, settle } from '../../test/helpers/fake-clock.ts'
import { connect, failure } from '../../test/helpers/ws-line.ts'
import { WsServer } from '../../test/helpers/ws-server.ts'
import { createWsTransport } from './ws.ts'

transportSuite('ws', async () => {
  const server = await WsServer.listen()
  const transport = createWsTransport()
  return {
    transport,
    address: { transport: 'ws', value: server.url },
    nowhere: { transport: 'ws', value: `ws://127.0.0.1:${await freePort()}/` },
    accept: () => server.accept(),
    async [Symbol.asyncDispose]() {
      await transport[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
    },
  }
})

describe('ws transport: backpressure', () => {
  it('stops a peer whose messages nobody reads: they stay on its side (K7)', async () => {
    await using line = await connect()
    const total = 64 * 1024 * 1024
    for (let sent = 0; sent < total; sent += 64 * 1024) line.socket.send('x'.repeat(64 * 1024))
    let left = line.socket.bufferedAmount
    for (let still = 0; still < 100; still += 1) {
      await settle()
      if (line.socket.bufferedAmount !== left) still = 0
      left = line.socket.bufferedAmount
    }
    assert.ok(left > total / 2, `${total - left} bytes were taken in`)
    let read = 0
    for await (const message of line.channel) {
      read += message.length
      if (read === total) break
    }
  })
})

describe('ws transport: keepalive', () => {
  it('E-54 gives up a peer that answers no ping', async () => {
    const clock = new FakeClock()
    await using line = await connect({ clock })
    // Paused, it neither reads our ping nor answers it: what a half-open connection looks like from here.
    line.socket.pause()
    const reading = failure(Array.fromAsync(line.channel))
    await pinged(clock, 30_000)
    await clock.advance(10_000)
    await clock.advance(10_000)
    const error = await reading
    assert.equal(error.code, 'peer/unreachable')
    assert.match(error.message, /did not answer a ping within 10 s/)
  })

  it('keeps a silent peer that answers pings', async () => {
    const clock = new FakeClock()
    await using line = await connect({ clock })
    const reading = line.channel[Symbol.asyncIterator]().next()
    for (let i = 0; i < 3; i += 1) {
      const ping = once(line.socket, 'ping')
      await clock.advance(30_000)
      await ping
      await line.pong()
      await clock.advance(10_000)
    }
    line.socket.send('still here')
    assert.deepEqual(await reading, { done: false, value: 'still here' })
  })

  it('takes a message that trickles in for a sign of life, though no ping is answered meanwhile (K8)', async () => {
    const clock = new FakeClock()
    await using line = await connect({ clock })
    line.socket.pause()
    const wire = line.server.requests[0]!.socket
    const reading = line.channel[Symbol.asyncIterator]().next()
    // One unmasked text frame of 100 bytes, cut into pieces of ten.
    wire.write(Buffer.from([0x81, 100]))
    for (let i = 0; i < 9; i += 1) {
      await pinged(clock, 30_000)
      wire.write('x'.repeat(10))
      for (let turn = 0; turn < 20; turn += 1) await settle()
      await clock.advance(10_000)
    }
    wire.write('x'.repeat(10))
    assert.deepEqual(await reading, { done: false, value: 'x'.repeat(100) })
  })

  it('does not blame the peer while our own reader is slow (K8)', async () => {
    const clock = new FakeClock()
    await using line = await connect({ clock })
    const count = 200
    for (let i = 0; i < count; i += 1) line.socket.send('x'.repeat(16 * 1024))
    for (let i = 0; i < 20; i += 1) await settle()
    await clock.advance(300_000)
    let read = 0
    for await (const message of line.channel) {
      assert.equal(message.length, 16 * 1024)
      read += 1
      if (read === count) break
    }
    assert.equal(read, count)
  })

  it('sleeps no more once the channel is closed', async () => {
    const clock = new FakeClock()
    const line = await connect({ clock })
    assert.equal(clock.sleeping, 1)
    await line.channel[Symbol.asyncDispose]()
    assert.equal(clock.sleeping, 0)
    await line[Symbol.asyncDispose]()
  })
})

describe('ws transport: leaves nothing behind', () => {
  it('removes its listener from the signal of the dial', async () => {
    const { getEventListeners } = await import('node:events')
    const { signal } = new AbortController()
    await using line = await connect({}, signal)
    assert.equal(getEventListeners(signal, 'abort').length, 1)
    await line.channel[Symbol.asyncDispose]()
    assert.equal(getEventListeners(signal, 'abort').length, 0)
  })

  it('closes within a second although the peer ignores the close frame', async () => {
    await using line = await connect()
    line.socket.pause()
    await line.channel[Symbol.asyncDispose]()
    assert.deepEqual(await Array.fromAsync(line.channel), [])
  })

  it('lets a process end by itself after connecting, talking and closing', async () => {
    await using server = await WsServer.listen()
    const script = `
      import { createWsTransport } from ${JSON.stringify(fileURLToPath(new URL('./ws.ts', import.meta.url)))}
      const transport = createWsTransport()
      const { signal } = new AbortController()
      const channel = await transport.dial({ transport: 'ws', value: process.argv[1] }, { protocol: 'test', signal })
      await channel.send('hello')
      await channel[Symbol.asyncDispose]()
      await transport.dial({ transport: 'ws', value: 'ws://127.0.0.1:1/' }, { protocol: 'test', signal }).catch(() => {})
      process.stdout.write(process.getActiveResourcesInfo().filter((name) => name === 'Timeout').join())
    `
    const child = spawn(process.execPath, ['--input-type=module', '-e', script, server.url], {
      stdio: ['ignore', 'pipe', 'inherit'],
      // Sooner than the connect timeout or a ping: a timer left behind would keep it alive until this kills it.
      timeout: 10_000,
    })
    const output: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => output.push(chunk))
    const far = await server.accept()
    assert.equal(await far.receive(), 'hello')
    const [code, signal] = await once(child, 'close')
    assert.deepEqual([code, signal], [0, null])
    assert.equal(Buffer.concat(output).toString(), '')
  })
})

/** Advances to the ping, and lets it leave the process so that its time to be answered begins. */
async function pinged(clock: FakeClock, ms: number): Promise<void> {
  await clock.advance(ms)
  for (let i = 0; i < 10; i += 1) await settle()
}

async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
