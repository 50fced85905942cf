import type { NostrEvent } from '../event.ts'
import type { EventStore, Visibility } from '../event-store.ts'
import type { Filter } from '../filter.ts'
import type { Delivery } from './delivery.ts'
import { LiveIndex } from './live-index.ts'
import type { Subscription } from './subscription.ts'
import { isVisible } from './visibility.ts'

/** One subscription and where its events go. */
export interface LiveReader {
  readonly filters: readonly Filter[]
  readonly subscription: Subscription
  readonly delivery: Delivery
  visibility(): Visibility
}

/** Brings what the store has newly accepted to the subscriptions that match. */
export class LiveFanOut implements Disposable {
  readonly #index = new LiveIndex<LiveReader>()
  readonly #listening: Disposable
  /** Resolves when `lastSeq` is known; until then no subscription may be added. */
  readonly ready: Promise<void>
  #lastSeq = 0

  constructor(store: Pick<EventStore<unknown>, 'onAccepted' | 'lastSeq'>) {
    this.#listening = store.onAccepted((events, raws, seqs) => {
      for (const [at, event] of events.entries()) this.#accept(event, raws[at]!, seqs[at]!)
    })
    this.ready = store.lastSeq().then((seq) => {
      this.#lastSeq = Math.max(this.#lastSeq, seq)
    })
    // Whoever needs it awaits it; a relay that nobody has connected to yet must not end the process.
    this.ready.catch(() => {})
  }

  /** The highest `seq` whose event has been offered to all its readers. */
  get lastSeq(): number {
    return this.#lastSeq
  }

  add(reader: LiveReader): void {
    this.#index.add(reader)
  }

  remove(reader: LiveReader): void {
    this.#index.remove(reader)
  }

  [Symbol.dispose](): void {
    this.#listening[Symbol.dispose]()
  }

  #accept(event: NostrEvent, raw: string, seq: number): void {
    this.#lastSeq = Math.max(this.#lastSeq, seq)
    for (const reader of this.#index.candidates(event)) {
      const { subscription, delivery } = reader
      if (subscription.matches(event) && isVisible(event, reader.visibility()))
        delivery.offer(subscription, raw, seq)
    }
  }
}
