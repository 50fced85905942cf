import type { BundleChangeEvent } from '../wire/watch.ts'
import { RowsError } from './rows-error.ts'

/** A bundle of a user came to be. */
export interface BundleChange extends BundleChangeEvent {
  readonly userPk: string
}

/**
 * Who waits for bundles of whom (§3.12). Each subscriber has room for one event: a newer one takes its place, since all it
 * says is that a pull is worth while. Publishing never waits.
 */
export class ChangeHub {
  readonly #subscribers = new Map<string, Set<ChangeSubscription>>()
  readonly #maxPerUser: number

  constructor(maxPerUser: number) {
    this.#maxPerUser = maxPerUser
  }

  /** Events up to `after` are not delivered. Throws `too_many_watchers` beyond the limit of the user. */
  subscribe(userPk: string, after: number): ChangeSubscription {
    const subscribers = this.#subscribers.get(userPk) ?? new Set()
    if (subscribers.size >= this.#maxPerUser)
      throw new RowsError(
        'too_many_watchers',
        `this user has ${subscribers.size} watch streams open, which is the limit`,
        {
          retryAfterSeconds: 60,
        },
      )
    const subscription = new ChangeSubscription(after, () => {
      subscribers.delete(subscription)
      if (subscribers.size === 0) this.#subscribers.delete(userPk)
    })
    this.#subscribers.set(userPk, subscribers.add(subscription))
    return subscription
  }

  publish({ userPk, ...event }: BundleChange): void {
    for (const subscription of this.#subscribers.get(userPk) ?? []) subscription.offer(event)
  }

  /** Users somebody waits for, so that a listener that was away can catch up for them. */
  users(): readonly string[] {
    return [...this.#subscribers.keys()]
  }

  /** Ends every subscription. */
  end(): void {
    for (const subscribers of this.#subscribers.values()) for (const one of subscribers) one[Symbol.dispose]()
  }

  /** Of one user, or of all. */
  count(userPk?: string): number {
    if (userPk !== undefined) return this.#subscribers.get(userPk)?.size ?? 0
    return [...this.#subscribers.values()].reduce((sum, set) => sum + set.size, 0)
  }
}

/** One stream of events; ends when it is disposed of. */
export class ChangeSubscription implements Disposable {
  readonly #remove: () => void
  #last: number
  #next: BundleChangeEvent | undefined
  #wake: (() => void) | undefined
  #ended = false

  constructor(after: number, remove: () => void) {
    this.#last = after
    this.#remove = remove
  }

  offer(event: BundleChangeEvent): void {
    if (this.#ended || event.bundle_seq <= Math.max(this.#last, this.#next?.bundle_seq ?? 0)) return
    this.#next = event
    this.#wake?.()
  }

  /** The newest event; undefined when the subscription ended. At most one caller may wait. */
  async next(): Promise<BundleChangeEvent | undefined> {
    while (this.#next === undefined && !this.#ended) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#wake = resolve
      await promise
    }
    const event = this.#ended ? undefined : this.#next
    this.#next = undefined
    if (event !== undefined) this.#last = event.bundle_seq
    return event
  }

  [Symbol.dispose](): void {
    if (this.#ended) return
    this.#ended = true
    this.#remove()
    this.#wake?.()
  }
}
