import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { transportSuite } from '../../test/acceptance/transport-suite.ts'
import { FakeClock, settle } from '../../test/helpers/fake-clock.ts'
import { WsServer } from '../../test/helpers/ws-server.ts'
import { SyncError } from '../kernel/sync-error.ts'
import { createWsTransport, type WsTransportOptions } from './ws.ts'

const never = new AbortController().signal

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

describe('ws transport: what a refused connection means', () => {
  const cases: readonly {
    status: number
    headers?: Record<string, string>
    code: string
    retryable: boolean
    says: RegExp
    retryAfterMs?: number
  }[] = [
    { status: 401, code: 'peer/rejected', retryable: false, says: /credentials/ },
    { status: 403, code: 'peer/rejected', retryable: false, says: /credentials/ },
    { status: 404, code: 'peer/rejected', retryable: false, says: /check the address/ },
    { status: 200, code: 'peer/rejected', retryable: false, says: /instead of opening a WebSocket/ },
    {
      status: 301,
      headers: { location: 'wss://new.example/' },
      code: 'peer/rejected',
      retryable: false,
      says: /new\.example/,
    },
    { status: 400, code: 'peer/rejected', retryable: true, says: /HTTP 400/ },
    {
      status: 429,
      headers: { 'retry-after': '7' },
      code: 'peer/busy',
      retryable: true,
      says: /7 s/,
      retryAfterMs: 7_000,
    },
    {
      status: 503,
      headers: { 'retry-after': 'Thu, 01 Jan 2026 00:01:00 GMT' },
      code: 'peer/busy',
      retryable: true,
      says: /60 s/,
      retryAfterMs: 60_000,
    },
    { status: 503, code: 'peer/busy', retryable: true, says: /busy/ },
    { status: 429, headers: { 'retry-after': 'soon' }, code: 'peer/busy', retryable: true, says: /busy/ },
    { status: 502, code: 'peer/unreachable', retryable: true, says: /HTTP 502/ },
  ]
  for (const { status, headers = {}, code, retryable, says, retryAfterMs } of cases) {
    const hint = Object.values(headers).join(' ')
    it(`HTTP ${status} ${hint} is ${code}, ${retryable ? 'tried again' : 'left to a person'}`, async () => {
      const http = createHttpServer((_request, response) => response.writeHead(status, headers).end('no'))
      await using address = await listening(http)
      await using transport = createWsTransport({ clock: new FakeClock(Date.UTC(2026, 0, 1)) })
      const error = await failure(
        transport.dial({ transport: 'ws', value: address.url }, { protocol: 'test', signal: never }),
      )
      assert.equal(error.code, code)
      assert.equal(error.retryable, retryable)
      assert.match(error.message, says)
      assert.equal(error.retryAfterMs, retryAfterMs)
    })
  }

  it('a peer that accepts and stays silent is given up after the connect timeout', async () => {
    const sockets: Socket[] = []
    await using address = await listening(
      createServer((socket) => sockets.push(socket)),
      sockets,
    )
    const clock = new FakeClock()
    await using transport = createWsTransport({ clock, connectTimeoutMs: 20_000 })
    const dialled = failure(
      transport.dial({ transport: 'ws', value: address.url }, { protocol: 'test', signal: never }),
    )
    await clock.advance(20_000)
    const error = await dialled
    assert.equal(error.code, 'peer/unreachable')
    assert.match(error.message, /within 20 s/)
    assert.equal(clock.sleeping, 0)
  })

  it('an abort ends a dial that is under way', async () => {
    const sockets: Socket[] = []
    await using address = await listening(
      createServer((socket) => sockets.push(socket)),
      sockets,
    )
    await using transport = createWsTransport()
    const abort = new AbortController()
    const dialled = transport.dial(
      { transport: 'ws', value: address.url },
      { protocol: 'test', signal: abort.signal },
    )
    abort.abort(new Error('no longer wanted'))
    await assert.rejects(dialled, /no longer wanted/)
  })

  it('disposing the transport ends a dial that is under way', async () => {
    const sockets: Socket[] = []
    await using address = await listening(
      createServer((socket) => sockets.push(socket)),
      sockets,
    )
    const transport = createWsTransport()
    const dialled = failure(
      transport.dial({ transport: 'ws', value: address.url }, { protocol: 'test', signal: never }),
    )
    await transport[Symbol.asyncDispose]()
    assert.equal((await dialled).code, 'peer/unreachable')
  })

  it('garbage instead of HTTP is peer/unreachable, not a crash', async () => {
    const sockets: Socket[] = []
    const garbage = createServer((socket) => {
      sockets.push(socket)
      socket.end('SSH-2.0-OpenSSH_9.6\r\n\r\n')
    })
    await using address = await listening(garbage, sockets)
    await using transport = createWsTransport()
    const error = await failure(
      transport.dial({ transport: 'ws', value: address.url }, { protocol: 'test', signal: never }),
    )
    assert.equal(error.code, 'peer/unreachable')
  })

  it('an untrusted certificate is peer/rejected', async () => {
    const { connectionError } = await import('./ws-error.ts')
    const error = connectionError(
      'wss://a/',
      Object.assign(new Error('self-signed'), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }),
      1,
    )
    assert.equal(error.code, 'peer/rejected')
    assert.equal(error.retryable, false)
  })

  for (const value of ['relay.example', 'https://relay.example/', 'wss://relay.example/#x', ''])
    it(`refuses the address "${value}"`, async () => {
      await using transport = createWsTransport()
      const error = await failure(
        transport.dial({ transport: 'ws', value }, { protocol: 'test', signal: never }),
      )
      assert.equal(error.code, 'config/invalid')
    })
})

describe('ws transport: what a closed connection means', () => {
  const cases: readonly [number, string, string, boolean][] = [
    [1002, '', 'peer/protocol', true],
    [1008, 'idle', 'peer/rejected', true],
    [1009, '', 'peer/protocol', true],
    [1011, '', 'peer/unreachable', true],
    [1013, '', 'peer/busy', true],
    [4000, 'house rules', 'peer/unreachable', true],
  ]
  for (const [close, reason, code, retryable] of cases)
    it(`${close} ${reason} is ${code}`, async () => {
      await using line = await connect()
      line.socket.close(close, reason)
      const error = await failure(Array.fromAsync(line.channel))
      assert.equal(error.code, code)
      assert.equal(error.retryable, retryable)
      assert.ok(error.message.includes(String(close)) && error.message.includes(reason), error.message)
    })

  for (const close of [1000, 1001])
    it(`${close} ends the loop without an error`, async () => {
      await using line = await connect()
      line.socket.close(close)
      assert.deepEqual(await Array.fromAsync(line.channel), [])
    })

  it('a message beyond the limit closes the connection as a breach of protocol', async () => {
    await using line = await connect({ maxPayload: 1_000 })
    line.socket.send('x'.repeat(1_001))
    const error = await failure(Array.fromAsync(line.channel))
    assert.equal(error.code, 'peer/protocol')
    assert.match(error.message, /larger than 1000 bytes/)
  })

  it('offers no compression unless asked to', async () => {
    await using plain = await connect()
    assert.equal(plain.server.requests[0]!.headers['sec-websocket-extensions'], undefined)
    assert.equal(plain.server.requests[0]!.headers['sec-websocket-protocol'], undefined)
    await using deflated = await connect({ perMessageDeflate: true })
    assert.match(
      String(deflated.server.requests[0]!.headers['sec-websocket-extensions']),
      /permessage-deflate/,
    )
  })
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
  it('gives up a peer that answers no ping', async () => {
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

async function connect(options: WsTransportOptions = {}, signal = never) {
  const server = await WsServer.listen()
  const transport = createWsTransport(options)
  const dialled = transport.dial({ transport: 'ws', value: server.url }, { protocol: 'test', signal })
  const socket = await server.socket()
  const channel = await dialled
  return {
    server,
    channel,
    socket,
    /** Resolves when our answer to the last ping has arrived: a ping of the server's own comes back after it. */
    async pong() {
      const back = once(socket, 'pong')
      socket.ping()
      await back
    },
    async [Symbol.asyncDispose]() {
      await transport[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
    },
  }
}

/** Advances to the ping, and lets it leave the process so that its time to be answered begins. */
async function pinged(clock: FakeClock, ms: number): Promise<void> {
  await clock.advance(ms)
  for (let i = 0; i < 10; i += 1) await settle()
}

async function failure(promise: Promise<unknown>): Promise<SyncError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof SyncError, `expected a SyncError, got ${String(error)}`)
  return error
}

async function listening(server: Server, sockets: readonly Socket[] = []) {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
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
