import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import { type Clock, systemClock } from '../../../kernel/clock.ts'
import { type Logger, silentLogger } from '../../../kernel/logger.ts'
import { SyncError } from '../../../kernel/sync-error.ts'
import { createBulk } from '../bulk/bulk.ts'
import type { EventStore } from '../event-store.ts'
import type { Ingest } from '../ingest.ts'
import type { Limits } from '../limits.ts'
import type { Moderation } from '../policy/moderation.ts'
import { ReadPolicy } from '../policy/read-policy.ts'
import type { Verifier } from '../verifier.ts'
import { Connection, policyViolation } from './connection.ts'
import { answerHttp } from './http.ts'
import { Limiter, type Refusal } from './limiter.ts'
import { LiveFanOut } from './live-fan-out.ts'
import { Management, type ManagementOptions } from './management.ts'
import { managementMethods } from './management-methods.ts'
import { OutboundBudget } from './outbound.ts'
import { landingPage, type Offers, type RelayInfo, relayDocument } from './relay-info.ts'
import type { RelayCounters, SessionServices } from './session.ts'
import type { SyncPageAccess } from './sync-pages.ts'
import { Turns } from './turns.ts'

export interface RelayOptions<Tx> {
  readonly store: EventStore<Tx>
  readonly ingest: Ingest<Tx>
  readonly verifier: Verifier
  readonly limits: Limits
  readonly info: RelayInfo
  readonly clock?: Clock
  readonly log?: Logger
  /** Default: gift wraps are for their author and recipients, everything else for all. */
  readonly readPolicy?: ReadPolicy
  /** Who may walk by SYNC-PAGE. Default: `authenticated`. */
  readonly syncPage?: SyncPageAccess
  /** What administrators have listed: addresses that are not let in, and what the relay says about itself. */
  readonly moderation?: Moderation
  /** Serves NIP-86 to the administrators it lets in. Default: it is not served. */
  readonly management?: ManagementOptions
  /** Does a policy keep some events out? Only said in the information document; the ingest is what asks the policy. */
  readonly restrictsWrites?: () => boolean
  /** The addresses clients know this relay by, for AUTH. Without one, those it listens on. */
  readonly relayUrls?: readonly string[]
  /** `lazy`: a client is challenged when it is first refused for want of AUTH. `open`: at once. */
  readonly challenge?: 'lazy' | 'open'
  /**
   * Web pages that may connect, as values of the Origin header. Undefined: all of them, which is what web clients of a
   * public relay need. A browser sends no credentials here, so a page can do no more than any other client.
   */
  readonly allowedOrigins?: readonly string[]
  /** Offer permessage-deflate. Default: no, as on a fast line it costs far more time than it saves. */
  readonly compression?: boolean
  /** The client's IP address; behind a proxy, taken from the header that the proxy sets. */
  readonly clientAddress?: (request: IncomingMessage) => string
  /** What else the listener serves; see `OtherPaths`. */
  readonly otherPaths?: OtherPaths
}

/** Other paths of the listener, for other kinds of data. */
export interface OtherPaths {
  /** False: not ours; nothing was written. */
  handle(request: IncomingMessage, response: ServerResponse): boolean
  /** How long the whole of a request may take to arrive. */
  readonly requestTimeoutMs: number
}

export interface RelayStats extends Readonly<RelayCounters> {
  readonly connections: number
  readonly subscriptions: number
  readonly negotiations: number
  /** Bytes handed to sockets and not yet sent. */
  readonly pendingBytes: number
}

/** How long peers have to answer our goodbye when the relay stops (promise K11: within 10 s in all). */
const graceMs = 5_000

/** How often pings, idle sessions and forgotten addresses are looked after. */
const housekeepingMs = 1_000

const refusals: Readonly<Record<Refusal, string>> = {
  'relay-full': '503 Service Unavailable',
  'address-full': '429 Too Many Requests',
  'address-too-fast': '429 Too Many Requests',
}

/** A relay for Nostr clients: NIP-01, 09, 11, 40, 42, 45, 62, 67, 70 and 77 over WebSocket. */
export function createRelay<Tx>(options: RelayOptions<Tx>): Relay {
  return new Relay(options as RelayOptions<unknown>)
}

export class Relay implements AsyncDisposable {
  readonly #options: RelayOptions<unknown>
  readonly #clock: Clock
  readonly #log: Logger
  readonly #limiter: Limiter
  readonly #live: LiveFanOut
  readonly #budget: OutboundBudget
  readonly #sockets: WebSocketServer
  readonly #services: SessionServices
  readonly #connections = new Set<Connection>()
  readonly #stopping = new AbortController()
  readonly #management: Management | undefined
  readonly #changes = new DisposableStack()
  readonly #counters: RelayCounters = {
    accepted: 0,
    refused: 0,
    badMessages: 0,
    failures: 0,
    ephemeralsDropped: 0,
  }
  #server: Server | undefined
  #stopped: Promise<void> | undefined
  #serial = 0

  constructor(options: RelayOptions<unknown>) {
    const { store, ingest, verifier, limits, clock = systemClock, log = silentLogger } = options
    const { readPolicy = new ReadPolicy({ restrictedKinds: [1059] }) } = options
    this.#options = options
    this.#clock = clock
    this.#log = log
    this.#limiter = new Limiter(limits, clock)
    this.#live = new LiveFanOut(store)
    this.#budget = new OutboundBudget(limits.maxPendingBytesTotal)
    this.#sockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      // Twice the limit, so that a message that is a little too large gets an answer instead of a closed socket.
      maxPayload: 2 * limits.maxMessageBytes,
      perMessageDeflate: options.compression === true && { threshold: 1_024 },
    })
    this.#services = {
      store,
      ingest,
      verifier,
      limits,
      clock,
      live: this.#live,
      turns: new Turns(clock),
      readPolicy,
      bulk: createBulk({ store, ingest, limits, readPolicy }),
      syncPage: options.syncPage ?? 'authenticated',
      counters: this.#counters,
      relayUrls: () => this.#relayUrls(),
      newChallenge: () => randomBytes(16).toString('hex'),
    }
    const { management, moderation } = options
    if (management !== undefined && moderation !== undefined) {
      const methods = managementMethods(store, moderation)
      this.#management = new Management({ ...management, methods, log, urls: () => this.#relayUrls() })
    }
    this.#changes.use(readPolicy.onChange(() => this.#recheck()))
    if (moderation !== undefined) this.#changes.use(moderation.onChange(() => this.#leaveBlocked(moderation)))
    void this.#housekeep()
  }

  /** Where it listens. Throws before `listen`. */
  get url(): string {
    const url = this.#localUrl()
    if (url === undefined) throw new SyncError('internal/bug', 'the relay is not listening')
    return url
  }

  stats(): RelayStats {
    const connections = [...this.#connections]
    const sum = (of: (connection: Connection) => number) => connections.reduce((all, one) => all + of(one), 0)
    return {
      ...this.#counters,
      connections: this.#limiter.connections,
      subscriptions: sum((connection) => connection.subscriptions),
      negotiations: this.#limiter.negotiations,
      pendingBytes: sum((connection) => connection.pendingBytes),
    }
  }

  /** Takes over a WebSocket handshake on `/`. False: another path; nothing was touched. */
  handleUpgrade(request: IncomingMessage, stream: Duplex, head: Buffer): boolean {
    if (!isRelayPath(request)) return false
    // Until ws has the stream, nobody else listens, and an unheard error ends the process.
    stream.on('error', () => stream.destroy())
    const { allowedOrigins } = this.#options
    const { origin } = request.headers
    if (allowedOrigins !== undefined && origin !== undefined && !allowedOrigins.includes(origin)) {
      refuse(stream, '403 Forbidden')
      return true
    }
    const address = this.#addressOf(request)
    if (this.#options.moderation?.isBlocked(address) === true) {
      refuse(stream, '403 Forbidden')
      return true
    }
    void this.#live.ready.then(
      () => this.#admit(request, stream, head, address),
      () => refuse(stream, '503 Service Unavailable'),
    )
    return true
  }

  #admit(request: IncomingMessage, stream: Duplex, head: Buffer, address: string): void {
    if (this.#stopping.signal.aborted) return refuse(stream, '503 Service Unavailable')
    const admission = this.#limiter.connect(address)
    if (typeof admission === 'string') return refuse(stream, refusals[admission])
    let upgraded = false
    // ws answers a malformed handshake itself and never calls back.
    stream.once('close', () => {
      if (!upgraded) admission[Symbol.dispose]()
    })
    this.#sockets.handleUpgrade(request, stream, head, (socket) => {
      upgraded = true
      const connection: Connection = new Connection({
        services: this.#services,
        socket,
        stream,
        admission,
        address,
        budget: this.#budget,
        log: this.#log.child({ connection: ++this.#serial }),
        challengeAtOpen: this.#options.challenge === 'open',
        onClosed: () => this.#connections.delete(connection),
      })
      this.#connections.add(connection)
    })
  }

  /** Answers NIP-11 and plain GETs on `/`. False: not ours; nothing was written. */
  handleRequest(request: IncomingMessage, response: ServerResponse): boolean {
    const { limits, moderation } = this.#options
    if (this.#management !== undefined && request.method === 'POST' && isRelayPath(request)) {
      const address = this.#addressOf(request)
      if (moderation?.isBlocked(address) === true) response.writeHead(403).end()
      else if (this.#limiter.request(address)) void this.#management.handle(request, response)
      else response.writeHead(429, { 'Retry-After': '10' }).end()
      return true
    }
    const info = { ...this.#options.info, ...moderation?.info }
    return answerHttp(request, response, {
      document: () => JSON.stringify(relayDocument(info, limits, this.#offers())),
      landing: () => landingPage(info, this.#offers(), this.#relayUrls()[0] ?? ''),
    })
  }

  /** Serves this relay alone. Port 0: any free one, see `url`. Rejects when the address is taken. */
  async listen({ host, port }: { readonly host: string; readonly port: number }): Promise<void> {
    await this.#live.ready
    const { otherPaths } = this.#options
    const server = createServer(
      // A client that sends its request byte by byte holds its socket for no longer than this (slow loris).
      {
        headersTimeout: 10_000,
        requestTimeout: otherPaths?.requestTimeoutMs ?? 10_000,
        connectionsCheckingInterval: 1_000,
        keepAliveTimeout: 5_000,
      },
      (request, response) => {
        if (this.handleRequest(request, response)) return
        if (otherPaths?.handle(request, response) !== true) response.writeHead(404).end()
      },
    )
    server.maxConnections = this.#options.limits.maxConnections + 100
    server.on('upgrade', (request, stream, head) => {
      if (!this.handleUpgrade(request, stream, head)) refuse(stream, '404 Not Found')
    })
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, host, () => {
        server.off('error', reject)
        resolve()
      })
    })
    server.on('error', (error) => this.#log.error('the relay cannot take connections', { error }))
    this.#server = server
  }

  /** Takes no more connections, answers what was received, closes every socket. Done within 10 s. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #stop(): Promise<void> {
    this.#stopping.abort(new Error('the relay is stopping'))
    const server = this.#server
    const closed =
      server === undefined ? undefined : new Promise<void>((resolve) => server.close(() => resolve()))
    server?.closeIdleConnections()
    const done = new AbortController()
    const cut = this.#clock.sleep(graceMs, done.signal).then(
      () => {
        for (const connection of this.#connections) connection.terminate()
        server?.closeAllConnections()
      },
      () => {},
    )
    const left = Promise.allSettled(
      [...this.#connections].map((connection) => connection[Symbol.asyncDispose]()),
    )
    // A request that is still being answered after the cut, by a store that does not end, is not waited for.
    await Promise.race([left, cut.then(() => this.#clock.sleep(graceMs / 2, done.signal)).catch(() => {})])
    this.#changes[Symbol.dispose]()
    this.#live[Symbol.dispose]()
    this.#sockets.close()
    server?.closeAllConnections()
    await closed
    done.abort()
    await cut
  }

  /** What was opened under other rights must not go on. */
  #recheck(): void {
    for (const connection of this.#connections)
      connection.recheck().catch((error: unknown) => this.#log.error('a change of rights failed', { error }))
  }

  #leaveBlocked(moderation: Moderation): void {
    for (const connection of this.#connections)
      if (moderation.isBlocked(connection.address))
        connection.leave(policyViolation, 'this address is blocked')
  }

  #addressOf(request: IncomingMessage): string {
    return this.#options.clientAddress?.(request) ?? request.socket.remoteAddress ?? 'unknown'
  }

  async #housekeep(): Promise<void> {
    const { signal } = this.#stopping
    while (!signal.aborted) {
      try {
        await this.#clock.sleep(housekeepingMs, signal)
      } catch {
        return
      }
      this.#limiter.prune()
      for (const connection of this.#connections)
        connection.tick().catch((error: unknown) => this.#log.error('housekeeping failed', { error }))
    }
  }

  #offers(): Offers {
    const { readPolicy, syncPage } = this.#services
    return {
      authRequired: readPolicy.requiresAuth,
      restrictedWrites: this.#options.restrictsWrites?.() ?? false,
      management: this.#management !== undefined,
      syncPage: syncPage !== 'off',
    }
  }

  #localUrl(): string | undefined {
    const address = this.#server?.address() as AddressInfo | null | undefined
    if (address === null || address === undefined) return undefined
    return `ws://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`
  }

  #relayUrls(): readonly string[] {
    const { relayUrls = [] } = this.#options
    const url = this.#localUrl()
    if (relayUrls.length > 0 || url === undefined) return relayUrls
    const { hostname, port } = new URL(url)
    const isLocal = ['127.0.0.1', '[::1]', '0.0.0.0', '[::]'].includes(hostname)
    return isLocal ? [url, `ws://localhost:${port}`, `ws://127.0.0.1:${port}`, `ws://[::1]:${port}`] : [url]
  }
}

function isRelayPath({ url }: IncomingMessage): boolean {
  return url?.split('?', 1)[0] === '/'
}

/** Answers a handshake with a plain HTTP error and closes. */
function refuse(stream: Duplex, status: string): void {
  stream.on('error', () => stream.destroy())
  const retry = status.startsWith('4') && !status.startsWith('429') ? '' : 'Retry-After: 30\r\n'
  stream.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n${retry}\r\n`, () =>
    stream.destroy(),
  )
}
