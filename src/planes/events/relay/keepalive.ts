/** Slower than this in reading what we send, and a peer counts as gone (promise K8). */
const minReadBytesPerSecond = 1_024

/** Unproven bytes that lengthen the deadline; more than this does not fit into the buffers of a connection. */
const maxAllowanceBytes = 8 * 1024 * 1024

export interface KeepaliveTimes {
  readonly pingIntervalMs: number
  readonly pongTimeoutMs: number
}

export interface KeepaliveInput {
  /** Monotonic milliseconds. */
  readonly now: number
  /** All bytes ever handed to the socket. */
  readonly sentBytes: number
  /** Of them, not yet taken by the operating system. */
  readonly pendingBytes: number
  /** We stopped reading, so an answer may be waiting in our own buffers. */
  readonly paused: boolean
}

export type KeepaliveVerdict = 'wait' | 'ping' | 'dead'

/**
 * Tells a peer that is gone from one that is only slow.
 *
 * A ping waits behind everything sent before it, also behind what the operating system holds and we cannot see. So the
 * deadline of a pong is 10 s plus the time those bytes take at 1 kB/s, counted anew from every sign of life: a frame
 * received, or bytes taken from our buffer. An idle connection is found dead after 30 s + 10 s; a peer that reads at
 * 1 kB/s or more never is.
 */
export class Keepalive {
  readonly #times: KeepaliveTimes
  #lastSign: number
  #lastPing: number
  #pinged: { readonly sentBytes: number } | undefined
  #provenBytes = 0
  #pendingBytes = 0

  constructor(times: KeepaliveTimes, now: number) {
    this.#times = times
    this.#lastSign = now
    this.#lastPing = now
  }

  received(now: number): void {
    this.#lastSign = now
  }

  pong(now: number): void {
    this.#lastSign = now
    if (this.#pinged === undefined) return
    this.#provenBytes = this.#pinged.sentBytes
    this.#pinged = undefined
  }

  check(input: KeepaliveInput): KeepaliveVerdict {
    const { now, sentBytes, pendingBytes, paused } = input
    // Paused with nothing pending: the peer waits for us, not we for it.
    if (pendingBytes < this.#pendingBytes || (paused && pendingBytes === 0)) this.#lastSign = now
    this.#pendingBytes = pendingBytes
    if (this.#pinged === undefined) {
      if (now - this.#lastPing < this.#times.pingIntervalMs) return 'wait'
      this.#lastPing = now
      this.#pinged = { sentBytes }
      return 'ping'
    }
    const unproven = Math.min(this.#pinged.sentBytes - this.#provenBytes, maxAllowanceBytes)
    const allowance = this.#times.pongTimeoutMs + (unproven / minReadBytesPerSecond) * 1_000
    return now - Math.max(this.#lastSign, this.#lastPing) > allowance ? 'dead' : 'wait'
  }
}
