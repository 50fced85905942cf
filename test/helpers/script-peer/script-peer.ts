import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type WebSocket, WebSocketServer } from 'ws'
import { type Clock, systemClock } from '../../../src/kernel/clock.ts'
import type { NostrEvent } from '../../../src/planes/events/event.ts'
import { settle } from '../fake-clock.ts'
import type { Frame, Output, Personality } from './behaviour.ts'
import { EventSet } from './event-set.ts'
import { PeerLine } from './peer-line.ts'

export interface ScriptPeerOptions {
  readonly events?: Iterable<NostrEvent>
  /** The first that has an answer gives it; all of them, in this order, bend what goes out. */
  readonly is?: readonly Personality[]
  readonly clock?: Clock
}

export interface Received {
  /** Of the connection, 1 for the first. */
  readonly connection: number
  readonly frame: Frame
}

/** A test that waits for a frame which never comes must fail, not hang. */
const patienceMs = 60_000

/**
 * A relay in this process on a real socket. Underneath it conforms to NIP-01 over a set of events in memory; its
 * personalities and scripts decide where it does not.
 */
export class ScriptPeer implements AsyncDisposable {
  readonly url: string
  readonly set: EventSet
  /** Everything clients have sent, in order. */
  readonly received: Received[] = []
  /** Requests for its NIP-11 document. */
  readonly infoRequests: IncomingMessage[] = []
  readonly #http: ReturnType<typeof createServer>
  readonly #sockets: WebSocketServer
  readonly #personalities: readonly Personality[]
  readonly #clock: Clock
  readonly #lines = new Set<PeerLine>()
  readonly #waiting = new Set<() => void>()
  #connections = 0
  #frames = 0

  private constructor(http: ReturnType<typeof createServer>, options: ScriptPeerOptions) {
    const { is = [], clock = systemClock, events = [] } = options
    this.#http = http
    this.#personalities = is
    this.#clock = clock
    this.set = new EventSet([...events, ...is.flatMap((personality) => personality.events ?? [])])
    this.url = `ws://127.0.0.1:${(http.address() as AddressInfo).port}/`
    this.#sockets = new WebSocketServer({ server: http, perMessageDeflate: false })
    this.#sockets.on('connection', (socket) => this.#serve(socket))
  }

  static async listen(options: ScriptPeerOptions = {}): Promise<ScriptPeer> {
    const http = createServer()
    http.listen(0, '127.0.0.1')
    await once(http, 'listening')
    const peer = new ScriptPeer(http, options)
    http.on('request', (request, response) => peer.#document(request, response))
    return peer
  }

  get connections(): number {
    return this.#connections
  }

  /** Connections open now. */
  get open(): number {
    return this.#lines.size
  }

  /** Something it has to send waits for its clock. */
  get waits(): boolean {
    return [...this.#lines].some((line) => line.waits)
  }

  /** Frames so far, both ways, of all connections. */
  get frames(): number {
    return this.#frames
  }

  /** What clients have sent with this verb. */
  sent(verb: string): Frame[] {
    return this.received.filter(({ frame }) => frame[0] === verb).map(({ frame }) => frame)
  }

  /** Resolves once `condition` holds; looked at whenever a frame came, a connection opened or one closed. */
  async until(condition: (peer: ScriptPeer) => boolean): Promise<void> {
    const patience = AbortSignal.timeout(patienceMs)
    while (!condition(this)) {
      await new Promise<void>((resolve, reject) => {
        this.#waiting.add(resolve)
        patience.addEventListener('abort', () => reject(new Error(`never held: ${condition}`)), {
          once: true,
        })
      })
    }
  }

  /** Publishes events there, as another client would: they are held, and live subscriptions are told. */
  publish(...events: readonly NostrEvent[]): void {
    for (const event of events) if (this.set.add(event) === 'stored') this.#announce(event)
  }

  /** Sends something nobody asked for on every open connection. */
  push(...outputs: readonly Output[]): void {
    for (const line of this.#lines) line.push(...outputs)
  }

  /**
   * Resolves when every client has taken in all that was sent to it, and nothing came of that which is not here too:
   * a pong follows what came before its ping, on a line that keeps order.
   */
  async quiet(): Promise<void> {
    let before: number
    do {
      before = this.#frames
      await Promise.all([...this.#lines].map((line) => line.echo()))
      await settle()
    } while (this.#frames !== before)
  }

  /** Cuts every connection, as a crash would. */
  cut(): void {
    for (const line of this.#lines) line.cut()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut()
    this.#sockets.close()
    this.#http.closeAllConnections()
    this.#http.close()
    await once(this.#http, 'close')
  }

  #serve(socket: WebSocket): void {
    const line = new PeerLine(socket, {
      number: ++this.#connections,
      url: this.url,
      set: this.set,
      clock: this.#clock,
      personalities: this.#personalities,
      announce: (event) => this.#announce(event),
      counted: () => ++this.#frames,
      framesOfPeer: () => this.#frames,
      received: (frame) => {
        this.received.push({ connection: line.number, frame })
        this.#wake()
      },
      closed: () => {
        this.#lines.delete(line)
        this.#wake()
      },
    })
    this.#lines.add(line)
    line.greet()
    this.#wake()
  }

  #announce(event: NostrEvent): void {
    for (const line of this.#lines) line.live(event)
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve()
    this.#waiting.clear()
  }

  #document(request: IncomingMessage, response: ServerResponse): void {
    this.infoRequests.push(request)
    this.#wake()
    const own = this.#personalities.find(({ document }) => document !== undefined)
    if (own !== undefined) return own.document?.(response)
    const parts = this.#personalities.map(({ info }) => info).filter((info) => info !== undefined)
    if (parts.length === 0) {
      response.writeHead(404).end()
      return
    }
    response.writeHead(200, { 'content-type': 'application/nostr+json' })
    response.end(JSON.stringify(Object.assign({}, ...parts)))
  }
}
