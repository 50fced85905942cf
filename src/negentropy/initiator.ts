import { endBound } from './bound.ts'
import { Differences } from './differences.ts'
import { Exchange, versionOf } from './exchange.ts'
import { protocolVersion } from './message-writer.ts'
import { NegentropyError } from './negentropy-error.ts'
import type { OrderedSet } from './ordered-set.ts'
import { ProgressGuard } from './progress-guard.ts'
import type { ReconcileStep } from './reconcile-step.ts'
import { atLeast, type SessionLimits, type SessionOptions, sessionLimits } from './session-options.ts'

export interface InitiatorOptions extends SessionOptions {
  /** Ids the peer may claim to hold that we lack; default 1,000,000. Beyond: `negentropy/too-many-ids`. */
  readonly maxNeed?: number | undefined
}

/**
 * The side that asks, and the only one that learns what differs.
 *
 * ```ts
 * const initiator = new Initiator(set)
 * let message: Uint8Array | undefined = initiator.initiate()
 * while (message) {
 *   const { reply, have, need } = initiator.step(await exchangeWithPeer(message))
 *   message = reply
 * }
 * ```
 *
 * An error ends the session: whatever was reported before it holds, but is not complete.
 */
export class Initiator {
  readonly #limits: SessionLimits
  readonly #differences: Differences
  readonly #exchange: Exchange
  readonly #guard: ProgressGuard
  #state: 'new' | 'waiting' | 'ended' = 'new'

  /** @param set must stay as it is until the session ends */
  constructor(set: OrderedSet, options: InitiatorOptions = {}) {
    const maxNeed = options.maxNeed ?? 1_000_000
    atLeast('maxNeed', maxNeed, 0)
    this.#limits = sessionLimits(options, 60_000)
    this.#differences = new Differences(set, this.#limits.random, maxNeed)
    this.#exchange = new Exchange(set, this.#limits, this.#differences)
    this.#guard = new ProgressGuard(this.#limits.maxRounds)
  }

  /** Messages received so far. */
  get rounds(): number {
    return this.#guard.rounds
  }

  /** The first message. */
  initiate(): Uint8Array {
    this.#expect('new')
    this.#state = 'waiting'
    return this.#exchange.start(endBound())
  }

  /** Consumes one message of the peer. Throws `NegentropyError`. */
  step(message: Uint8Array): ReconcileStep {
    this.#expect('waiting')
    this.#state = 'ended'
    const version = versionOf(message, this.#limits)
    if (version !== protocolVersion)
      throw new NegentropyError(
        'negentropy/unsupported-version',
        `the peer speaks version ${version - 0x60} of negentropy, not 1`,
      )
    this.#guard.begin(message)
    const known = this.#differences.total
    const reply = this.#exchange.answer(message)
    const { have, need } = this.#differences.drain()
    if (reply.length === 1) return { reply: undefined, have, need }
    this.#guard.end(reply, this.#differences.total > known)
    this.#state = 'waiting'
    return { reply, have, need }
  }

  #expect(state: 'new' | 'waiting'): void {
    if (this.#state !== state)
      throw new NegentropyError('negentropy/out-of-order', `the session is ${this.#state}`)
  }
}
