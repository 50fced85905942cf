import type { Channel } from '../../../kernel/channel.ts'
import type { Clock } from '../../../kernel/clock.ts'
import type { Logger } from '../../../kernel/logger.ts'
import { SyncError } from '../../../kernel/sync-error.ts'
import { BoundedSet } from '../bounded-set.ts'
import type { AuthMode } from '../definition/server-definition.ts'
import { elementSpans } from '../json-scan.ts'
import type { Signer } from '../signer.ts'
import { type SyncPage, syncPageCodec } from '../sync-page-frame.ts'
import { ClientAuth } from './client-auth.ts'
import type { Cooldown } from './cooldown.ts'
import type { FetchResult, NegReply, PublishResult, RelayCount } from './relay-answer.ts'
import { parseRelayFrame, type RelayFrame } from './relay-frame.ts'
import type { RelayInfo } from './relay-info.ts'
import { StrayFrames } from './stray-frames.ts'

export interface RelayConnectionOptions {
  readonly channel: Channel
  /** As configured: what an AUTH event names (NIP-42). */
  readonly url: string
  readonly info: RelayInfo
  readonly authMode: AuthMode
  readonly cooldown: Cooldown
  readonly signer: Signer
  readonly clock: Clock
  readonly log: Logger
}

/** Who asked for something and what became of it. */
export interface Request {
  /** A frame came for it; `characters` long. */
  readonly onFrame?: ((characters: number) => void) | undefined
  readonly onFailure: (error: unknown) => void
}

export interface SubscriptionRequest extends Request {
  readonly onEvent: (raw: string) => void | Promise<void>
  readonly onEose: (hint: FetchResult['hint']) => void
  readonly onClosed: (reason: string) => void
}

/** A request with one answer. */
export interface AnswerRequest<T> extends Request {
  readonly onAnswer: (answer: T) => void
}

/** The relay's answer to a SYNC-PAGE, or why there is none. */
export type PageReply =
  | { readonly kind: 'page'; readonly page: SyncPage }
  | { readonly kind: 'refused'; readonly reason: string }

/** NOTICE carries no subscription: only these words are taken as an answer to a pending NEG-OPEN (specs §5.18). */
const refusalWords =
  /neg|unknown|unrecognized|unrecognised|unsupported|disabled|invalid|bad msg|could not parse|error/i
/** A line without a single frame for so long is asked whether anybody is still there. */
const silentMs = 600_000
const probeWaitMs = 30_000
const closedIdsKept = 1_000

/**
 * One WebSocket to a relay, shared by all links to it. Frames go to what asked for them, by subscription id and event id;
 * when the connection ends everything that waits is told why.
 */
export class RelayConnection implements AsyncDisposable {
  readonly auth: ClientAuth
  readonly subscriptions = new Map<string, SubscriptionRequest>()
  readonly counts = new Map<string, AnswerRequest<RelayCount | undefined>>()
  readonly negotiations = new Map<string, AnswerRequest<NegReply>>()
  readonly pages = new Map<string, AnswerRequest<PageReply>>()
  /** Two links may offer the same event at the same time. */
  readonly publishes = new Map<string, Set<AnswerRequest<PublishResult>>>()
  readonly #options: RelayConnectionOptions
  readonly #strays: StrayFrames
  readonly #closedIds = new BoundedSet<string>(closedIdsKept)
  readonly #listeners = new Set<() => void>()
  readonly #over = new AbortController()
  readonly #reading: Promise<void>
  #lastId = 0
  #lastFrame: number
  #failure: unknown

  constructor(options: RelayConnectionOptions) {
    this.#options = options
    const { url, signer, clock, authMode: mode, info } = options
    this.#strays = new StrayFrames(clock)
    this.#lastFrame = clock.monotonic()
    this.auth = new ClientAuth({
      url,
      mode,
      required: info.authRequired,
      signer,
      clock,
      send: (event) => this.#authenticate(event.id, JSON.stringify(['AUTH', event])),
      onFault: (error) => this.#fail(error),
    })
    this.#reading = this.#read().catch((error: unknown) => this.#fail(error))
    // Only the end of the connection ends it.
    this.#watch().catch(() => {})
  }

  get url(): string {
    return this.#options.url
  }

  get info(): RelayInfo {
    return this.#options.info
  }

  /** Aborts with the reason when the connection is over. */
  get over(): AbortSignal {
    return this.#over.signal
  }

  /** Ids are never used twice on a connection, whatever they are for. */
  nextId(): string {
    return `s${(++this.#lastId).toString(36)}`
  }

  /** Resolves when the relay may be asked something; at once, unless it asked for a rest. @throws why it never will */
  async calm(signal: AbortSignal): Promise<void> {
    const { cooldown } = this.#options
    if (cooldown.isOver) return
    await cooldown.pass(AbortSignal.any([signal, this.over]), () => {
      for (const listener of this.#listeners) listener()
    })
  }

  /** Calls `listener` for every message, until disposed. */
  onMessage(listener: () => void): Disposable {
    const own = () => listener()
    this.#listeners.add(own)
    return { [Symbol.dispose]: () => void this.#listeners.delete(own) }
  }

  async send(text: string): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    await this.#options.channel.send(text)
  }

  /** Ends a subscription from our side; what the relay sent before it heard of that is not held against it. */
  async close(id: string): Promise<void> {
    if (!this.subscriptions.delete(id)) return
    this.#closedIds.add(id)
    await this.send(JSON.stringify(['CLOSE', id])).catch(() => {})
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#fail(new SyncError('peer/unreachable', 'the connection was closed'))
    await this.#options.channel[Symbol.asyncDispose]()
    await this.#reading
  }

  #authenticate(id: string, frame: string): Promise<PublishResult> {
    const { promise, resolve, reject } = Promise.withResolvers<PublishResult>()
    const request: AnswerRequest<PublishResult> = { onAnswer: resolve, onFailure: reject }
    this.publishes.set(id, new Set([request]))
    this.send(frame).catch(reject)
    return promise.finally(() => this.publishes.delete(id))
  }

  async #read(): Promise<void> {
    for await (const message of this.#options.channel) {
      if (this.#failure !== undefined) return
      this.#lastFrame = this.#options.clock.monotonic()
      for (const listener of this.#listeners) listener()
      if (typeof message === 'string') await this.#receive(message)
      else this.#stray(this.#strays.unreadable())
      if (this.#failure !== undefined) return
    }
    throw new SyncError('peer/unreachable', `${this.url} closed the connection`)
  }

  async #receive(text: string): Promise<void> {
    // EVENT is by far the most frequent frame and its payload is parsed elsewhere, once.
    if (text.startsWith('["EVENT",')) return this.#receiveEvent(text)
    if (text.startsWith('["SYNC-PAGE') && this.#receivePage(text)) return
    const frame = parseRelayFrame(text)
    if (frame !== undefined) return this.#dispatch(frame, text.length)
    if (!text.trimStart().startsWith('[')) return this.#stray(this.#strays.unreadable())
    await this.#receiveEvent(text)
  }

  #receivePage(text: string): boolean {
    const answer = syncPageCodec.decodeAnswer(text)
    if (answer === undefined) return false
    const request = this.pages.get(answer.id)
    request?.onFrame?.(text.length)
    request?.onAnswer(
      answer.kind === 'page'
        ? { kind: 'page', page: answer.page }
        : { kind: 'refused', reason: answer.reason },
    )
    return true
  }

  async #receiveEvent(text: string): Promise<void> {
    let parts: readonly string[]
    try {
      parts = elementSpans(text).map(([from, to]) => text.slice(from, to))
    } catch {
      return this.#stray(this.#strays.unreadable())
    }
    const [verb, quotedId, event] = parts
    if (verb !== '"EVENT"') return this.#stray(this.#strays.unknownVerb())
    if (quotedId === undefined || event === undefined) return this.#stray(this.#strays.unreadable())
    const id = quotedId.slice(1, -1)
    const subscription = this.subscriptions.get(id)
    subscription?.onFrame?.(text.length)
    if (subscription !== undefined) return subscription.onEvent(event)
    this.#stray(this.#closedIds.has(id) ? this.#strays.late() : this.#strays.uninvited())
  }

  #dispatch(frame: RelayFrame, characters: number): void {
    const answer = <T>(request: AnswerRequest<T> | undefined, value: T) => {
      request?.onFrame?.(characters)
      request?.onAnswer(value)
    }
    switch (frame[0]) {
      case 'EOSE':
        return this.#eose(frame[1], frame[2], characters)
      case 'CLOSED':
        return this.#closed(frame[1], frame[2], characters)
      case 'OK':
        for (const request of this.publishes.get(frame[1]) ?? [])
          answer(request, { accepted: frame[2], reason: frame[3] })
        return
      case 'NOTICE':
        return this.#notice(frame[1])
      case 'AUTH':
        return this.auth.challenged(frame[1])
      case 'COUNT':
        return answer(this.counts.get(frame[1]), frame[2])
      case 'NEG-MSG':
        return answer(this.negotiations.get(frame[1]), { kind: 'message', hex: frame[2] })
      case 'NEG-ERR': {
        const max = typeof frame[3] === 'number' ? frame[3] : undefined
        return answer(this.negotiations.get(frame[1]), { kind: 'error', reason: frame[2], max })
      }
    }
  }

  #eose(id: string, hints: unknown, characters: number): void {
    const subscription = this.subscriptions.get(id)
    subscription?.onFrame?.(characters)
    const hint: unknown = Array.isArray(hints) ? hints[0] : undefined
    subscription?.onEose(hint === 'finish' || hint === 'more' ? hint : undefined)
  }

  /** CLOSED names a request of any kind: relays answer with it also what they do not know. */
  #closed(id: string, reason: string, characters: number): void {
    this.negotiations.get(id)?.onAnswer({ kind: 'unsupported', reason })
    this.pages.get(id)?.onAnswer({ kind: 'refused', reason: `unsupported: ${reason}` })
    this.counts.get(id)?.onAnswer(undefined)
    const subscription = this.subscriptions.get(id)
    if (subscription === undefined) return
    this.subscriptions.delete(id)
    this.#closedIds.add(id)
    subscription.onFrame?.(characters)
    subscription.onClosed(reason)
  }

  #notice(text: string): void {
    this.#options.log.debug('notice from the relay', { text: text.slice(0, 500) })
    // Who is asked to wait was not refused, whatever words come with it.
    if (this.#options.cooldown.heard(text) || !refusalWords.test(text)) return
    const [negotiation, ...others] = this.negotiations.values()
    if (negotiation !== undefined && others.length === 0)
      negotiation.onAnswer({ kind: 'unsupported', reason: text })
    for (const count of this.counts.values()) count.onAnswer(undefined)
    for (const page of this.pages.values()) page.onAnswer({ kind: 'refused', reason: `unsupported: ${text}` })
  }

  #stray(tooMuchOf: string | undefined): void {
    if (tooMuchOf === undefined) return
    const message = `${this.url} keeps sending ${tooMuchOf}`
    this.#fail(new SyncError('peer/protocol', message, { fault: 'protocol_violation' }))
  }

  /** A peer may be gone although its line answers pings: a proxy in between does that (spec events §2.18). */
  async #watch(): Promise<void> {
    const { clock } = this.#options
    for (;;) {
      const quietMs = clock.monotonic() - this.#lastFrame
      if (quietMs < silentMs) {
        await clock.sleep(silentMs - quietMs, this.over)
        continue
      }
      const asked = clock.monotonic()
      const id = this.nextId()
      this.#closedIds.add(id)
      await this.send(JSON.stringify(['REQ', id, { limit: 1 }]))
      await clock.sleep(probeWaitMs, this.over)
      await this.send(JSON.stringify(['CLOSE', id]))
      if (this.#lastFrame >= asked) continue
      this.#fail(new SyncError('peer/unreachable', `${this.url} no longer answers anything`))
    }
  }

  #fail(error: unknown): void {
    if (this.#failure !== undefined) return
    this.#failure = error
    this.#over.abort(error)
    const publishes = [...this.publishes.values()].flatMap((requests) => [...requests])
    const waiting: Iterable<Request>[] = [
      this.subscriptions.values(),
      this.counts.values(),
      this.negotiations.values(),
      this.pages.values(),
      publishes,
    ]
    for (const requests of waiting) for (const { onFailure } of requests) onFailure(error)
    this.auth.fail(error)
    this.subscriptions.clear()
  }
}
