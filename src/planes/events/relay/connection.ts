import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import type { Logger } from '../../../kernel/logger.ts'
import { type BadFrame, bad, type ClientFrame, noticeFrame, parseClientFrame } from './frame.ts'
import { Inbox, type Message } from './inbox.ts'
import { Keepalive, type KeepaliveTimes } from './keepalive.ts'
import type { Admission } from './limiter.ts'
import { Outbound, type OutboundBudget } from './outbound.ts'
import { Session, type SessionServices } from './session.ts'

export interface ConnectionOptions {
  readonly services: SessionServices
  readonly socket: WebSocket
  /** The stream under the WebSocket. */
  readonly stream: Duplex
  readonly admission: Admission
  readonly address: string
  readonly budget: OutboundBudget
  readonly log: Logger
  readonly challengeAtOpen: boolean
  onClosed(): void
}

/** As strfry and others: often enough for the proxies on the way, which cut idle connections after a minute. */
const keepaliveTimes: KeepaliveTimes = { pingIntervalMs: 30_000, pongTimeoutMs: 10_000 }

/** Close codes of RFC 6455 this relay uses. */
const goingAway = 1001
export const policyViolation = 1008

/** Frames without an answer, which may be handled while the reader of the answers is slow. */
const silentVerbs: ReadonlySet<string> = new Set(['CLOSE', 'NEG-CLOSE'])

/**
 * One socket: reads a message only when the answer to the one before has found room, so that whatever a peer does, it
 * holds no more than one inbox, one outbox and what its subscriptions and sessions cost (promise K7). It is never cut
 * for being slow, only for being gone, abusive, or asked to leave.
 */
export class Connection implements AsyncDisposable {
  readonly #options: ConnectionOptions
  readonly #inbox: Inbox
  readonly #outbound: Outbound
  readonly #session: Session
  readonly #keepalive: Keepalive
  readonly #ended = new AbortController()
  #working: Promise<void> | undefined
  #leaving = false
  readonly #finished: Promise<void>

  constructor(options: ConnectionOptions) {
    this.#options = options
    const { services, socket, stream, admission, address, budget, log } = options
    const { limits, clock } = services
    this.#inbox = new Inbox(limits.maxMessageBytes)
    this.#outbound = new Outbound(socket, stream, limits.maxPendingBytes, budget)
    this.#keepalive = new Keepalive(keepaliveTimes, clock.monotonic())
    this.#session = new Session(services, {
      address,
      outbound: this.#outbound,
      admission,
      log,
      signal: this.#ended.signal,
      onAbuse: () => this.leave(policyViolation, 'too many messages that make no sense'),
    })
    this.#finished = new Promise((resolve) => {
      socket.once('close', () => resolve(this.#end()))
    })
    socket.on('message', (data, isBinary) => this.#receive({ data: data as Buffer, isBinary }))
    socket.on('pong', () => this.#keepalive.pong(clock.monotonic()))
    socket.on('ping', () => this.#keepalive.received(clock.monotonic()))
    // A reset, or a frame that breaks RFC 6455 or the size limit; ws closes the socket with the right code itself.
    socket.on('error', (error) => log.debug('socket error', { code: (error as NodeJS.ErrnoException).code }))
    if (options.challengeAtOpen) this.#session.challenge()
  }

  get address(): string {
    return this.#options.address
  }

  get subscriptions(): number {
    return this.#session.subscriptions
  }

  get negotiations(): number {
    return this.#session.negotiations
  }

  get pendingBytes(): number {
    return this.#outbound.pending
  }

  /** Regular housekeeping, about once a second. */
  async tick(): Promise<void> {
    const { socket, services } = this.#options
    const verdict = this.#keepalive.check({
      now: services.clock.monotonic(),
      sentBytes: this.#outbound.sentBytes,
      pendingBytes: this.#outbound.pending,
      paused: socket.isPaused,
    })
    if (verdict === 'dead') socket.terminate()
    else if (verdict === 'ping' && socket.readyState === socket.OPEN)
      socket.ping(undefined, undefined, () => {})
    await this.#session.sweep()
  }

  /** What may be read here has changed. */
  recheck(): Promise<void> {
    return this.#session.recheck()
  }

  /** Takes no more messages and says goodbye; the peer has until `terminate` to say it too. */
  leave(code: number, reason: string): void {
    if (this.#leaving) return
    this.#leaving = true
    this.#inbox.clear()
    const { socket } = this.#options
    // Its close frame has to be read.
    if (socket.isPaused) socket.resume()
    socket.close(code, reason)
  }

  terminate(): void {
    this.#options.socket.terminate()
  }

  /** Resolves when the socket is closed and everything of this connection is freed. */
  get finished(): Promise<void> {
    return this.#finished
  }

  /** Answers what was received, then closes. Takes as long as the peer makes it: see `terminate`. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#options.socket.pause()
    this.#inbox.clear()
    await this.#working
    await this.#session.settle()
    this.leave(goingAway, 'the relay is stopping')
    await this.#finished
  }

  #receive(message: Message): void {
    if (this.#leaving) return
    this.#keepalive.received(this.#options.services.clock.monotonic())
    this.#inbox.push(message)
    if (this.#inbox.isFull) this.#options.socket.pause()
    this.#working ??= this.#work()
  }

  async #work(): Promise<void> {
    // In its own turn, so that what one read of the socket brought is handled together.
    await undefined
    const { socket } = this.#options
    while (!this.#leaving && !this.#inbox.isEmpty) {
      try {
        await this.#answer(this.#inbox.shift()!)
      } catch (error) {
        // Only the end of the connection, or a mistake of ours, gets here: bad input has its answer.
        if (!this.#ended.signal.aborted) this.#broken(error)
      }
      if (socket.isPaused && !this.#inbox.isFull && !this.#leaving) socket.resume()
    }
    this.#working = undefined
  }

  /** Awaits only what has to be awaited: a burst of events is taken in within one turn. */
  #answer({ data, isBinary }: Message): Promise<void> | undefined {
    const { limits } = this.#options.services
    const frame = isBinary
      ? bad('invalid: messages are text')
      : data.length > limits.maxMessageBytes
        ? bad(`invalid: the message is larger than ${limits.maxMessageBytes} bytes`)
        : parseClientFrame(data.toString(), limits)
    if (this.#outbound.hasRoom || silentVerbs.has(frame.verb)) return this.#handle(frame)
    return this.#outbound.room().then((open) => (open ? this.#handle(frame) : undefined))
  }

  #handle(frame: ClientFrame | BadFrame): Promise<void> | undefined {
    const done = this.#session.handle(frame)
    const paceMs = this.#session.takePace()
    return paceMs === 0 ? done : this.#slowDown(done, paceMs)
  }

  async #slowDown(done: Promise<void> | undefined, paceMs: number): Promise<void> {
    await done
    const { signal } = this.#ended
    await this.#options.services.clock.sleep(paceMs, signal).catch((error: unknown) => {
      if (!signal.aborted) throw error
    })
  }

  #broken(error: unknown): void {
    const { log, services } = this.#options
    services.counters.failures += 1
    log.error('a message could not be handled', { error })
    this.#outbound.send(noticeFrame('error: the relay could not handle a message'))
  }

  async #end(): Promise<void> {
    this.#leaving = true
    this.#inbox.clear()
    this.#ended.abort(new Error('the connection was closed'))
    this.#outbound.close()
    this.#options.admission[Symbol.dispose]()
    try {
      // A negentropy session must not lose its snapshot while it is being read.
      await this.#working
      await this.#session.close()
    } catch (error) {
      this.#options.log.error('a connection could not be cleaned up', { error })
    }
    this.#options.onClosed()
  }
}
