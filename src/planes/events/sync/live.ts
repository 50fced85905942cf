import { SyncError } from '../../../kernel/sync-error.ts'
import { everything } from '../event-store.ts'
import type { Filter } from '../filter.ts'
import type { AttemptState } from './attempt-state.ts'
import { cover } from './coverage.ts'
import { Pulse } from './pulse.ts'
import type { LiveSubscription } from './relay-answer.ts'
import { uploadSince } from './upload-tail.ts'

/** Received and not yet stored; beyond it the connection, and so the relay, is held back. */
const maxQueued = 5_000
const maxBatch = 500
const openMs = 15_000
/** How far back a live subscription reaches on relays that do not understand `limit: 0`. */
const overlapSeconds = 300
const coverEveryMs = 30_000

/**
 * The part of a sync that stays: a subscription opened before the stored events are compared, so that nothing falls
 * between the two, and the tail of our own store for what goes up.
 */
export class Live<Tx> implements AsyncDisposable {
  readonly #state: AttemptState<Tx>
  readonly #queue: string[] = []
  readonly #arrived = new Pulse()
  readonly #accepted = new Pulse()
  readonly #listener: Disposable | undefined
  #subscription: LiveSubscription | undefined
  #drained: () => void = () => {}
  #ended: unknown
  readonly #stop = new AbortController()

  private constructor(state: AttemptState<Tx>) {
    this.#state = state
    this.#listener = state.pushes ? state.store.onAccepted(() => this.#accepted.notify()) : undefined
    state.session.signal.addEventListener('abort', this.#end, { once: true })
  }

  static async open<Tx>(state: AttemptState<Tx>): Promise<Live<Tx>> {
    const live = new Live(state)
    if (state.pulls) await live.#subscribe()
    return live
  }

  /** Runs until the connection or the subscription ends, which always throws. */
  async run(): Promise<never> {
    await Promise.all([this.#receiving(), this.#sending(), this.#covering()])
    throw this.#ended
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end()
    this.#listener?.[Symbol.dispose]()
    this.#state.session.signal.removeEventListener('abort', this.#end)
    await this.#subscription?.close()
  }

  readonly #end = (reason?: unknown) => {
    this.#ended ??=
      reason instanceof SyncError ? reason : new SyncError('peer/unreachable', 'the live link ended')
    this.#stop.abort()
    this.#arrived.notify()
    this.#accepted.notify()
    this.#drained()
  }

  async #subscribe(): Promise<void> {
    const { client, filter } = this.#state
    const take = (raw: string) => this.#take(raw)
    try {
      // No `since`: backdated events that arrive from now on must come through as well.
      this.#subscription = await client.subscribe({ ...filter, limit: 0 }, take, openMs)
    } catch (error) {
      if (!(error instanceof SyncError) || error.code !== 'peer/protocol') throw error
      const recent: Filter = {
        ...filter,
        since: Math.max(filter.since ?? 0, this.#state.nowSeconds() - overlapSeconds),
      }
      this.#subscription = await client.subscribe(recent, take, openMs)
    }
    this.#subscription.closed.then(
      (reason) => this.#end(new SyncError('peer/busy', `the relay closed the live subscription: ${reason}`)),
      this.#end,
    )
  }

  #take(raw: string): void | Promise<void> {
    this.#queue.push(raw)
    this.#arrived.notify()
    if (this.#queue.length < maxQueued || this.#ended !== undefined) return
    return new Promise((resolve) => {
      this.#drained = resolve
    })
  }

  async #receiving(): Promise<void> {
    while (this.#ended === undefined) {
      if (this.#queue.length === 0) await this.#arrived.wait()
      while (this.#queue.length > 0) {
        const batch = this.#queue.splice(0, maxBatch)
        this.#drained()
        await this.#state.receive(batch)
      }
    }
  }

  async #sending(): Promise<void> {
    if (!this.#state.pushes) return
    while (this.#ended === undefined) {
      await uploadSince(this.#state, everything)
      await this.#accepted.wait()
    }
  }

  /** While the subscription stays open and its queue is empty, the time since it was opened is complete. */
  async #covering(): Promise<void> {
    if (!this.#state.pulls) return
    const { clock } = this.#state.session
    for (;;) {
      await clock.sleep(coverEveryMs, this.#stop.signal).catch(() => {})
      if (this.#ended !== undefined) return
      const until = this.#state.nowSeconds() - overlapSeconds
      if (this.#queue.length > 0 || until < this.#state.startedAt) continue
      await this.#state.advance((checkpoint) => ({
        ...checkpoint,
        coverage: cover(checkpoint.coverage, [this.#state.startedAt, until]).map(([a, b]) => [a, b]),
      }))
    }
  }
}
