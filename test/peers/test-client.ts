import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { WebSocket } from 'ws'

export type Frame = readonly [verb: string, ...rest: unknown[]]

/** A client that keeps every frame it gets until the test asks for it. */
export class TestClient implements Disposable {
  readonly socket: WebSocket
  readonly #frames: Frame[] = []
  #waiting: (() => void) | undefined
  #closed: { readonly code: number; readonly reason: string } | undefined

  static async connect(
    url: string,
    options: ConstructorParameters<typeof WebSocket>[2] = {},
  ): Promise<TestClient> {
    const client = new TestClient(new WebSocket(url, { perMessageDeflate: false, ...options }))
    await once(client.socket, 'open')
    return client
  }

  private constructor(socket: WebSocket) {
    this.socket = socket
    socket.on('message', (data) => {
      this.#frames.push(JSON.parse(String(data)) as Frame)
      this.#waiting?.()
    })
    socket.on('close', (code, reason) => {
      this.#closed = { code, reason: String(reason) }
      this.#waiting?.()
    })
    socket.on('error', () => {})
  }

  /** A frame, or text or bytes as they are. */
  send(frame: Frame | string | Uint8Array): void {
    this.socket.send(typeof frame === 'string' || frame instanceof Uint8Array ? frame : JSON.stringify(frame))
  }

  /** Several frames as one piece of TCP, so that the relay sees all of them before it answers the first. */
  sendTogether(frames: readonly Frame[]): void {
    const { _socket: stream } = this.socket as unknown as { _socket: Duplex }
    stream.cork()
    for (const frame of frames) this.send(frame)
    stream.uncork()
  }

  /** The next frame. Throws when the relay closes the connection instead. */
  async next(): Promise<Frame> {
    while (this.#frames.length === 0) {
      if (this.#closed !== undefined)
        throw new Error(`closed with ${this.#closed.code} ${this.#closed.reason}`)
      await this.#change()
    }
    return this.#frames.shift()!
  }

  /** Sends, and answers the next frame. */
  ask(frame: Frame | string | Uint8Array): Promise<Frame> {
    this.send(frame)
    return this.next()
  }

  /** All frames up to and including the first with this verb. */
  async until(verb: string): Promise<Frame[]> {
    const frames: Frame[] = []
    do frames.push(await this.next())
    while (frames.at(-1)?.[0] !== verb)
    return frames
  }

  /** The stored events of a REQ, and its EOSE or CLOSED. */
  async request(id: string, ...filters: readonly object[]): Promise<{ events: TestEvent[]; end: Frame }> {
    this.send(['REQ', id, ...filters])
    const frames: Frame[] = []
    do frames.push(await this.next())
    while (!(frames.at(-1)![1] === id && ['EOSE', 'CLOSED'].includes(frames.at(-1)![0])))
    const end = frames.pop()!
    return { events: frames.filter(([verb, sub]) => verb === 'EVENT' && sub === id).map(eventOf), end }
  }

  /** Resolves when the relay has answered everything sent before, with what it sent until then. */
  async settled(): Promise<Frame[]> {
    const frames: Frame[] = []
    this.send(['COUNT', 'settled', { ids: [] }])
    for (;;) {
      const frame = await this.next()
      if (frame[0] === 'COUNT' && frame[1] === 'settled') return frames
      frames.push(frame)
    }
  }

  /** Resolves with the code and reason when the connection is closed. */
  async closed(): Promise<{ readonly code: number; readonly reason: string }> {
    while (this.#closed === undefined) await this.#change()
    return this.#closed
  }

  [Symbol.dispose](): void {
    this.socket.terminate()
  }

  /** Rejects after a while: a frame that never comes must fail its test, not hang it. */
  #change(): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('the relay sent nothing for 15 s')), 15_000)
      this.#waiting = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}

export interface TestEvent {
  readonly id: string
  readonly pubkey: string
  readonly created_at: number
  readonly kind: number
  readonly tags: string[][]
  readonly content: string
  readonly sig: string
}

export function eventOf(frame: Frame): TestEvent {
  return frame[2] as TestEvent
}
