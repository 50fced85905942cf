import type { Channel } from '../../../kernel/channel.ts'
import type { Clock } from '../../../kernel/clock.ts'
import type { Logger } from '../../../kernel/logger.ts'
import { SyncError } from '../../../kernel/sync-error.ts'
import { Watchdog } from '../../../kernel/watchdog.ts'
import type { NostrEvent } from '../event.ts'
import type { Filter } from '../filter.ts'
import { elementSpans } from '../json-scan.ts'
import type { Signer } from '../signer.ts'
import { ClientAuth } from './client-auth.ts'
import { type Deferred, handled } from './deferred.ts'
import type { FetchResult, LiveSubscription, NegReply, PublishResult } from './relay-answer.ts'
import { refusal } from './relay-answer.ts'
import { parseRelayFrame, type RelayFrame, reasonPrefix } from './relay-frame.ts'

export interface RelayClientOptions {
  readonly channel: Channel
  /** As configured: what an AUTH event names (NIP-42). */
  readonly url: string
  readonly signer: Signer
  readonly clock: Clock
  readonly log: Logger
  readonly signal: AbortSignal
}

interface Subscription {
  readonly onEvent: (raw: string) => void | Promise<void>
  readonly onEose: (hint: FetchResult['hint']) => void
  readonly onClosed: (reason: string) => void
  readonly onFailure: (error: unknown) => void
}

/** Frames nobody asked for or nobody can read, before the peer is given up as broken. */
const maxStrayFrames = 1_000
/** NOTICE carries no subscription: only these words are taken as an answer to a pending NEG-OPEN (specs §5.18). */
const refusalWords =
  /neg|unknown|unrecognized|unrecognised|unsupported|disabled|invalid|bad msg|could not parse|error/i

/**
 * One connection to a relay, spoken to as a client (NIP-01, 42, 45, 77). Frames are matched to what asked for them;
 * everything that waits has a deadline and ends when the connection does.
 */
export class RelayClient implements AsyncDisposable {
  readonly #options: RelayClientOptions
  readonly #subscriptions = new Map<string, Subscription>()
  readonly #publishes = new Map<string, Deferred<PublishResult>>()
  readonly #counts = new Map<
    string,
    Deferred<{ count: number; fingerprint?: string | undefined } | undefined>
  >()
  readonly #negotiations = new Map<string, Deferred<NegReply>>()
  readonly #reading: Promise<void>
  #lastId = 0
  #strays = 0
  #failure: unknown
  readonly #auth: ClientAuth
  readonly #onAbort = () => this.#fail(this.#options.signal.reason)

  constructor(options: RelayClientOptions) {
    this.#options = options
    const { url, signer, clock } = options
    const send = (event: NostrEvent) => this.#sendForOk(event.id, JSON.stringify(['AUTH', event]))
    this.#auth = new ClientAuth({ url, signer, clock, send })
    this.#reading = this.#read().catch((error: unknown) => this.#fail(error))
    options.signal.addEventListener('abort', this.#onAbort, { once: true })
    if (options.signal.aborted) this.#onAbort()
  }

  /** Events matching `filter` that the relay has stored, at most `maxEvents`. Closed by deadline of `idleMs` without a frame. */
  async fetch(filter: Filter, maxEvents: number, idleMs: number): Promise<FetchResult> {
    const first = await this.#fetchOnce(filter, maxEvents, idleMs)
    if (first.end !== 'closed' || reasonPrefix(first.reason) !== 'auth-required') return first
    await this.#auth.done()
    return this.#fetchOnce(filter, maxEvents, idleMs)
  }

  async #fetchOnce(filter: Filter, maxEvents: number, idleMs: number): Promise<FetchResult> {
    const id = this.#nextId()
    const raws: string[] = []
    const ended = handled<Omit<FetchResult, 'raws'>>()
    using watchdog = new Watchdog(this.#options.clock, idleMs, () =>
      ended.reject(this.#silence('a REQ', idleMs)),
    )
    this.#subscriptions.set(id, {
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
      const result = await ended.promise
      return { raws, ...result }
    } finally {
      if (this.#subscriptions.delete(id)) await this.#send(['CLOSE', id]).catch(() => {})
    }
  }

  /**
   * Opens a subscription that stays; resolves once the relay answered EOSE. Slow handling of an event holds back the
   * whole connection, and so the relay.
   *
   * @throws SyncError when the relay closes it instead
   */
  async subscribe(
    filter: Filter,
    onEvent: (raw: string) => void | Promise<void>,
    idleMs: number,
  ): Promise<LiveSubscription> {
    const first = await this.#subscribeOnce(filter, onEvent, idleMs)
    if (typeof first !== 'string') return first
    if (reasonPrefix(first) !== 'auth-required') throw refusal(this.#options.url, 'a live REQ', first)
    await this.#auth.done()
    const second = await this.#subscribeOnce(filter, onEvent, idleMs)
    if (typeof second === 'string') throw refusal(this.#options.url, 'a live REQ', second)
    return second
  }

  /** @returns the relay's words when it closes the subscription before its EOSE */
  async #subscribeOnce(
    filter: Filter,
    onEvent: (raw: string) => void | Promise<void>,
    idleMs: number,
  ): Promise<LiveSubscription | string> {
    const id = this.#nextId()
    const opened = handled<string | undefined>()
    const closed = handled<string>()
    using _watchdog = new Watchdog(this.#options.clock, idleMs, () =>
      opened.reject(this.#silence('a REQ', idleMs)),
    )
    this.#subscriptions.set(id, {
      onEvent,
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
    await this.#send(['REQ', id, filter])
    const refused = await opened.promise
    if (refused !== undefined) return refused
    const close = async () => {
      if (this.#subscriptions.delete(id)) await this.#send(['CLOSE', id]).catch(() => {})
    }
    return { closed: closed.promise, close }
  }

  /** Sends one event; resolves with the relay's OK. There is no deadline here: the caller watches its whole window. */
  async publish(id: string, raw: string): Promise<PublishResult> {
    const frame = `["EVENT",${raw}]`
    const first = await this.#sendForOk(id, frame)
    if (first.accepted || reasonPrefix(first.reason) !== 'auth-required') return first
    await this.#auth.done()
    return this.#sendForOk(id, frame)
  }

  async #sendForOk(id: string, frame: string): Promise<PublishResult> {
    this.#assertOpen()
    const deferred = handled<PublishResult>()
    this.#publishes.set(id, deferred)
    try {
      await this.#options.channel.send(frame)
      return await deferred.promise
    } finally {
      this.#publishes.delete(id)
    }
  }

  /** NIP-45; undefined when the relay cannot or will not tell. */
  async count(
    filter: Filter,
    waitMs: number,
  ): Promise<{ count: number; fingerprint?: string | undefined } | undefined> {
    const id = this.#nextId()
    const deferred = handled<{ count: number; fingerprint?: string | undefined } | undefined>()
    using _watchdog = new Watchdog(this.#options.clock, waitMs, () => deferred.resolve(undefined))
    this.#counts.set(id, deferred)
    try {
      await this.#send(['COUNT', id, filter])
      return await deferred.promise
    } finally {
      this.#counts.delete(id)
    }
  }

  /** Opens a negentropy session and waits for the first answer. */
  async negOpen(id: string, filter: Filter, hex: string, waitMs: number): Promise<NegReply> {
    const reply = await this.#negotiate(id, ['NEG-OPEN', id, filter, hex], waitMs)
    if (reply.kind !== 'error' || reasonPrefix(reply.reason) !== 'auth-required') return reply
    await this.#auth.done()
    return this.#negotiate(id, ['NEG-OPEN', id, filter, hex], waitMs)
  }

  negMessage(id: string, hex: string, waitMs: number): Promise<NegReply> {
    return this.#negotiate(id, ['NEG-MSG', id, hex], waitMs)
  }

  async negClose(id: string): Promise<void> {
    await this.#send(['NEG-CLOSE', id]).catch(() => {})
  }

  nextId(): string {
    return this.#nextId()
  }

  get url(): string {
    return this.#options.url
  }

  /** Gives up waiting for every pending OK; each resolves as refused with `reason`. */
  expirePublishes(reason: string): void {
    for (const pending of this.#publishes.values()) pending.resolve({ accepted: false, reason })
  }

  async #negotiate(id: string, frame: unknown[], waitMs: number): Promise<NegReply> {
    const deferred = handled<NegReply>()
    using _watchdog = new Watchdog(this.#options.clock, waitMs, () =>
      deferred.resolve({ kind: 'unsupported', reason: `no answer to ${frame[0]} within ${waitMs / 1000} s` }),
    )
    this.#negotiations.set(id, deferred)
    try {
      await this.#send(frame)
      return await deferred.promise
    } finally {
      this.#negotiations.delete(id)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#options.signal.removeEventListener('abort', this.#onAbort)
    this.#fail(new SyncError('peer/unreachable', 'the connection was closed'))
    await this.#options.channel[Symbol.asyncDispose]()
    await this.#reading
  }

  async #read(): Promise<void> {
    const { channel, signal } = this.#options
    for await (const message of channel) {
      signal.throwIfAborted()
      if (typeof message === 'string') await this.#receive(message)
      else this.#stray('a binary frame')
      if (this.#failure !== undefined) return
    }
    throw new SyncError('peer/unreachable', `${this.#options.url} closed the connection`)
  }

  async #receive(text: string): Promise<void> {
    // EVENT is by far the most frequent frame and its payload is parsed elsewhere, once.
    if (text.startsWith('["EVENT",')) return this.#receiveEvent(text)
    const frame = parseRelayFrame(text)
    if (frame === undefined)
      return text.trimStart().startsWith('[') ? this.#receiveEvent(text) : this.#stray('no JSON array')
    this.#dispatch(frame)
  }

  async #receiveEvent(text: string): Promise<void> {
    let spans: readonly (readonly [number, number])[]
    try {
      spans = elementSpans(text)
    } catch {
      return this.#stray('an unreadable frame')
    }
    const [verb, id, event] = spans.map(([from, to]) => text.slice(from, to))
    if (verb !== '"EVENT"' || id === undefined || event === undefined) return this.#stray('an unknown frame')
    const subscription = this.#subscriptions.get(id.slice(1, -1))
    if (subscription === undefined) return this.#stray('an event nobody asked for', 0.01)
    await subscription.onEvent(event)
  }

  #dispatch(frame: RelayFrame): void {
    switch (frame[0]) {
      case 'EOSE': {
        const hint = Array.isArray(frame[2]) ? frame[2][0] : undefined
        return this.#subscriptions
          .get(frame[1])
          ?.onEose(hint === 'finish' || hint === 'more' ? hint : undefined)
      }
      case 'CLOSED':
        this.#negotiations.get(frame[1])?.resolve({ kind: 'unsupported', reason: frame[2] })
        this.#counts.get(frame[1])?.resolve(undefined)
        this.#subscriptions.get(frame[1])?.onClosed(frame[2])
        this.#subscriptions.delete(frame[1])
        return
      case 'OK':
        return this.#publishes.get(frame[1])?.resolve({ accepted: frame[2], reason: frame[3] })
      case 'NOTICE':
        return this.#notice(frame[1])
      case 'AUTH':
        return this.#auth.answer(frame[1])
      case 'COUNT':
        return this.#counts.get(frame[1])?.resolve(frame[2])
      case 'NEG-MSG':
        return this.#negotiations.get(frame[1])?.resolve({ kind: 'message', hex: frame[2] })
      case 'NEG-ERR': {
        const max = typeof frame[3] === 'number' ? frame[3] : undefined
        return this.#negotiations.get(frame[1])?.resolve({ kind: 'error', reason: frame[2], max })
      }
    }
  }

  #notice(text: string): void {
    this.#options.log.debug('notice from the relay', { text })
    const [only, ...others] = this.#negotiations.values()
    if (only !== undefined && others.length === 0 && refusalWords.test(text)) {
      only.resolve({ kind: 'unsupported', reason: text })
    }
    for (const count of this.#counts.values()) if (refusalWords.test(text)) count.resolve(undefined)
  }

  /** Counts what breaks the protocol; enough of it ends the connection. */
  #stray(what: string, weight = 1): void {
    this.#strays += weight
    if (this.#strays < maxStrayFrames) return
    this.#fail(new SyncError('peer/protocol', `${this.#options.url} keeps sending ${what}`))
  }

  async #send(frame: unknown[]): Promise<void> {
    this.#assertOpen()
    await this.#options.channel.send(JSON.stringify(frame))
  }

  #assertOpen(): void {
    if (this.#failure !== undefined) throw this.#failure
  }

  #fail(error: unknown): void {
    if (this.#failure !== undefined) return
    this.#failure = error
    for (const subscription of this.#subscriptions.values()) subscription.onFailure(error)
    for (const pending of [
      ...this.#publishes.values(),
      ...this.#counts.values(),
      ...this.#negotiations.values(),
    ]) {
      pending.reject(error)
    }
    this.#auth.fail(error)
    this.#subscriptions.clear()
  }

  #silence(what: string, idleMs: number): SyncError {
    return new SyncError(
      'peer/unreachable',
      `${this.#options.url} did not answer ${what} within ${idleMs / 1000} s`,
    )
  }

  #nextId(): string {
    return `s${(++this.#lastId).toString(36)}`
  }
}
