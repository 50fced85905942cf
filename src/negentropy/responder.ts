import { Exchange, versionOf } from './exchange.ts'
import { protocolVersion } from './message-writer.ts'
import { NegentropyError } from './negentropy-error.ts'
import type { OrderedSet } from './ordered-set.ts'
import type { ReconcileStep } from './reconcile-step.ts'
import { type SessionLimits, type SessionOptions, sessionLimits } from './session-options.ts'

/** The side that answers. It keeps nothing between two messages but the set and the number of rounds. */
export class Responder {
  readonly #limits: SessionLimits
  readonly #exchange: Exchange
  #rounds = 0
  #failed = false

  /** @param set must stay as it is until the session ends */
  constructor(set: OrderedSet, options: SessionOptions = {}) {
    this.#limits = sessionLimits(options, 500_000)
    this.#exchange = new Exchange(set, this.#limits, undefined)
  }

  /** Messages received so far. */
  get rounds(): number {
    return this.#rounds
  }

  /** Answers one message of the peer; `have` and `need` are empty. Throws `NegentropyError`, which ends the session. */
  step(message: Uint8Array): ReconcileStep & { readonly reply: Uint8Array } {
    if (this.#failed) throw new NegentropyError('negentropy/out-of-order', 'the session is ended')
    this.#failed = true
    if (++this.#rounds > this.#limits.maxRounds)
      throw new NegentropyError('negentropy/no-progress', `more than ${this.#limits.maxRounds} rounds`)
    const known = versionOf(message, this.#limits) === protocolVersion
    const reply = known ? this.#exchange.answer(message) : Uint8Array.of(protocolVersion)
    this.#failed = false
    return { reply, have: [], need: [] }
  }
}
