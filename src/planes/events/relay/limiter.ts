import { isIPv6 } from 'node:net'
import type { Clock } from '../../../kernel/clock.ts'
import type { Limits } from '../limits.ts'
import { TokenBucket } from './token-bucket.ts'

/** Why a connection is not let in. */
export type Refusal = 'relay-full' | 'address-full' | 'address-too-fast'

interface AddressState {
  readonly events: TokenBucket
  readonly requests: TokenBucket
  connections: number
}

/**
 * Everything the relay counts across connections: how many there are, in all and from one address, what they spend, and
 * the negentropy sessions of the process. One object, so that no door has a limit of its own.
 *
 * Rates slow down instead of refusing: who spends more than his rate is told for how long to stop reading from him, so a
 * flood meets TCP's backpressure and an honest bulk upload loses nothing (promises K8, K9).
 */
export class Limiter {
  readonly limits: Limits
  readonly #clock: Clock
  readonly #addresses = new Map<string, AddressState>()
  readonly #events: TokenBucket
  #connections = 0
  #negotiations = 0
  #values = 0
  #records = 0

  constructor(limits: Limits, clock: Clock) {
    this.limits = limits
    this.#clock = clock
    this.#events = bucket(limits.eventsPerRelay, limits, clock)
  }

  get connections(): number {
    return this.#connections
  }

  get negotiations(): number {
    return this.#negotiations
  }

  /** A request over HTTP that is no handshake. False: too many from there. */
  request(address: string): boolean {
    return this.#state(address).requests.tryTake()
  }

  /** @param address the client's IP address */
  connect(address: string): Admission | Refusal {
    if (this.#connections >= this.limits.maxConnections) return 'relay-full'
    const state = this.#state(address)
    if (state.connections >= this.limits.maxConnectionsPerAddress) return 'address-full'
    // A handshake costs like a request, or connecting anew would be the way around every other rate.
    if (!state.requests.tryTake()) return 'address-too-fast'
    this.#connections += 1
    state.connections += 1
    return new Admission(this.limits, this.#clock, state, this.#events, {
      leave: () => {
        this.#connections -= 1
        state.connections -= 1
      },
      negotiate: () => {
        if (this.#negotiations >= this.limits.maxNegSessions) return undefined
        this.#negotiations += 1
        return () => {
          this.#negotiations -= 1
        }
      },
      holdRecords: (count) => {
        if (count > 0 && this.#records + count > this.limits.maxNegRecordsInMemory) return undefined
        this.#records += count
        return () => {
          this.#records -= count
        }
      },
      holdValues: (count) => {
        if (this.#values + count > this.limits.maxSubscriptionValuesTotal) return undefined
        this.#values += count
        return () => {
          this.#values -= count
        }
      },
    })
  }

  /** Forgets addresses that are gone and owe nothing. Called regularly, so the table is bounded by recent visitors. */
  prune(): void {
    for (const [key, state] of this.#addresses)
      if (state.connections === 0 && state.events.full && state.requests.full) this.#addresses.delete(key)
  }

  #state(address: string): AddressState {
    const key = addressKey(address)
    const known = this.#addresses.get(key)
    if (known !== undefined) return known
    const state = {
      events: bucket(this.limits.eventsPerAddress, this.limits, this.#clock),
      requests: bucket(this.limits.requestsPerAddress, this.limits, this.#clock),
      connections: 0,
    }
    this.#addresses.set(key, state)
    return state
  }

  /** Addresses remembered. */
  get addresses(): number {
    return this.#addresses.size
  }
}

interface Shared {
  leave(): void
  negotiate(): (() => void) | undefined
  holdRecords(count: number): (() => void) | undefined
  holdValues(count: number): (() => void) | undefined
}

/** What one connection may still spend. Dispose it when the connection ends. */
export class Admission implements Disposable {
  readonly #limits: Limits
  readonly #address: AddressState
  readonly #relayEvents: TokenBucket
  readonly #events: TokenBucket
  readonly #requests: TokenBucket
  readonly #badMessages: TokenBucket
  readonly #shared: Shared
  #left = false
  #negotiations = 0
  #values = 0

  constructor(limits: Limits, clock: Clock, address: AddressState, relayEvents: TokenBucket, shared: Shared) {
    this.#limits = limits
    this.#address = address
    this.#relayEvents = relayEvents
    this.#shared = shared
    this.#events = bucket(limits.eventsPerConnection, limits, clock)
    this.#requests = bucket(limits.requestsPerConnection, limits, clock)
    const { badMessagesPerMinute: perMinute } = limits
    this.#badMessages = new TokenBucket({ perSecond: perMinute / 60, burst: perMinute }, clock)
  }

  /** @returns milliseconds for which to read nothing more from this connection */
  spendEvents(count: number): number {
    return Math.max(this.#events.take(count), this.#address.events.take(count), this.#relayEvents.take(count))
  }

  /** A REQ, COUNT, NEG-OPEN, SYNC-PAGE or AUTH. @returns milliseconds for which to read nothing more from this connection */
  spendRequest(): number {
    return Math.max(this.#requests.take(), this.#address.requests.take())
  }

  /** False: one too many, close the connection. */
  badMessage(): boolean {
    return this.#badMessages.tryTake()
  }

  /** What gives the session back, to be called once; or why there is none. */
  negotiate(): (() => void) | 'connection' | 'relay' {
    if (this.#negotiations >= this.#limits.maxNegSessionsPerConnection) return 'connection'
    const release = this.#shared.negotiate()
    if (release === undefined) return 'relay'
    this.#negotiations += 1
    return () => {
      this.#negotiations -= 1
      release()
    }
  }

  /** What gives back the records a negentropy session keeps in memory, to be called once; undefined: too many are. */
  holdRecords(count: number): (() => void) | undefined {
    return this.#shared.holdRecords(count)
  }

  /** What gives back the filter values of one subscription, to be called once; undefined: too many are held. */
  holdValues(count: number): (() => void) | undefined {
    if (this.#values + count > this.#limits.maxSubscriptionValues) return undefined
    const release = this.#shared.holdValues(count)
    if (release === undefined) return undefined
    this.#values += count
    return () => {
      this.#values -= count
      release()
    }
  }

  [Symbol.dispose](): void {
    if (this.#left) return
    this.#left = true
    this.#shared.leave()
  }
}

function bucket(perSecond: number, { burstSeconds }: Limits, clock: Clock): TokenBucket {
  return new TokenBucket({ perSecond, burst: perSecond * burstSeconds }, clock)
}

/** One subscriber has a whole /64 of IPv6, so that is what counts as one address. */
function addressKey(address: string): string {
  const plain = address.replace(/%.*$/, '').toLowerCase()
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(plain)
  if (mapped !== null) return mapped[1]!
  if (!isIPv6(plain)) return plain
  const [head = '', tail] = plain.split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const groups = [...left, ...Array<string>(Math.max(0, 8 - left.length - right.length)).fill('0'), ...right]
  return `${groups.slice(0, 4).join(':')}::/64`
}
