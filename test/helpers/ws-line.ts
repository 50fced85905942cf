import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { AddressInfo, Server, Socket } from 'node:net'
import { SyncError } from '../../src/kernel/sync-error.ts'
import { createWsTransport, type WsTransportOptions } from '../../src/transports/ws.ts'
import { WsServer } from './ws-server.ts'

export const never: AbortSignal = new AbortController().signal

/** A channel of the real transport to a real server, with the server's socket of it. */
export async function connect(options: WsTransportOptions = {}, signal = never) {
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

/** The SyncError with which `promise` fails. */
export async function failure(promise: Promise<unknown>): Promise<SyncError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof SyncError, `expected a SyncError, got ${String(error)}`)
  return error
}

/** `server` on a free port of the loopback; disposing destroys `sockets`, which it may go on to fill. */
export async function listening(server: Server, sockets: readonly Socket[] = []) {
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
