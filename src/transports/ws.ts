import type { Socket } from 'node:net'
import { type ClientOptions, WebSocket } from 'ws'
import type { Channel, DialOptions, Transport } from '../kernel/channel.ts'
import { type Clock, systemClock } from '../kernel/clock.ts'
import type { Address } from '../kernel/peer.ts'
import { SyncError } from '../kernel/sync-error.ts'
import { guardedLookup } from './public-address.ts'
import { tlsConnection } from './tls.ts'
import { WsChannel } from './ws-channel.ts'
import { connectionError, upgradeError } from './ws-error.ts'

/** `ws` knows `closeTimeout`, its published types do not yet. */
type ConnectOptions = ClientOptions & { readonly closeTimeout: number }

export interface WsTransportOptions {
  readonly clock?: Clock
  /** Milliseconds from dialling to an open WebSocket, DNS and TLS included. */
  readonly connectTimeoutMs?: number
  /** Milliseconds between two of our pings. */
  readonly pingMs?: number
  /** Milliseconds a peer has to answer a ping. */
  readonly pongMs?: number
  /** Bytes of the largest message taken; a larger one closes the connection. */
  readonly maxPayload?: number
  /** Off: on a fast line compressing costs more than it saves, and it is one more way to be bombed. */
  readonly perMessageDeflate?: boolean
}

/** Time a peer has to answer our close frame before the socket is cut: what disposing costs at most. */
const closeTimeoutMs = 800

/** Dials `ws://` and `wss://` addresses. Asks for no subprotocol: Nostr relays have none. */
export function createWsTransport(options: WsTransportOptions = {}): Transport {
  const settings = {
    clock: options.clock ?? systemClock,
    connectTimeoutMs: options.connectTimeoutMs ?? 20_000,
    pingMs: options.pingMs ?? 30_000,
    pongMs: options.pongMs ?? 10_000,
    maxPayload: options.maxPayload ?? 16 * 1024 * 1024,
    perMessageDeflate: options.perMessageDeflate ?? false,
  } satisfies Required<WsTransportOptions>
  const stop = new AbortController()
  const channels = new Set<WsChannel>()

  return {
    name: 'ws',
    async dial(address: Address, { signal, timeoutMs }: DialOptions): Promise<Channel> {
      const connectTimeoutMs = timeoutMs ?? settings.connectTimeoutMs
      const channel = await handshake(address, { ...settings, connectTimeoutMs }, signal, stop.signal)
      channels.add(channel)
      void channel.closed.then(() => channels.delete(channel))
      return channel
    },
    async [Symbol.asyncDispose]() {
      stop.abort(new SyncError('peer/unreachable', 'the transport was closed'))
      await Promise.all([...channels].map((channel) => channel[Symbol.asyncDispose]()))
    },
  }
}

/** Connects, and answers a channel that has missed nothing. Whatever ends it early leaves no socket behind. */
function handshake(
  address: Address,
  settings: Required<WsTransportOptions>,
  signal: AbortSignal,
  stop: AbortSignal,
): Promise<WsChannel> {
  signal.throwIfAborted()
  stop.throwIfAborted()
  const { clock, connectTimeoutMs, maxPayload, perMessageDeflate } = settings
  const url = parseUrl(address)
  const remote = url.href
  const { promise, resolve, reject } = Promise.withResolvers<WsChannel>()
  const timer = new AbortController()
  const connectOptions: ConnectOptions = {
    maxPayload,
    perMessageDeflate,
    closeTimeout: closeTimeoutMs,
    ...guardedLookup(url.hostname, address.publicOnly),
  }
  if (url.protocol === 'wss:') {
    // The published type knows only functions that answer the socket at once; `ws` hands it to `node:https` as it is.
    const createConnection = tlsConnection(url, address, timer.signal)
    connectOptions.createConnection = createConnection as unknown as NonNullable<
      ClientOptions['createConnection']
    >
  }
  const socket = new WebSocket(url, connectOptions)
  let line: Socket | undefined

  const settle = () => {
    timer.abort()
    signal.removeEventListener('abort', onAbort)
    stop.removeEventListener('abort', onStop)
    socket.removeAllListeners()
  }
  const fail = (error: unknown) => {
    settle()
    // Terminating an unfinished handshake reports an error of its own, which nobody needs and which must not be fatal.
    socket.on('error', () => {})
    socket.terminate()
    reject(error)
  }
  const onAbort = () => fail(signal.reason)
  const onStop = () => fail(stop.reason)

  signal.addEventListener('abort', onAbort, { once: true })
  stop.addEventListener('abort', onStop, { once: true })
  socket.on('upgrade', (response) => {
    line = response.socket
  })
  socket.on('unexpected-response', (_request, response) => fail(upgradeError(remote, response, clock.now())))
  socket.on('error', (error) => fail(connectionError(remote, error, maxPayload)))
  // In this very event, not in a continuation of it: the first message may come before a promise does.
  socket.on('open', () => {
    settle()
    resolve(new WsChannel(socket, line, remote, settings, signal))
  })
  const seconds = Math.round(connectTimeoutMs / 1000)
  clock.sleep(connectTimeoutMs, timer.signal).then(
    () => fail(new SyncError('peer/unreachable', `no connection to ${remote} within ${seconds} s`)),
    () => {},
  )
  return promise
}

function parseUrl({ value, tls }: Address): URL {
  const url = URL.canParse(value) ? new URL(value) : undefined
  if (url === undefined || (url.protocol !== 'ws:' && url.protocol !== 'wss:') || url.hash !== '')
    throw new SyncError(
      'config/invalid',
      `"${value}" is not a WebSocket address; write wss://host/path, without a # part`,
    )
  if (tls !== undefined && url.protocol !== 'wss:')
    throw new SyncError('config/invalid', `"${value}" has TLS settings but no TLS; write it with wss://`)
  return url
}
