import type { Clock } from '../../../kernel/clock.ts'
import type { Logger } from '../../../kernel/logger.ts'
import type { Bulk } from '../bulk/bulk.ts'
import { EventError } from '../event-error.ts'
import { parseEvent } from '../event-parser.ts'
import type { EventStore, Visibility } from '../event-store.ts'
import type { Filter } from '../filter.ts'
import { matcher } from '../filter-match.ts'
import { parseFilter } from '../filter-parser.ts'
import type { Ingest, IngestResult } from '../ingest.ts'
import type { Limits } from '../limits.ts'
import type { ReadPolicy } from '../policy/read-policy.ts'
import type { Verifier } from '../verifier.ts'
import { authRefusal } from './auth-challenge.ts'
import { count } from './count.ts'
import { Delivery } from './delivery.ts'
import { type BadFrame, type ClientFrame, closed, noticeFrame, okFrame } from './frame.ts'
import type { Admission } from './limiter.ts'
import type { LiveFanOut, LiveReader } from './live-fan-out.ts'
import { Negotiation } from './negotiation.ts'
import type { Outbound } from './outbound.ts'
import { PublishQueue } from './publish-queue.ts'
import { StoredPhase } from './stored-phase.ts'
import { Subscription } from './subscription.ts'
import { type SyncPageAccess, SyncPages } from './sync-pages.ts'
import type { Turns } from './turns.ts'

/** What all sessions of a relay share. */
export interface SessionServices {
  readonly store: EventStore<unknown>
  readonly ingest: Pick<Ingest<unknown>, 'accept'>
  readonly verifier: Verifier
  readonly limits: Limits
  readonly clock: Clock
  readonly live: LiveFanOut
  readonly turns: Turns
  readonly readPolicy: ReadPolicy
  readonly bulk: Pick<Bulk, 'pageEvents'>
  readonly syncPage: SyncPageAccess
  readonly counters: RelayCounters
  /** The public addresses an AUTH event may name. */
  relayUrls(): readonly string[]
  /** A fresh unguessable text. */
  newChallenge(): string
}

export interface RelayCounters {
  accepted: number
  refused: number
  badMessages: number
  failures: number
  ephemeralsDropped: number
}

/** One peer's side of its session. */
export interface SessionPeer {
  readonly address: string
  readonly outbound: Outbound
  readonly admission: Admission
  readonly log: Logger
  /** Aborted when the connection ends. */
  readonly signal: AbortSignal
  /** The peer sent too much that makes no sense. */
  onAbuse(): void
}

/** A forged signature costs its sender as much as this many events: nobody honest sends one. */
const forgeryCost = 10

/** Public keys that may authenticate on one connection (NIP-42 allows several). */
const maxPubkeys = 16

/** The conversation with one client: its subscriptions, its identities, its negentropy sessions. */
export class Session {
  readonly #services: SessionServices
  readonly #peer: SessionPeer
  readonly #delivery: Delivery
  readonly #negotiation: Negotiation
  readonly #pages: SyncPages
  readonly #publish: PublishQueue
  readonly #readers = new Map<string, OpenReader>()
  #pubkeys: readonly string[] = []
  #visibility: Visibility
  #challenge: string | undefined
  #paceMs = 0

  constructor(services: SessionServices, peer: SessionPeer) {
    this.#services = services
    this.#peer = peer
    const { store, live, turns, limits, clock, ingest, readPolicy, counters } = services
    const { outbound, admission, signal } = peer
    const visibility = () => this.#visibility
    const send = (text: string) => outbound.send(text)
    this.#visibility = readPolicy.visibility([])
    this.#delivery = new Delivery({
      store,
      outbound,
      turns,
      visibility,
      lastSeq: () => live.lastSeq,
      onFailure: (subscription, error) => {
        this.#failed(error)
        this.#unsubscribe(subscription.id)
        send(closed(subscription.id, 'error: the relay could not answer'))
      },
      onDropped: (count) => {
        counters.ephemeralsDropped += count
      },
    })
    this.#negotiation = new Negotiation({
      store,
      limits,
      admission,
      clock,
      readPolicy,
      send,
      pubkeys: () => this.#pubkeys,
      challenge: () => this.challenge(),
      onFailure: (error) => this.#failed(error),
    })
    this.#pages = new SyncPages({
      access: services.syncPage,
      bulk: services.bulk,
      readPolicy,
      limits,
      outbound,
      turns,
      remote: peer.address,
      signal,
      pubkeys: () => this.#pubkeys,
      challenge: () => this.challenge(),
      onFailure: (error) => this.#failed(error),
    })
    this.#publish = new PublishQueue({
      ingest,
      signal,
      context: () => ({
        source: 'client',
        remote: peer.address,
        authenticated: this.#pubkeys,
      }),
      onResults: (raws, results) => this.#answerEvents(raws, results),
      onFailure: (raws, error) => {
        this.#failed(error)
        for (const raw of raws) this.#answerEvent(raw, false, 'error: the relay could not store the event')
      },
      maxEvents: limits.maxEventsInFlight,
      maxBytes: limits.maxBytesInFlight,
    })
  }

  get subscriptions(): number {
    return this.#readers.size
  }

  get negotiations(): number {
    return this.#negotiation.size
  }

  /** Milliseconds for which nothing more may be read from the peer, for what it has spent since the last call. */
  takePace(): number {
    const pace = this.#paceMs
    this.#paceMs = 0
    return pace
  }

  /** Sends a challenge unless one is out. */
  challenge(): void {
    if (this.#challenge !== undefined) return
    this.#challenge = this.#services.newChallenge()
    this.#peer.outbound.send(JSON.stringify(['AUTH', this.#challenge]))
  }

  /** Answers one frame. The promise, if any, has to be awaited before the next one. Never throws for bad input. */
  handle(frame: ClientFrame | BadFrame): Promise<void> | undefined {
    switch (frame.verb) {
      case 'bad':
        this.#bad(frame.answer)
        return undefined
      case 'EVENT':
        this.#spend(this.#peer.admission.spendEvents(1))
        this.#publish.push(frame.raw)
        return this.#publish.hasRoom ? undefined : this.#publish.room()
      case 'CLOSE':
        this.#unsubscribe(frame.id)
        return undefined
      case 'NEG-CLOSE':
        return this.#negotiation.close(frame.id)
      case 'NEG-MSG':
        return this.#negotiation.message(frame.id, frame.message)
      case 'REQ':
        this.#spend(this.#peer.admission.spendRequest())
        this.#subscribe(frame.id, frame.filters)
        return undefined
      case 'COUNT':
        this.#spend(this.#peer.admission.spendRequest())
        return this.#count(frame.id, frame.filters)
      case 'NEG-OPEN':
        this.#spend(this.#peer.admission.spendRequest())
        return this.#negotiation.open(frame.id, frame.filter, frame.message)
      case 'SYNC-PAGE':
        this.#spend(this.#peer.admission.spendRequest())
        this.#pages.open(frame.id, frame.request)
        return undefined
      case 'AUTH':
        this.#spend(this.#peer.admission.spendRequest())
        return this.#authenticate(frame.raw)
    }
  }

  /** Regular housekeeping. */
  sweep(): Promise<void> {
    return this.#negotiation.sweep()
  }

  /** What may be read here has changed: ends what was opened under other rights. */
  async recheck(): Promise<void> {
    const { readPolicy } = this.#services
    this.#visibility = readPolicy.visibility(this.#pubkeys)
    for (const [id, { filters }] of [...this.#readers]) {
      const denial = readPolicy.refuse(filters, this.#pubkeys)
      if (denial === undefined) continue
      this.#unsubscribe(id)
      this.#close(id, denial.reason)
    }
    await this.#negotiation.revoke()
  }

  /** Resolves when every event and every request for a page has its answer. */
  async settle(): Promise<void> {
    await this.#publish.idle()
    await this.#pages.idle()
  }

  /** Ends the session. Call it when no frame is being handled any more. */
  async close(): Promise<void> {
    this.#delivery.close()
    for (const id of [...this.#readers.keys()]) this.#unsubscribe(id)
    await this.#negotiation.clear()
    await this.#pages.idle()
  }

  #subscribe(id: string, inputs: readonly unknown[]): void {
    this.#unsubscribe(id)
    const { limits, live, store } = this.#services
    const filters = this.#parseFilters(id, inputs)
    if (filters === undefined) return
    if (this.#readers.size >= limits.maxSubscriptions)
      return this.#close(id, `blocked: no more than ${limits.maxSubscriptions} subscriptions per connection`)
    const release = this.#peer.admission.holdValues(countValues(filters))
    if (release === undefined)
      return this.#close(id, 'blocked: the subscriptions hold too many filter values')
    const subscription = new Subscription(
      id,
      filters,
      filters.map(matcher),
      new StoredPhase(store, filters, limits),
      live.lastSeq,
    )
    const reader: OpenReader = {
      filters,
      subscription,
      delivery: this.#delivery,
      visibility: () => this.#visibility,
      release,
    }
    this.#readers.set(id, reader)
    live.add(reader)
    this.#delivery.start(subscription)
  }

  #unsubscribe(id: string): void {
    const reader = this.#readers.get(id)
    if (reader === undefined) return
    this.#readers.delete(id)
    this.#services.live.remove(reader)
    reader.release()
    this.#delivery.stop(reader.subscription)
  }

  async #count(id: string, inputs: readonly unknown[]): Promise<void> {
    const filters = this.#parseFilters(id, inputs)
    if (filters === undefined) return
    try {
      const visibility = this.#services.readPolicy.visibility(this.#pubkeys, filters)
      const answer = await count(this.#services.store, filters, visibility)
      this.#peer.outbound.send(JSON.stringify(['COUNT', id, answer]))
    } catch (error) {
      this.#failed(error)
      this.#close(id, 'error: the relay could not answer')
    }
  }

  /** The filters, or undefined when the request has been refused. */
  #parseFilters(id: string, inputs: readonly unknown[]): readonly Filter[] | undefined {
    const { limits, readPolicy } = this.#services
    try {
      if (inputs.length > limits.maxFilters)
        throw new EventError(
          'filter/too-many-filters',
          'invalid',
          `no more than ${limits.maxFilters} filters`,
        )
      const filters = inputs.map((input) => parseFilter(input, limits))
      const denial = readPolicy.refuse(filters, this.#pubkeys)
      if (denial === undefined) return filters
      if (denial.code === 'auth_required') this.challenge()
      this.#close(id, denial.reason)
    } catch (error) {
      if (error instanceof EventError) this.#close(id, error.reason)
      else throw error
    }
    return undefined
  }

  async #authenticate(raw: string): Promise<void> {
    const { limits, clock, verifier } = this.#services
    // What was published before this AUTH was published without it.
    this.#publish.flush()
    try {
      const { event } = parseEvent(raw, limits)
      const now = Math.floor(clock.now() / 1_000)
      const relayUrls = this.#services.relayUrls()
      const expected = { challenge: this.#challenge, relayUrls, now, maxAge: limits.maxAuthAge }
      const [genuine] = await verifier.verify([event], this.#peer.signal)
      const refusal = genuine === true ? authRefusal(event, expected) : 'invalid: the signature is wrong'
      if (refusal === undefined) this.#identify(event.pubkey)
      this.#answerEvent(raw, refusal === undefined, refusal ?? '')
    } catch (error) {
      if (error instanceof EventError) return this.#answerEvent(raw, false, error.reason)
      this.#failed(error)
      this.#answerEvent(raw, false, 'error: the relay could not check the event')
    }
  }

  #identify(pubkey: string): void {
    if (this.#pubkeys.includes(pubkey)) return
    // The oldest makes room: a connection that keeps changing identities must not grow.
    this.#pubkeys = [...this.#pubkeys, pubkey].slice(-maxPubkeys)
    this.#visibility = this.#services.readPolicy.visibility(this.#pubkeys)
  }

  #answerEvents(raws: readonly string[], results: readonly IngestResult[]): void {
    for (const [at, { accepted, reason, code }] of results.entries()) {
      if (reason.startsWith('auth-required:')) this.challenge()
      if (code === 'event/wrong-signature') this.#spend(this.#peer.admission.spendEvents(forgeryCost))
      this.#answerEvent(raws[at]!, accepted, reason)
    }
  }

  #answerEvent(raw: string, accepted: boolean, reason: string): void {
    const { counters } = this.#services
    if (accepted) counters.accepted += 1
    else counters.refused += 1
    const id = idOf(raw)
    this.#peer.outbound.send(id === undefined ? noticeFrame(reason) : okFrame(id, accepted, reason))
  }

  #close(id: string, reason: string): void {
    this.#peer.outbound.send(closed(id, reason))
  }

  #bad(answer: string): void {
    this.#services.counters.badMessages += 1
    this.#peer.outbound.send(answer)
    if (!this.#peer.admission.badMessage()) this.#peer.onAbuse()
  }

  #failed(error: unknown): void {
    if (this.#peer.signal.aborted) return
    this.#services.counters.failures += 1
    this.#peer.log.error('a request could not be answered', { error })
  }

  #spend(ms: number): void {
    this.#paceMs = Math.max(this.#paceMs, ms)
  }
}

interface OpenReader extends LiveReader {
  /** Gives back what the limiter counted for it. */
  readonly release: () => void
}

function countValues(filters: readonly Filter[]): number {
  const values = filters.flatMap((filter) => Object.values(filter))
  return values.reduce((sum, value) => sum + (Array.isArray(value) ? value.length : 1), 0)
}

/** The id an answer can name, without parsing what may be unparsable. In JSON strings a quote has a backslash. */
function idOf(raw: string): string | undefined {
  return /"id"\s*:\s*"([^"\\]{1,64})"/.exec(raw)?.[1]
}
