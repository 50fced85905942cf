import type { Socket } from 'node:net'
import { WebSocket } from 'ws'
import type { Channel } from '../kernel/channel.ts'
import type { Clock } from '../kernel/clock.ts'
import { SyncError } from '../kernel/sync-error.ts'
import { ReceiveQueue } from './receive-queue.ts'
import { closeError, connectionError } from './ws-error.ts'

export interface WsChannelOptions {
  readonly clock: Clock
  readonly pingMs: number
  readonly pongMs: number
  readonly maxPayload: number
}

/** Bytes waiting to go out above which `send` makes its caller wait. */
const sendHighBytes = 1024 * 1024

interface Sender {
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** An open WebSocket as a channel. It owns the socket: disposing closes it within a second. */
export class WsChannel implements Channel {
  readonly remote: string
  /** Resolves when the socket is gone, however it ended. */
  readonly closed: Promise<void>
  readonly #socket: WebSocket
  readonly #line: Socket | undefined
  readonly #options: WsChannelOptions
  readonly #queue: ReceiveQueue
  readonly #senders = new Set<Sender>()
  readonly #over = new AbortController()
  /** Why it broke, known before the socket reports its end. */
  #failure: unknown

  /**
   * @param socket just opened: nothing was received yet
   * @param line   what lies under `socket`; tells a slow line from a dead one
   * @param signal aborting it closes the channel
   */
  constructor(
    socket: WebSocket,
    line: Socket | undefined,
    remote: string,
    options: WsChannelOptions,
    signal: AbortSignal,
  ) {
    this.#socket = socket
    this.#line = line
    this.remote = remote
    this.#options = options
    this.#queue = new ReceiveQueue((full) => (full ? socket.pause() : socket.resume()))
    const { promise, resolve } = Promise.withResolvers<void>()
    this.closed = promise
    const onAbort = () => this.#close(signal.reason)
    socket.on('message', (data: Buffer, isBinary) =>
      // A copy, because `data` is a view that would keep a whole read of the socket alive while it waits.
      this.#queue.push(isBinary ? new Uint8Array(data) : data.toString('utf8')),
    )
    socket.on('error', (error) => {
      this.#failure ??= connectionError(remote, error, options.maxPayload)
    })
    socket.on('close', (code, reason) => {
      signal.removeEventListener('abort', onAbort)
      this.#ended(this.#failure ?? closeError(remote, code, reason.toString('utf8')))
      resolve()
    })
    signal.addEventListener('abort', onAbort, { once: true })
    void this.#keepAlive()
  }

  send(message: string | Uint8Array): Promise<void> {
    if (this.#socket.readyState !== WebSocket.OPEN) return Promise.reject(this.#goneError())
    this.#socket.send(message, () => this.#releaseSenders())
    if (this.#socket.bufferedAmount <= sendHighBytes) return Promise.resolve()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#senders.add({ resolve, reject })
    return promise
  }

  /** Each message goes to one reader. Leaving the loop does not close the channel; a later loop goes on from there. */
  [Symbol.asyncIterator](): AsyncIterator<string | Uint8Array, undefined> {
    return { next: () => this.#queue.next() }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#close(undefined)
    await this.closed
  }

  #close(reason: unknown): void {
    this.#queue.discard(reason)
    // A paused socket would never read the peer's answer to our close frame.
    this.#socket.resume()
    this.#socket.close(1000)
  }

  #ended(error: unknown): void {
    this.#over.abort()
    this.#failure ??= error
    if (error === undefined) this.#queue.end()
    else this.#queue.fail(error)
    for (const sender of this.#senders) sender.reject(this.#goneError())
    this.#senders.clear()
  }

  #releaseSenders(): void {
    if (this.#socket.readyState !== WebSocket.OPEN || this.#socket.bufferedAmount > sendHighBytes) return
    for (const sender of this.#senders) sender.resolve()
    this.#senders.clear()
  }

  #goneError(): unknown {
    return this.#failure ?? new SyncError('peer/unreachable', `the connection to ${this.remote} is closed`)
  }

  async #keepAlive(): Promise<void> {
    const { clock, pingMs, pongMs } = this.#options
    try {
      for (;;) {
        await clock.sleep(pingMs, this.#over.signal)
        if (await this.#answers()) continue
        this.#failure ??= new SyncError(
          'peer/unreachable',
          `${this.remote} did not answer a ping within ${Math.round(pongMs / 1000)} s`,
        )
        return this.#socket.terminate()
      }
    } catch {
      // Only sleeping throws, and only because the channel is over.
    }
  }

  /**
   * Pings and waits for any byte from the peer. A slow line is not a dead one: while our ping is still queued behind
   * data that moves, and while our own reader is what holds the socket back, nobody is late.
   */
  async #answers(): Promise<boolean> {
    const { clock, pongMs } = this.#options
    if (this.#queue.full) return true
    const received = this.#received()
    let answered = false
    let flushedAt: number | undefined
    const onPong = () => {
      answered = true
    }
    this.#socket.once('pong', onPong)
    this.#socket.ping(undefined, undefined, () => {
      flushedAt = clock.monotonic()
    })
    try {
      for (;;) {
        const queued = this.#socket.bufferedAmount
        const since: number = flushedAt ?? clock.monotonic()
        await clock.sleep(since + pongMs - clock.monotonic(), this.#over.signal)
        if (answered || this.#queue.full || this.#received() > received) return true
        const late = flushedAt === undefined ? this.#socket.bufferedAmount >= queued : flushedAt <= since
        if (late) return false
      }
    } finally {
      this.#socket.off('pong', onPong)
    }
  }

  #received(): number {
    return this.#line?.bytesRead ?? 0
  }
}
