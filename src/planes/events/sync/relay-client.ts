import type { Clock } from '../../../kernel/clock.ts'
import { SyncError } from '../../../kernel/sync-error.ts'
import { Watchdog } from '../../../kernel/watchdog.ts'
import type { Filter } from '../filter.ts'
import { type SyncPageRequest, syncPageCodec } from '../sync-page-frame.ts'
import { handled } from './deferred.ts'
import type { FetchResult, LiveSubscription, NegReply, PublishResult, RelayCount } from './relay-answer.ts'
import type { AnswerRequest, PageReply, RelayConnection } from './relay-connection.ts'
import { reasonPrefix } from './relay-frame.ts'

/** Text sent and received for one link, in characters: nearly all of it is ASCII. */
export interface Traffic {
  bytesOut: number
  bytesIn: number
}

/**
 * A link's side of a connection to a relay, spoken to as a client (NIP-01, 42, 45, 77, SYNC-PAGE). Everything that waits
 * has a deadline and ends with the connection or with the link's attempt.
 */
export class RelayClient implements AsyncDisposable {
  readonly traffic: Traffic = { bytesOut: 0, bytesIn: 0 }
  readonly #connection: RelayConnection
  readonly #clock: Clock
  readonly #signal: AbortSignal
  readonly #mine = new Set<string>()
  readonly #publishing = new Set<AnswerRequest<PublishResult>>()
  /** Told when the attempt is stopped; one listener on its signal for all of them. */
  readonly #waiting = new Set<(error: unknown) => void>()

  constructor(connection: RelayConnection, clock: Clock, signal: AbortSignal) {
    this.#connection = connection
    this.#clock = clock
    this.#signal = signal
    signal.addEventListener('abort', this.#aborted, { once: true })
  }

  readonly #aborted = () => {
    for (const reject of this.#waiting) reject(this.#signal.reason)
  }

  get url(): string {
    return this.#connection.url
  }

  nextId(): string {
    return this.#connection.nextId()
  }

  /** Resolves when the relay may be asked something: it may have asked for a rest. */
  calm(): Promise<void> {
    return this.#connection.calm(this.#signal)
  }

  /** Events matching `filter` that the relay has stored, at most `maxEvents`; fails after `idleMs` without a frame. */
  async fetch(filter: Filter, maxEvents: number, idleMs: number): Promise<FetchResult> {
    const first = await this.#fetchOnce(filter, maxEvents, idleMs)
    if (first.end !== 'closed' || reasonPrefix(first.reason) !== 'auth-required') return first
    await this.#connection.auth.demanded()
    return this.#fetchOnce(filter, maxEvents, idleMs)
  }

  async #fetchOnce(filter: Filter, maxEvents: number, idleMs: number): Promise<FetchResult> {
    await this.calm()
    const id = this.nextId()
    const raws: string[] = []
    const ended = handled<Omit<FetchResult, 'raws'>>()
    using watchdog = this.#silence('a REQ', idleMs, ended.reject)
    using _abort = this.#onAbort(ended.reject)
    this.#connection.subscriptions.set(id, {
      onFrame: (characters) => this.#received(characters),
      onEvent: (raw) => {
        watchdog.alive()
        raws.push(raw)
        // A relay that ignores `limit` would otherwise fill our memory; what came so far is as good as its page.
        if (raws.length >= maxEvents) ended.resolve({ end: 'eose', hint: 'more', reason: '' })
      },
      onEose: (hint) => ended.resolve({ end: 'eose', hint, reason: '' }),
      onClosed: (reason) => ended.resolve({ end: 'closed', hint: undefined, reason }),
      onFailure: ended.reject,
    })
    try {
      await this.#send(['REQ', id, filter])
      return { raws, ...(await ended.promise) }
    } finally {
      await this.#connection.close(id)
    }
  }

  /**
   * Opens a subscription that stays; resolves once the relay answered EOSE. Slow handling of an event holds back the
   * whole connection, and so the relay.
   *
   * @throws SyncError `peer/unreachable` without an answer in time
   * @returns the relay's words when it closes it instead
   */
  async subscribe(
    filter: Filter,
    onEvent: (raw: string) => void | Promise<void>,
    idleMs: number,
  ): Promise<LiveSubscription | string> {
    const first = await this.#subscribeOnce(filter, onEvent, idleMs)
    if (typeof first !== 'string' || reasonPrefix(first) !== 'auth-required') return first
    await this.#connection.auth.demanded()
    return this.#subscribeOnce(filter, onEvent, idleMs)
  }

  async #subscribeOnce(
    filter: Filter,
    onEvent: (raw: string) => void | Promise<void>,
    idleMs: number,
  ): Promise<LiveSubscription | string> {
    await this.calm()
    const id = this.nextId()
    const opened = handled<string | undefined>()
    const closed = handled<string>()
    using watchdog = this.#silence('a REQ', idleMs, opened.reject)
    using _abort = this.#onAbort(opened.reject)
    this.#mine.add(id)
    this.#connection.subscriptions.set(id, {
      onFrame: (characters) => this.#received(characters),
      onEvent: (raw) => {
        watchdog.alive()
        return onEvent(raw)
      },
      onEose: () => opened.resolve(undefined),
      onClosed: (reason) => {
        opened.resolve(reason)
        closed.resolve(reason)
      },
      onFailure: (error) => {
        opened.reject(error)
        closed.reject(error)
      },
    })
    const close = async () => {
      this.#mine.delete(id)
      await this.#connection.close(id)
    }
    try {
      await this.#send(['REQ', id, filter])
      const refused = await opened.promise
      return refused ?? { closed: closed.promise, close }
    } catch (error) {
      await close()
      throw error
    }
  }

  /** Sends one event; resolves with the relay's OK. There is no deadline here: the caller watches its whole window. */
  async publish(id: string, raw: string): Promise<PublishResult> {
    const frame = `["EVENT",${raw}]`
    const first = await this.#publishOnce(id, frame)
    if (first.accepted || reasonPrefix(first.reason) !== 'auth-required') return first
    await this.#connection.auth.demanded()
    return this.#publishOnce(id, frame)
  }

  async #publishOnce(id: string, frame: string): Promise<PublishResult> {
    const { publishes } = this.#connection
    const deferred = handled<PublishResult>()
    const request = this.#answerTo(deferred)
    const requests = publishes.get(id) ?? new Set()
    publishes.set(id, requests.add(request))
    this.#publishing.add(request)
    using _abort = this.#onAbort(deferred.reject)
    try {
      await this.#sendText(frame)
      return await deferred.promise
    } finally {
      this.#publishing.delete(request)
      requests.delete(request)
      if (requests.size === 0 && publishes.get(id) === requests) publishes.delete(id)
    }
  }

  /** Gives up waiting for every pending OK; each resolves as refused with `reason`. */
  expirePublishes(reason: string): void {
    for (const { onAnswer } of this.#publishing) onAnswer({ accepted: false, reason })
  }

  /** NIP-45; undefined when the relay cannot or will not tell. */
  async count(filter: Filter, waitMs: number): Promise<RelayCount | undefined> {
    const id = this.nextId()
    return this.#ask(this.#connection.counts, id, ['COUNT', id, filter], waitMs, undefined)
  }

  /** Opens a negentropy session and waits for the first answer. */
  async negOpen(id: string, filter: Filter, hex: string, waitMs: number): Promise<NegReply> {
    const reply = await this.#negotiate(id, ['NEG-OPEN', id, filter, hex], waitMs)
    if (reply.kind === 'message' || reasonPrefix(reply.reason) !== 'auth-required') return reply
    await this.#connection.auth.demanded()
    return this.#negotiate(id, ['NEG-OPEN', id, filter, hex], waitMs)
  }

  negMessage(id: string, hex: string, waitMs: number): Promise<NegReply> {
    return this.#negotiate(id, ['NEG-MSG', id, hex], waitMs)
  }

  /** Also of an attempt that was stopped: its connection may stay, and a relay keeps only so many sessions open for one. */
  async negClose(id: string): Promise<void> {
    const text = JSON.stringify(['NEG-CLOSE', id])
    this.traffic.bytesOut += text.length
    await this.#connection.send(text).catch(() => {})
  }

  /** One page of SYNC-PAGE; `waitMs` without an answer means that the relay does not know it. */
  async page(request: SyncPageRequest, waitMs: number): Promise<PageReply> {
    const first = await this.#pageOnce(request, waitMs)
    if (first.kind === 'page' || reasonPrefix(first.reason) !== 'auth-required') return first
    await this.#connection.auth.demanded()
    return this.#pageOnce(request, waitMs)
  }

  #pageOnce(request: SyncPageRequest, waitMs: number): Promise<PageReply> {
    const id = this.nextId()
    const reason = `unsupported: no answer to SYNC-PAGE within ${waitMs / 1000} s`
    const silence: PageReply = { kind: 'refused', reason }
    return this.#ask(this.#connection.pages, id, syncPageCodec.encodeRequest(id, request), waitMs, silence)
  }

  #negotiate(id: string, frame: readonly unknown[], waitMs: number): Promise<NegReply> {
    const reason = `no answer to ${frame[0]} within ${waitMs / 1000} s`
    return this.#ask(this.#connection.negotiations, id, frame, waitMs, { kind: 'silent', reason })
  }

  async #ask<T>(
    requests: Map<string, AnswerRequest<T>>,
    id: string,
    frame: string | readonly unknown[],
    waitMs: number,
    silence: T,
  ): Promise<T> {
    await this.calm()
    const deferred = handled<T>()
    using _watchdog = new Watchdog(this.#clock, waitMs, () => deferred.resolve(silence))
    using _abort = this.#onAbort(deferred.reject)
    requests.set(id, this.#answerTo(deferred))
    try {
      await (typeof frame === 'string' ? this.#sendText(frame) : this.#send(frame))
      return await deferred.promise
    } finally {
      requests.delete(id)
    }
  }

  /** Closes what is still open here; the connection belongs to others too. */
  async [Symbol.asyncDispose](): Promise<void> {
    const gone = new SyncError('peer/unreachable', 'the link let go of the connection')
    this.#signal.removeEventListener('abort', this.#aborted)
    for (const reject of this.#waiting) reject(gone)
    await Promise.all([...this.#mine].map((id) => this.#connection.close(id)))
    this.#mine.clear()
  }

  #answerTo<T>({ resolve, reject }: PromiseWithResolvers<T>): AnswerRequest<T> {
    return { onFrame: (characters) => this.#received(characters), onAnswer: resolve, onFailure: reject }
  }

  #received(characters: number): void {
    this.traffic.bytesIn += characters
  }

  #send(frame: readonly unknown[]): Promise<void> {
    return this.#sendText(JSON.stringify(frame))
  }

  async #sendText(text: string): Promise<void> {
    this.#signal.throwIfAborted()
    this.traffic.bytesOut += text.length
    await this.#connection.send(text)
  }

  #silence(what: string, idleMs: number, reject: (error: unknown) => void): Watchdog {
    const message = `${this.url} did not answer ${what} within ${idleMs / 1000} s`
    return new Watchdog(this.#clock, idleMs, () =>
      reject(new SyncError('peer/unreachable', message, { fault: 'timeout' })),
    )
  }

  #onAbort(reject: (error: unknown) => void): Disposable {
    this.#waiting.add(reject)
    if (this.#signal.aborted) reject(this.#signal.reason)
    return { [Symbol.dispose]: () => void this.#waiting.delete(reject) }
  }
}
