import assert from 'node:assert/strict'
import { createServer as createHttpServer } from 'node:http'
import { createServer, type Socket } from 'node:net'
import { describe, it } from 'node:test'
import { FakeClock } from '../../test/helpers/fake-clock.ts'
import { connect, failure, listening, never } from '../../test/helpers/ws-line.ts'
import { createWsTransport } from './ws.ts'
import { connectionError } from './ws-error.ts'

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
    it(`HTTP ${status} ${hint} is ${code}, ${retryable ? 'tried again' : 'tried again slowly'}`, async () => {
      const http = createHttpServer((_request, response) => response.writeHead(status, headers).end('no'))
      await using address = await listening(http)
      await using transport = createWsTransport({ clock: new FakeClock(Date.UTC(2026, 0, 1)) })
      const error = await failure(
        transport.dial({ transport: 'ws', value: address.url }, { protocol: 'test', signal: never }),
      )
      assert.equal(error.code, code)
      assert.equal(error.retry, retryable ? 'soon' : 'slowly')
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

  it('an untrusted certificate is peer/rejected', () => {
    const error = connectionError(
      'wss://a/',
      Object.assign(new Error('self-signed'), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }),
      1,
    )
    assert.equal(error.code, 'peer/rejected')
    assert.equal(error.retry, 'slowly')
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
      assert.equal(error.retry, retryable ? 'soon' : 'slowly')
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
