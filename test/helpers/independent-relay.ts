import { EventEmitter, once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { createServer as createHttpsServer, type ServerOptions } from 'node:https'
import type { AddressInfo } from 'node:net'
import {
  type Client,
  createOutgoingClosedMessage,
  createOutgoingOkMessage,
  type Event,
  EventRepository,
  type Filter,
  type HandleMessagePlugin,
  type IncomingMessage,
  LogLevel,
  MessageType,
} from '@nostr-relay/common'
import { NostrRelay } from '@nostr-relay/core'
import { matchFilter } from 'nostr-tools'
import { WebSocketServer } from 'ws'

export interface IndependentRelayOptions {
  /** Events it hands out for one filter at most, whatever is asked. */
  readonly cap: number
  /** Unknown clients neither read nor write. */
  readonly authenticates?: boolean
  /** Behind TLS, as `localhost`. */
  readonly tls?: ServerOptions
  /** Default: a free one. */
  readonly port?: number
  /** What an earlier one held; default: nothing. */
  readonly events?: Map<string, Event>
  /** Awaited before it answers a REQ, with how many events it has handed out so far. */
  readonly hold?: (handedOut: number) => Promise<void>
}

export interface IndependentRelay extends AsyncDisposable {
  readonly url: string
  readonly port: number
  readonly events: Map<string, Event>
  /** Takes an event in as from a client of its own, and passes it on to its subscribers. */
  publish(event: Event): Promise<void>
  /** Resolves when it holds all of these events. */
  received(ids: Iterable<string>): Promise<void>
  /** Cuts every connection, as a restart would. */
  cut(): void
}

type Options = IndependentRelayOptions

/** Storage for the foreign relay: an array, newest first, that hands out at most `cap` events whatever is asked. */
class CappedRepository extends EventRepository {
  readonly events: Map<string, Event>
  readonly stored = new EventEmitter()
  readonly #options: Options
  #handedOut = 0

  constructor(options: Options) {
    super()
    this.#options = options
    this.events = options.events ?? new Map()
  }

  isSearchSupported(): boolean {
    return false
  }

  upsert(event: Event): { isDuplicate: boolean } {
    if (this.events.has(event.id)) return { isDuplicate: true }
    this.events.set(event.id, event)
    this.stored.emit('event')
    return { isDuplicate: false }
  }

  async find(filter: Filter): Promise<Event[]> {
    const { cap, hold } = this.#options
    await hold?.(this.#handedOut)
    const matching = [...this.events.values()].filter((event) =>
      matchFilter(filter as Parameters<typeof matchFilter>[0], event),
    )
    const newest = matching.sort((a, b) => b.created_at - a.created_at || (a.id < b.id ? -1 : 1))
    const page = newest.slice(0, Math.min(filter.limit ?? cap, cap))
    this.#handedOut += page.length
    return page
  }

  async destroy(): Promise<void> {}
}

/** Demands what the relay by itself only offers. The challenge and the check of the answer to it are the relay's own. */
const authenticating: HandleMessagePlugin = {
  async handleMessage(client, message, next) {
    const [type] = message
    const reason = 'auth-required: this relay serves those it knows'
    if (client.pubkey !== undefined || (type !== MessageType.EVENT && type !== MessageType.REQ)) return next()
    if (type === MessageType.REQ) client.sendMessage(createOutgoingClosedMessage(message[1], reason))
    else client.sendMessage(createOutgoingOkMessage(message[1].id, false, reason))
  },
}

/** An independent relay from npm that speaks REQ, EVENT and, if it is to, AUTH; neither NIP-77 nor COUNT. */
export async function independentRelay(options: Options): Promise<IndependentRelay> {
  const { authenticates = false, tls, port: wish = 0 } = options
  const host = tls === undefined ? '127.0.0.1' : 'localhost'
  const repository = new CappedRepository(options)
  const settings = { logLevel: LogLevel.ERROR, filterResultCacheTtl: 0 }
  const relay = new NostrRelay(repository, authenticates ? { ...settings, hostname: host } : settings)
  if (authenticates) relay.register(authenticating)
  const server = tls === undefined ? createHttpServer() : createHttpsServer(tls)
  server.on('request', (_request, response) => response.writeHead(404).end())
  server.on('tlsClientError', () => {})
  const sockets = new WebSocketServer({ server })
  sockets.on('connection', (socket) => {
    const client = socket as unknown as Client
    relay.handleConnection(client)
    socket.on('message', (data) => {
      void relay.handleMessage(client, JSON.parse(String(data)) as IncomingMessage)
    })
    socket.on('close', () => relay.handleDisconnect(client))
    socket.on('error', () => {})
  })
  server.listen(wish, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const cut = () => {
    for (const socket of sockets.clients) socket.terminate()
  }
  return {
    url: `${tls === undefined ? 'ws' : 'wss'}://${host}:${port}/`,
    port,
    events: repository.events,
    cut,
    async publish(event) {
      await relay.handleEvent(event)
    },
    async received(ids) {
      const signal = AbortSignal.timeout(90_000)
      const missing = new Set(ids)
      for (;;) {
        for (const id of missing) if (repository.events.has(id)) missing.delete(id)
        if (missing.size === 0) return
        await once(repository.stored, 'event', { signal })
      }
    },
    async [Symbol.asyncDispose]() {
      cut()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await relay.destroy()
    },
  }
}
