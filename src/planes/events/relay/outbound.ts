import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'

/**
 * What one process may hold in unsent bytes, over all sockets. Beyond `limit` every socket's high-water mark shrinks to
 * 64 KiB: a thousand slow readers must not cost a thousand times 1 MiB (T-MAL-20).
 */
export class OutboundBudget {
  readonly limit: number
  #used = 0

  constructor(limit: number) {
    this.limit = limit
  }

  get used(): number {
    return this.#used
  }

  add(bytes: number): void {
    this.#used += bytes
  }

  get exhausted(): boolean {
    return this.#used >= this.limit
  }
}

/** What a socket may always have pending, however many others are slow. */
const reservedBytes = 64 * 1024

/**
 * The sending half of one socket. Whoever produces much asks `hasRoom` before each message and waits for `room()` when
 * there is none; short answers (OK, EOSE, NOTICE) are sent regardless, and stay bounded because no further request is
 * read while there is no room.
 */
export class Outbound {
  readonly #socket: WebSocket
  readonly #stream: Duplex
  readonly #highWater: number
  readonly #budget: OutboundBudget
  #waiting: ((open: boolean) => void)[] = []
  #accounted = 0
  #corked = false
  #closed = false
  #sentBytes = 0

  constructor(socket: WebSocket, stream: Duplex, highWater: number, budget: OutboundBudget) {
    this.#socket = socket
    this.#stream = stream
    this.#highWater = highWater
    this.#budget = budget
  }

  /** Bytes handed over and not yet taken by the operating system. */
  get pending(): number {
    return this.#socket.bufferedAmount
  }

  /** All bytes ever handed over. */
  get sentBytes(): number {
    return this.#sentBytes
  }

  get hasRoom(): boolean {
    return this.pending < this.#limit
  }

  /**
   * Runs `read` for as many bytes as there is room for, counting them as used meanwhile: a thousand readers that are
   * served at once must not each hold a page that finds no room when it is read.
   */
  async reading<T>(read: (bytes: number) => Promise<T>): Promise<T> {
    const bytes = Math.max(0, this.#limit - this.pending)
    this.#budget.add(bytes)
    try {
      return await read(bytes)
    } finally {
      this.#budget.add(-bytes)
    }
  }

  /** Resolves when there is room: true; or when the socket is closed: false. */
  room(): Promise<boolean> {
    if (this.#closed) return Promise.resolve(false)
    if (this.hasRoom) return Promise.resolve(true)
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** A message on a closed socket is dropped: its reader is gone. */
  send(text: string): void {
    if (this.#closed || this.#socket.readyState !== this.#socket.OPEN) return
    // One system call for all messages of a turn; ws would make one for each.
    if (!this.#corked) {
      this.#corked = true
      this.#stream.cork()
      process.nextTick(() => {
        this.#corked = false
        this.#stream.uncork()
        this.#account()
      })
    }
    // As bytes, because a stream counts strings in UTF-16 units and the high-water mark is in bytes.
    const bytes = Buffer.from(text)
    this.#sentBytes += bytes.length
    this.#socket.send(bytes, { binary: false }, this.#onWritten)
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#budget.add(-this.#accounted)
    this.#accounted = 0
    this.#wake(false)
  }

  /**
   * Called once for each message. Not the stream's `drain`, which never comes while compression is what messages wait
   * for. Its error is left aside: a failed write closes the socket, which has its own event.
   */
  readonly #onWritten = (): void => {
    if (this.#closed) return
    if (this.#accounted > 0) this.#account()
    // Half empty, so that a producer is woken for a stretch of work and not for each message.
    if (this.#waiting.length > 0 && this.pending * 2 <= this.#limit) this.#wake(true)
  }

  get #limit(): number {
    return this.#budget.exhausted ? reservedBytes : this.#highWater
  }

  #account(): void {
    if (this.#closed) return
    const pending = this.pending
    this.#budget.add(pending - this.#accounted)
    this.#accounted = pending
  }

  #wake(open: boolean): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve(open)
  }
}
