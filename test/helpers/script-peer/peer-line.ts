import { once } from 'node:events'
import type { RawData, WebSocket } from 'ws'
import type { Clock } from '../../../src/kernel/clock.ts'
import type { NostrEvent } from '../../../src/planes/events/event.ts'
import { settle } from '../fake-clock.ts'
import {
  type Behaviour,
  type Frame,
  isFrame,
  type Output,
  type PeerConnection,
  type Personality,
} from './behaviour.ts'
import { ConformingRelay } from './conforming-relay.ts'
import type { EventSet } from './event-set.ts'

export interface PeerLineOptions {
  readonly number: number
  readonly url: string
  readonly set: EventSet
  readonly clock: Clock
  readonly personalities: readonly Personality[]
  readonly announce: (event: NostrEvent) => void
  readonly counted: () => number
  readonly framesOfPeer: () => number
  readonly received: (frame: Frame) => void
  readonly closed: () => void
}

/** One connection: what comes in is answered in order, what goes out is bent and sent in order. */
export class PeerLine implements PeerConnection {
  readonly number: number
  readonly url: string
  readonly set: EventSet
  readonly #socket: WebSocket
  readonly #options: PeerLineOptions
  readonly #relay: ConformingRelay
  readonly #behaviours: readonly Behaviour[]
  readonly #ended = new AbortController()
  #sending: Promise<void> = Promise.resolve()
  #frames = 0
  #waits = false

  constructor(socket: WebSocket, options: PeerLineOptions) {
    this.#socket = socket
    this.#options = options
    this.number = options.number
    this.url = options.url
    this.set = options.set
    this.#relay = new ConformingRelay(options.set, options.announce)
    this.#behaviours = options.personalities.map(({ connect }) => connect(this))
    socket.on('error', () => {})
    socket.on('message', (data) => this.#receive(data))
    socket.on('close', () => {
      this.#ended.abort()
      options.closed()
    })
  }

  get frames(): number {
    return this.#frames
  }

  /** What it has to send waits for its clock. */
  get waits(): boolean {
    return this.#waits
  }

  get framesOfPeer(): number {
    return this.#options.framesOfPeer()
  }

  now(): number {
    return Math.floor(this.#options.clock.now() / 1_000)
  }

  honest(frame: Frame): readonly Output[] {
    return this.#relay.answer(frame)
  }

  push(...outputs: readonly Output[]): void {
    this.#send(outputs)
  }

  /** Resolves with the client's pong, or at once when there is no line to it any more. */
  async echo(): Promise<void> {
    // What waits on the peer's own clock is not waited for: that clock may stand still.
    await settle()
    if (this.#socket.readyState !== this.#socket.OPEN) return
    const back = once(this.#socket, 'pong', { signal: this.#ended.signal })
    this.#socket.ping()
    await back.catch(() => {})
  }

  greet(): void {
    for (const { greet } of this.#behaviours) if (greet !== undefined) this.#send(greet())
  }

  live(event: NostrEvent): void {
    this.#send(this.#bent(this.#relay.live(event), undefined))
  }

  cut(): void {
    this.#socket.terminate()
  }

  #receive(data: RawData): void {
    const frame = JSON.parse(String(data)) as Frame
    if (this.#counts()) return this.cut()
    this.#options.received(frame)
    for (const { answer } of this.#behaviours) {
      const own = answer?.(frame)
      if (own !== undefined) return this.#send(this.#bent(own, frame))
    }
    this.#send(this.#bent(this.honest(frame), frame))
  }

  #bent(outputs: readonly Output[], asked: Frame | undefined): readonly Output[] {
    return this.#behaviours.reduce((bent, { bend }) => bend?.(bent, asked) ?? bent, outputs)
  }

  /** Counts a frame; true when the line is cut in its place. */
  #counts(): boolean {
    this.#frames++
    this.#options.counted()
    return this.#behaviours.some(({ cuts }) => cuts?.() === true)
  }

  #send(outputs: readonly Output[]): void {
    if (outputs.length === 0) return
    this.#sending = this.#sending.then(() => this.#sendInOrder(outputs)).catch(() => {})
  }

  /** Rejects when the connection ends meanwhile. */
  async #wait(ms: number): Promise<void> {
    this.#waits = true
    await this.#options.clock.sleep(ms, this.#ended.signal)
    this.#waits = false
  }

  async #sendInOrder(outputs: readonly Output[]): Promise<void> {
    for (const output of outputs) {
      if (this.#ended.signal.aborted) return
      if (output === 'cut') return this.cut()
      if (isFrame(output) || typeof output === 'string' || output instanceof Uint8Array) {
        if (this.#counts()) return this.cut()
        this.#socket.send(isFrame(output) ? JSON.stringify(output) : output)
      } else if ('waitMs' in output) await this.#wait(output.waitMs)
      else this.#socket.close(output.close)
    }
  }
}
