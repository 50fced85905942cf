import { SyncError } from '../../../kernel/sync-error.ts'
import type { Filter } from '../filter.ts'
import type { AttemptState } from './attempt-state.ts'
import { cover } from './coverage.ts'
import { cursorOf } from './pass.ts'
import { Pulse } from './pulse.ts'
import { type LiveSubscription, refusal } from './relay-answer.ts'
import { reasonPrefix } from './relay-frame.ts'
import type { UploadTail } from './upload-tail.ts'

const openMs = 15_000
const coverEveryMs = 30_000
/** More stored events than this although none were asked for: the relay takes `limit: 0` for no limit. */
const maxStored = 100

/**
 * The part of a sync that stays: a subscription opened before the stored events are compared, so that nothing falls
 * between the two, and the tail of our own store for what goes up. It works in the background from when it is opened; a
 * backfill that takes days delays neither (E-104).
 */
export class Live<Tx> implements AsyncDisposable {
  readonly #state: AttemptState<Tx>
  readonly #tail: UploadTail<Tx>
  readonly #queue: string[] = []
  readonly #arrived = new Pulse()
  readonly #accepted = new Pulse()
  readonly #stop = new AbortController()
  readonly #background: Promise<void>[] = []
  #listener: Disposable | undefined
  #subscription: LiveSubscription | undefined
  /** Wall seconds since when nothing new could be missed. */
  #openSince: number
  #drained: () => void = () => {}
  #storing = false

  private constructor(state: AttemptState<Tx>, tail: UploadTail<Tx>) {
    this.#state = state
    this.#tail = tail
    this.#openSince = state.nowSeconds()
    state.session.signal.addEventListener('abort', this.#aborted, { once: true })
  }

  static async open<Tx>(state: AttemptState<Tx>, tail: UploadTail<Tx>): Promise<Live<Tx>> {
    const live = new Live(state, tail)
    try {
      if (state.pulls) {
        live.#start(live.#receiving())
        await live.#subscribe()
        live.#start(live.#covering())
      }
      return live
    } catch (error) {
      await live[Symbol.asyncDispose]()
      throw error
    }
  }

  /** Aborts with the reason when the live link is over. */
  get over(): AbortSignal {
    return this.#stop.signal
  }

  /** Offers what arrives here, in order of arrival, from now on. Call once. */
  send(): void {
    if (!this.#state.pushes) return
    this.#listener = this.#state.store.onAccepted(() => this.#accepted.notify())
    this.#start(this.#sending())
  }

  /** Closes the subscription and opens another one (E-25). */
  async restart(): Promise<void> {
    if (!this.#state.pulls) return
    const before = this.#subscription
    this.#subscription = undefined
    await before?.close()
    this.#state.counters.subscriptionRestarts++
    await this.#subscribe()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end(new SyncError('peer/unreachable', 'the live link ended'))
    this.#state.session.signal.removeEventListener('abort', this.#aborted)
    this.#listener?.[Symbol.dispose]()
    await this.#subscription?.close()
    await Promise.allSettled(this.#background)
  }

  readonly #aborted = () => this.#end(this.#state.session.signal.reason)

  #end(reason: unknown): void {
    this.#stop.abort(reason)
    this.#arrived.notify()
    this.#accepted.notify()
    this.#drained()
  }

  #start(work: Promise<void>): void {
    this.#background.push(work.catch((error: unknown) => this.#end(error)))
  }

  async #subscribe(): Promise<void> {
    const state = this.#state
    const opened = (await this.#ask(state.learned.limitZero === false ? 1 : 0)) ?? (await this.#ask(1))
    if (opened === undefined) {
      const message = `${state.client.url} takes no live subscription`
      throw new SyncError('peer/protocol', message, { fault: 'closed', linkOnly: true })
    }
    this.#subscription = opened
    this.#openSince = state.nowSeconds()
    state.mark('eose')
    opened.closed.then(
      (reason) => {
        if (this.#subscription === opened) this.#start(this.#reopen(reason))
      },
      (error: unknown) => {
        if (this.#subscription === opened) this.#end(error)
      },
    )
  }

  /** No `since`: backdated events that arrive from now on must come through as well. Undefined: not with that limit. */
  async #ask(limit: 0 | 1): Promise<LiveSubscription | undefined> {
    const { client, filter, pace } = this.#state
    const asked: Filter = { ...filter, limit }
    let stored: number | undefined = 0
    const take = (raw: string) => {
      if (stored !== undefined) stored++
      return this.#take(raw)
    }
    for (;;) {
      const opened = await client.subscribe(asked, take, openMs).catch((error: unknown) => error)
      const silent = opened instanceof SyncError && opened.fault === 'timeout'
      if (opened instanceof Error && !(silent && limit === 0)) throw opened
      if (typeof opened === 'string') {
        if (reasonPrefix(opened) === 'rate-limited' && (await pace.pause())) continue
        if (limit === 1 || !/^(invalid|unsupported|error)?(:|$)/.test(opened))
          throw refusal(client.url, 'a live subscription', opened)
      }
      if (stored > maxStored || silent || typeof opened === 'string') this.#state.learn({ limitZero: false })
      stored = undefined
      return typeof opened === 'string' || silent ? undefined : (opened as LiveSubscription)
    }
  }

  /** The relay closed it: others on the connection go on, and so does this one after a pause (specs §2.18). */
  async #reopen(reason: string): Promise<void> {
    const { client, pace, session } = this.#state
    this.#subscription = undefined
    const prefix = reasonPrefix(reason)
    const forLong = prefix === 'restricted' || prefix === 'blocked'
    if (forLong || !(await pace.pause())) throw refusal(client.url, 'a live subscription', reason)
    await this.#subscribe()
    // What came while it was closed is looked for at once.
    session.triggers.add('realtime')
  }

  #take(raw: string): void | Promise<void> {
    this.#queue.push(raw)
    this.#arrived.notify()
    if (this.#queue.length < this.#state.settings.maxQueueEvents || this.over.aborted) return
    return new Promise((resolve) => {
      this.#drained = resolve
    })
  }

  async #receiving(): Promise<void> {
    const { settings, filter } = this.#state
    while (!this.over.aborted) {
      if (this.#queue.length === 0) await this.#arrived.wait()
      while (this.#queue.length > 0 && !this.over.aborted) {
        this.#storing = true
        const batch = this.#queue.splice(0, settings.checkpointInterval)
        this.#drained()
        await this.#state.receive(this.#state.matching(batch, filter))
        this.#storing = false
      }
    }
  }

  async #sending(): Promise<void> {
    while (!this.over.aborted) {
      await this.#tail.follow()
      await this.#accepted.wait()
    }
  }

  /** While the subscription stays open and nothing waits to be stored, the time since it was opened is complete. */
  async #covering(): Promise<void> {
    const { session, settings } = this.#state
    for (;;) {
      await session.clock.sleep(coverEveryMs, this.over).catch(() => {})
      if (this.over.aborted) return
      const [from, to] = [this.#openSince, this.#state.nowSeconds() - settings.overlapSeconds]
      if (this.#subscription === undefined || this.#queue.length > 0 || this.#storing || to < from) continue
      const cursor = await cursorOf(this.#state)
      await this.#state.advance((checkpoint) => ({
        ...checkpoint,
        coverage: cover(checkpoint.coverage, [from, to]).map(([a, b]) => [a, b]),
        ...(cursor && { cursor }),
      }))
    }
  }
}
