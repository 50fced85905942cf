import type { Clock } from '../../kernel/clock.ts'
import { type Logger, silentLogger } from '../../kernel/logger.ts'
import { BoundedSet } from './bounded-set.ts'
import type { NostrEvent, ParsedEvent } from './event.ts'
import { EventError, type EventErrorCode } from './event-error.ts'
import type { EventHold, HeldEvent, HoldTerms } from './event-hold.ts'
import { assertEventId, parseEventShape, peekId } from './event-parser.ts'
import type { EventStore, PutOutcome } from './event-store.ts'
import { isEphemeral } from './kind.ts'
import type { Limits } from './limits.ts'
import type { Verifier } from './verifier.ts'
import type { PolicyContext, WritePolicy } from './write-policy.ts'

/** Where a batch of events comes from. */
export interface IngestContext extends Pick<PolicyContext, 'source' | 'remote' | 'peer'> {
  /** Public keys that authenticated on this connection (NIP-42). Default: none. */
  readonly authenticated?: readonly string[] | undefined
  /** Take signatures on trust; only an import may. Ids are checked all the same. */
  readonly trusted?: boolean | undefined
  /** Asked after the policy of the node, for what comes this way alone. */
  readonly more?: WritePolicy | undefined
}

/**
 * `held`: kept until what it depends on is here. `rejected`: this event can never be accepted. `shadowed`: the same, but its sender is told that it was accepted.
 * `failed`: something of ours broke; the same event may do later.
 */
export type IngestOutcome = PutOutcome | 'held' | 'rejected' | 'shadowed' | 'failed'

export interface IngestResult {
  /** As the event claims it; undefined when none could be made out. */
  readonly id: string | undefined
  readonly accepted: boolean
  readonly outcome: IngestOutcome
  /** The text of the OK: empty, or `<prefix>: <message>`. */
  readonly reason: string
  /** Why it was not accepted; undefined when it was, or when it `failed`. */
  readonly code?: EventErrorCode
}

/** An event that only the store still has to decide on, or a result that nothing can change any more. */
export type Checked =
  | {
      readonly parsed: ParsedEvent
      readonly result?: undefined
      /** It may not be stored yet. */
      readonly hold?: { readonly terms: HoldTerms; readonly again: boolean } | undefined
    }
  | { readonly result: IngestResult; readonly parsed?: undefined; readonly hold?: undefined }

/** The one way of events into the store, whatever door they come through (spec events §6.3, promise N1). */
export interface Ingest<Tx> {
  /**
   * Everything but storing. Answers in the order of `raws`; a bad event never affects its neighbours.
   *
   * @throws what the store or the verifier fails with: then nothing is known about any of the events
   */
  check(raws: readonly string[], context: IngestContext, signal?: AbortSignal): Promise<readonly Checked[]>
  /**
   * Checks and stores; resolves when durable. What the store or the verifier could not decide is `failed`.
   *
   * @throws the signal's reason, when it aborts before storing has begun
   */
  accept(
    raws: readonly string[],
    context: IngestContext,
    signal?: AbortSignal,
  ): Promise<readonly IngestResult[]>
  /**
   * Stores what was checked inside the caller's transaction.
   *
   * @param from the peer that sent it, remembered with what is new
   * @throws what the store fails with
   */
  commitIn(tx: Tx, checked: readonly Checked[], from?: string): Promise<readonly IngestResult[]>
  /** Of `ids`, those held or given up lately: fetching them again would change nothing. */
  held(ids: readonly string[]): Promise<ReadonlySet<string>>
}

export interface IngestOptions<Tx> {
  readonly store: Pick<EventStore<Tx>, 'known' | 'put' | 'putIn'>
  readonly verifier: Verifier
  readonly policy: WritePolicy
  readonly limits: Limits
  readonly clock: Clock
  /** Our own public URLs: whether a request to vanish concerns us (NIP-62). Default: none. */
  readonly relayUrls?: readonly string[] | undefined
  /** Where events wait that the policy holds. Default: nowhere, and they are refused. */
  readonly hold?: EventHold<Tx> | undefined
  readonly log?: Logger | undefined
}

/** What a put means for who sent the event. */
const answers: Readonly<Record<PutOutcome, Pick<IngestResult, 'accepted' | 'reason' | 'code'>>> = {
  stored: { accepted: true, reason: '' },
  ephemeral: { accepted: true, reason: '' },
  duplicate: { accepted: true, reason: 'duplicate: already have this event' },
  superseded: { accepted: true, reason: 'duplicate: have newer event' },
  deleted: { accepted: false, reason: 'blocked: its author deleted this event', code: 'event/deleted' },
  vanished: { accepted: false, reason: 'blocked: its author asked to vanish', code: 'event/vanished' },
  banned: { accepted: false, reason: 'blocked: banned by this relay', code: 'event/banned' },
  expired: { accepted: false, reason: 'invalid: event expired', code: 'event/expired' },
}

/** Signatures found genuine lately: what is offered again and again but never stored is checked once. */
const maxVerified = 16_384
const maxEphemeralIds = 16_384
/** Parsing rests after so much text, to let sockets and timers have their turn: some 5 ms of work. */
const charactersPerTurn = 262_144

export function createIngest<Tx>(options: IngestOptions<Tx>): Ingest<Tx> {
  return new IngestPipeline(options)
}

class IngestPipeline<Tx> implements Ingest<Tx> {
  readonly #options: IngestOptions<Tx>
  readonly #log: Logger
  /** By id and signature: a genuine signature says nothing about another one of the same id (incident I2). */
  readonly #verified = new BoundedSet<string>(maxVerified)
  /** No store remembers these, so nothing else would keep them from being passed on twice. */
  readonly #ephemeralIds = new BoundedSet<string>(maxEphemeralIds)

  constructor(options: IngestOptions<Tx>) {
    this.#options = options
    this.#log = options.log ?? silentLogger
  }

  async check(
    raws: readonly string[],
    context: IngestContext,
    signal?: AbortSignal,
  ): Promise<readonly Checked[]> {
    signal?.throwIfAborted()
    const ids = raws.map(peekId)
    const known = await this.#known(ids)
    const pending: (Checked | Promise<Checked>)[] = []
    let characters = 0
    for (const [i, raw] of raws.entries()) {
      const id = ids[i]
      if (id !== undefined && known.has(id)) pending.push(decided(id, 'duplicate'))
      // Not one after the other: a policy may have to ask somebody who answers many questions as fast as one.
      else pending.push(this.#checkOne(raw, id, context))
      characters += raw.length
      if (characters < charactersPerTurn) continue
      characters = 0
      await new Promise((resolve) => setImmediate(resolve))
      signal?.throwIfAborted()
    }
    const checked = await Promise.all(pending)
    signal?.throwIfAborted()
    const trusted = context.trusted === true && context.source === 'import'
    return trusted ? checked : this.#checkSignatures(checked, signal)
  }

  async accept(
    raws: readonly string[],
    context: IngestContext,
    signal?: AbortSignal,
  ): Promise<readonly IngestResult[]> {
    try {
      const checked = await this.check(raws, context, signal)
      signal?.throwIfAborted()
      return await this.#put(
        checked,
        (events) => this.#options.store.put(events),
        (events) => this.#options.hold?.hold(events),
      )
    } catch (error) {
      if (signal?.aborted) throw error
      this.#log.error('events could not be stored', { error, source: context.source, count: raws.length })
      const reason = 'error: the event could not be stored'
      return raws.map((raw) => ({ id: peekId(raw), accepted: false, outcome: 'failed', reason }))
    }
  }

  commitIn(tx: Tx, checked: readonly Checked[], from?: string): Promise<readonly IngestResult[]> {
    return this.#put(
      checked,
      (events) => this.#options.store.putIn(tx, events, from),
      (events) => this.#options.hold?.holdIn(tx, events),
    )
  }

  async held(ids: readonly string[]): Promise<ReadonlySet<string>> {
    return (await this.#options.hold?.held(ids)) ?? new Set()
  }

  /** Of the claimed ids, those that need no further look. */
  async #known(ids: readonly (string | undefined)[]): Promise<{ has(id: string): boolean }> {
    const asked = new Set(ids.filter((id) => id !== undefined))
    const stored = asked.size === 0 ? new Set<string>() : await this.#options.store.known([...asked])
    return { has: (id) => stored.has(id) || this.#ephemeralIds.has(id) }
  }

  async #checkOne(raw: string, claimedId: string | undefined, context: IngestContext): Promise<Checked> {
    const { limits, policy, clock, relayUrls = [] } = this.#options
    const { source, remote, peer, authenticated = [], more } = context
    const nowSeconds = Math.floor(clock.now() / 1_000)
    try {
      const parsed = parseEventShape(raw, limits)
      assertEventId(parsed.event)
      const asked = { source, remote, peer, authenticated, relayUrls, nowSeconds }
      const answer = policy(parsed.event, asked)
      const first = answer instanceof Promise ? await answer : answer
      const refusal = first ?? (await more?.(parsed.event, asked))
      if (refusal === undefined) return { parsed }
      if (refusal instanceof EventError) return rejected(parsed.event.id, refusal)
      if (typeof refusal === 'string') return undecided(parsed.event.id, refusal)
      return { parsed, hold: { terms: refusal, again: source !== 'sync' } }
    } catch (error) {
      if (error instanceof EventError) return rejected(claimedId, error)
      // A policy that breaks on one event must not keep out the others.
      this.#log.error('a write policy failed', { error, source, id: claimedId })
      return undecided(claimedId, 'failed')
    }
  }

  async #checkSignatures(
    checked: readonly Checked[],
    signal: AbortSignal | undefined,
  ): Promise<readonly Checked[]> {
    const open = checked.flatMap(({ parsed }) =>
      parsed === undefined || this.#verified.has(signatureKey(parsed.event)) ? [] : [parsed.event],
    )
    if (open.length === 0) return checked
    const verdicts = await this.#options.verifier.verify(open, signal)
    const forged = new Set<NostrEvent>()
    for (const [i, event] of open.entries()) {
      // Anything but a clear yes is a no.
      if (verdicts[i] === true) this.#verified.add(signatureKey(event))
      else forged.add(event)
    }
    return checked.map((one) => {
      if (one.parsed === undefined || !forged.has(one.parsed.event)) return one
      const error = new EventError('event/wrong-signature', 'invalid', 'the signature is wrong')
      return rejected(one.parsed.event.id, error)
    })
  }

  async #put(
    checked: readonly Checked[],
    store: (events: readonly ParsedEvent[]) => Promise<readonly PutOutcome[]>,
    hold: (events: readonly HeldEvent[]) => Promise<readonly boolean[]> | undefined,
  ): Promise<readonly IngestResult[]> {
    const claimed: string[] = []
    const settled = checked.map((one) => {
      if (one.parsed === undefined || !isEphemeral(one.parsed.event.kind)) return one
      const { id } = one.parsed.event
      if (this.#ephemeralIds.has(id)) return decided(id, 'duplicate')
      // Before the store answers: another connection may bring the same event meanwhile.
      this.#ephemeralIds.add(id)
      claimed.push(id)
      return one
    })
    const ready = settled.flatMap(({ parsed, hold: terms }) => (parsed && terms === undefined ? parsed : []))
    const waiting = settled.flatMap((one) =>
      one.parsed && one.hold ? { parsed: one.parsed, ...one.hold } : [],
    )
    try {
      const outcomes = (ready.length === 0 ? [] : await store(ready)).values()
      const kept = ((waiting.length === 0 ? [] : await hold(waiting)) ?? []).values()
      return settled.map((one) => {
        if (one.result !== undefined) return one.result
        const { id } = one.parsed.event
        return one.hold === undefined
          ? result(id, outcomes.next().value!)
          : heldResult(id, one.hold.terms, kept.next().value === true)
      })
    } catch (error) {
      for (const id of claimed) this.#ephemeralIds.delete(id)
      throw error
    }
  }
}

function heldResult(id: string, { reason, accepted }: HoldTerms, isKept: boolean): IngestResult {
  if (isKept) return { id, accepted, outcome: 'held', reason, code: 'event/held' }
  return {
    id,
    accepted: false,
    outcome: 'rejected',
    reason: 'restricted: it belongs to nothing that is here',
    code: 'event/unrelated',
  }
}

function signatureKey({ id, sig }: NostrEvent): string {
  return id + sig
}

function result(id: string, outcome: PutOutcome): IngestResult {
  return { id, outcome, ...answers[outcome] }
}

function decided(id: string, outcome: PutOutcome): Checked {
  return { result: result(id, outcome) }
}

function undecided(id: string | undefined, outcome: 'shadowed' | 'failed'): Checked {
  const accepted = outcome === 'shadowed'
  return { result: { id, accepted, outcome, reason: accepted ? '' : 'error: internal error' } }
}

function rejected(id: string | undefined, { code, reason }: EventError): Checked {
  return { result: { id, accepted: false, outcome: 'rejected', reason, code } }
}
