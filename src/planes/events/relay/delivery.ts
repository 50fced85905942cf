import type { NostrEvent, StoredEvent } from '../event.ts'
import type { EventStore, Visibility } from '../event-store.ts'
import type { Outbound } from './outbound.ts'
import { type StoredSink, withoutLimit } from './stored-phase.ts'
import { eventFrame, type Subscription } from './subscription.ts'
import type { Turns } from './turns.ts'

export interface DeliveryContext {
  readonly store: Pick<EventStore<unknown>, 'page'>
  readonly outbound: Pick<Outbound, 'hasRoom' | 'reading' | 'room' | 'send'>
  /** Shared with all other connections. */
  readonly turns: Turns
  /** What the reader may see now; grows with each AUTH. */
  visibility(): Visibility
  /** The highest `seq` of which live readers have been told. */
  lastSeq(): number
  /** A subscription could not be served: the store failed. */
  onFailure(subscription: Subscription, error: unknown): void
  /** An ephemeral event found no room. */
  onDropped(count: number): void
}

/** Rows of one read by arrival. */
const refillRows = 100

/** Ephemeral events a subscription may keep while its stored events are being sent. */
const maxWaiting = 100

/**
 * Everything one connection is owed, sent by one loop: stored events and what was accepted while there was no room.
 * Subscriptions take turns, each until it is done or the socket has no room.
 */
export class Delivery {
  readonly #context: DeliveryContext
  readonly #queue = new Set<Subscription>()
  #running = false
  #closed = false

  constructor(context: DeliveryContext) {
    this.#context = context
  }

  /** Starts with the stored phase. */
  start(subscription: Subscription): void {
    this.#queue.add(subscription)
    void this.#run()
  }

  /** Nothing more is sent on it. */
  stop(subscription: Subscription): void {
    subscription.closed = true
    this.#queue.delete(subscription)
  }

  close(): void {
    this.#closed = true
    this.#queue.clear()
  }

  /** A newly accepted event that matches. `seq` 0: ephemeral. */
  offer(subscription: Subscription, raw: string, seq: number): void {
    const { outbound } = this.#context
    if (subscription.state !== 'live') {
      // What has a `seq` will be read from the store.
      if (seq === 0) this.#keepWaiting(subscription, raw)
    } else if (subscription.ahead.delete(seq)) {
      return
    } else if (outbound.hasRoom) {
      outbound.send(eventFrame(subscription.quotedId, raw))
    } else if (seq === 0) {
      this.#context.onDropped(1)
    } else {
      subscription.state = 'behind'
      subscription.position = seq - 1
      this.start(subscription)
    }
  }

  #keepWaiting(subscription: Subscription, raw: string): void {
    if (subscription.waiting.length < maxWaiting) subscription.waiting.push(raw)
    else this.#context.onDropped(1)
  }

  async #run(): Promise<void> {
    if (this.#running) return
    this.#running = true
    try {
      while (!this.#closed && this.#queue.size > 0 && (await this.#context.outbound.room())) {
        await this.#takeTurn()
      }
    } finally {
      // In the turn that found nothing more to do, or a subscription started right after it would wait for ever.
      this.#running = false
    }
  }

  async #takeTurn(): Promise<void> {
    const [subscription] = this.#queue
    if (subscription === undefined) return
    this.#queue.delete(subscription)
    try {
      await this.#advance(subscription)
    } catch (error) {
      if (!subscription.closed && !this.#closed) this.#context.onFailure(subscription, error)
      return
    }
    if (!subscription.closed && subscription.state !== 'live') this.#queue.add(subscription)
  }

  async #advance(subscription: Subscription): Promise<void> {
    if (subscription.state === 'stored') await this.#sendStored(subscription)
    if (subscription.state === 'behind') await this.#refill(subscription)
  }

  async #sendStored(subscription: Subscription): Promise<void> {
    const { outbound } = this.#context
    const { stored } = subscription
    const send = ({ seq, raw }: StoredEvent) => {
      if (subscription.closed) return false
      outbound.send(eventFrame(subscription.quotedId, raw))
      if (seq > subscription.position) subscription.ahead.add(seq)
      return outbound.hasRoom
    }
    const sink: StoredSink = { send, reading: (read) => this.#reading(read) }
    await stored.advance(sink, this.#context.visibility())
    if (!stored.done || subscription.closed) return
    outbound.send(
      `["EOSE",${subscription.quotedId}${stored.hint === undefined ? '' : `,["${stored.hint}"]`}]`,
    )
    subscription.state = 'behind'
  }

  async #refill(subscription: Subscription): Promise<void> {
    const { outbound, store, lastSeq } = this.#context
    while (!subscription.closed && outbound.hasRoom) {
      if (subscription.refill === undefined) {
        const target = lastSeq()
        if (subscription.position >= target) return this.#becomeLive(subscription)
        subscription.refill = { target, filter: 0, cursor: subscription.position }
      }
      const { refill } = subscription
      const page = await this.#reading((bytes) =>
        store.page({
          filter: withoutLimit(subscription.filters[refill.filter]!),
          order: 'seq',
          after: refill.cursor,
          limit: refillRows,
          maxCharacters: bytes,
          visibility: this.#context.visibility(),
        }),
      )
      let reached = page.complete
      for (const { seq, raw } of page.events) {
        if (seq > refill.target) {
          reached = true
          break
        }
        if (subscription.closed) return
        // No room: the rest of the page is read again later.
        if (!outbound.hasRoom) return
        refill.cursor = seq
        if (subscription.ahead.delete(seq) || this.#sentByEarlierFilter(subscription, refill.filter, raw))
          continue
        outbound.send(eventFrame(subscription.quotedId, raw))
      }
      if (reached) this.#nextFilter(subscription)
    }
  }

  async #reading<T>(read: (bytes: number) => Promise<T>): Promise<T> {
    const turn = this.#context.turns.take()
    if (turn !== undefined) await turn
    return this.#context.outbound.reading(read)
  }

  /** Filters are read one after the other; what an earlier one matches was sent with it. */
  #sentByEarlierFilter(subscription: Subscription, filter: number, raw: string): boolean {
    if (filter === 0) return false
    const event = JSON.parse(raw) as NostrEvent
    return subscription.matchers.slice(0, filter).some((matches) => matches(event))
  }

  #nextFilter(subscription: Subscription): void {
    const { refill } = subscription
    if (refill === undefined) return
    refill.filter += 1
    refill.cursor = subscription.position
    if (refill.filter < subscription.filters.length) return
    subscription.position = refill.target
    subscription.refill = undefined
  }

  #becomeLive(subscription: Subscription): void {
    subscription.state = 'live'
    for (const raw of subscription.waiting.splice(0))
      this.#context.outbound.send(eventFrame(subscription.quotedId, raw))
  }
}
