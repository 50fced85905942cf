import type { Clock } from '../../../kernel/clock.ts'

export interface HostBounds {
  readonly maxInFlight: number
  /** Requests begun in any `windowMs`. */
  readonly maxPerWindow: number
  readonly windowMs: number
  /** How long a host that will be no better in a minute is left alone. */
  readonly naughtyMs: number
}

/** Specs proactive §9.5, §9.8. */
const defaultHostBounds: HostBounds = {
  maxInFlight: 5,
  maxPerWindow: 60,
  windowMs: 60_000,
  naughtyMs: 12 * 3_600_000,
}

interface Host {
  inFlight: number
  /** Monotonic times at which the latest requests began, oldest first. */
  readonly starts: number[]
  /** In the order of asking: whoever had a turn asks again behind all the others, which is the round robin. */
  readonly waiting: Set<() => void>
  timer: AbortController | undefined
}

/** What is remembered of hosts, which anybody can make up. */
const maxHosts = 10_000

/** Keeps this node polite to each host of clone URLs, whatever the others do. */
export class HostThrottle implements Disposable {
  readonly #clock: Clock
  readonly #bounds: HostBounds
  readonly #hosts = new Map<string, Host>()
  readonly #naughty = new Map<string, number>()
  readonly #stop = new AbortController()

  constructor(clock: Clock, bounds: HostBounds = defaultHostBounds) {
    this.#clock = clock
    this.#bounds = bounds
  }

  /** A turn at this host, until disposed of. Rejects when the signal aborts first. */
  async take(name: string, signal: AbortSignal): Promise<Disposable> {
    signal.throwIfAborted()
    const host = this.#host(name)
    await new Promise<void>((resolve, reject) => {
      const onAbort = () => {
        host.waiting.delete(start)
        reject(signal.reason)
      }
      const start = () => {
        signal.removeEventListener('abort', onAbort)
        resolve()
      }
      signal.addEventListener('abort', onAbort, { once: true })
      host.waiting.add(start)
      this.#pump(host)
    })
    return {
      [Symbol.dispose]: () => {
        host.inFlight--
        this.#pump(host)
      },
    }
  }

  /** Left alone from its first offence on; later ones do not prolong it. Answers whether this is news. */
  blame(name: string): boolean {
    if (this.isNaughty(name)) return false
    this.#naughty.set(name, this.#clock.monotonic() + this.#bounds.naughtyMs)
    const [oldest] = this.#naughty.keys()
    if (this.#naughty.size > maxHosts && oldest !== undefined) this.#naughty.delete(oldest)
    return true
  }

  isNaughty(name: string): boolean {
    const until = this.#naughty.get(name)
    if (until === undefined) return false
    if (until > this.#clock.monotonic()) return true
    this.#naughty.delete(name)
    return false
  }

  get status(): { readonly inFlight: number; readonly waiting: number; readonly naughty: number } {
    const hosts = [...this.#hosts.values()]
    return {
      inFlight: hosts.reduce((sum, { inFlight }) => sum + inFlight, 0),
      waiting: hosts.reduce((sum, { waiting }) => sum + waiting.size, 0),
      naughty: [...this.#naughty.keys()].filter((name) => this.isNaughty(name)).length,
    }
  }

  [Symbol.dispose](): void {
    this.#stop.abort()
    for (const { timer } of this.#hosts.values()) timer?.abort()
  }

  #host(name: string): Host {
    const known = this.#hosts.get(name)
    if (known !== undefined) return known
    if (this.#hosts.size >= maxHosts) this.#forgetIdle()
    const host: Host = { inFlight: 0, starts: [], waiting: new Set(), timer: undefined }
    this.#hosts.set(name, host)
    return host
  }

  #forgetIdle(): void {
    for (const [name, host] of this.#hosts) {
      this.#dropOldStarts(host)
      if (host.inFlight + host.waiting.size + host.starts.length === 0) this.#hosts.delete(name)
    }
  }

  #dropOldStarts({ starts }: Host): void {
    const since = this.#clock.monotonic() - this.#bounds.windowMs
    while (starts[0] !== undefined && starts[0] <= since) starts.shift()
  }

  #pump(host: Host): void {
    const { maxInFlight, maxPerWindow } = this.#bounds
    this.#dropOldStarts(host)
    for (const start of host.waiting) {
      if (host.inFlight >= maxInFlight) return
      if (host.starts.length >= maxPerWindow) return this.#wakeLater(host)
      host.waiting.delete(start)
      host.inFlight++
      host.starts.push(this.#clock.monotonic())
      start()
    }
  }

  /** With a full window and nothing in flight nobody else would ever look again. */
  #wakeLater(host: Host): void {
    const [oldest] = host.starts
    if (host.timer !== undefined || oldest === undefined || this.#stop.signal.aborted) return
    const timer = new AbortController()
    host.timer = timer
    const ms = oldest + this.#bounds.windowMs - this.#clock.monotonic()
    void this.#clock.sleep(ms, timer.signal).then(
      () => {
        host.timer = undefined
        this.#pump(host)
      },
      () => {},
    )
  }
}
