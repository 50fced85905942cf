import type { Clock } from '../../../kernel/clock.ts'
import { NegentropyError } from '../../../negentropy/negentropy-error.ts'
import { EventError } from '../event-error.ts'
import { type EventStore, type Reconciler, TooManyRecords } from '../event-store.ts'
import { parseFilter } from '../filter-parser.ts'
import type { Limits } from '../limits.ts'
import type { ReadPolicy } from '../policy/read-policy.ts'
import { negErr } from './frame.ts'
import type { Admission } from './limiter.ts'
import { NegSessions } from './neg-sessions.ts'

export interface NegotiationContext {
  readonly store: Pick<EventStore<unknown>, 'reconciler'>
  readonly limits: Limits
  readonly admission: Admission
  readonly clock: Clock
  readonly readPolicy: ReadPolicy
  send(text: string): void
  /** Public keys that have authenticated so far. */
  pubkeys(): readonly string[]
  /** Makes sure the peer has a challenge before it is refused for want of AUTH. */
  challenge(): void
  /** Something broke that is not the peer's fault. */
  onFailure(error: unknown): void
}

/** Answers NEG-OPEN, NEG-MSG and NEG-CLOSE of one connection, one at a time (NIP-77, spec events §5.15). */
export class Negotiation {
  readonly #context: NegotiationContext
  readonly #sessions = new NegSessions()
  /** Names of sessions that were being answered when they lost their right. */
  readonly #revoked = new Set<string>()

  constructor(context: NegotiationContext) {
    this.#context = context
  }

  get size(): number {
    return this.#sessions.size
  }

  async open(id: string, filter: unknown, message: Uint8Array): Promise<void> {
    // An open session of this name ends, whatever becomes of the new one.
    await this.#sessions.remove(id)
    this.#revoked.delete(id)
    const { limits, send, readPolicy, challenge } = this.#context
    try {
      const parsed = parseFilter(filter, limits)
      if (parsed.limit !== undefined)
        throw new EventError('filter/bad-value', 'invalid', 'limit has no meaning in NEG-OPEN')
      const pubkeys = this.#context.pubkeys()
      const denial = readPolicy.refuse([parsed], pubkeys)
      if (denial !== undefined) {
        if (denial.code === 'auth_required') challenge()
        return send(negErr(id, denial.reason))
      }
      const release = this.#context.admission.negotiate()
      if (typeof release === 'string')
        return send(negErr(id, `blocked: too many negentropy sessions on this ${release}`))
      const reconciler = await this.#context.store
        .reconciler({
          role: 'responder',
          filter: parsed,
          visibility: readPolicy.visibility(pubkeys, [parsed]),
          frameLimit: negFrameBytes(limits),
          maxRecords: limits.maxNegRecords,
        })
        .catch((error: unknown) => {
          release()
          throw error
        })
      const forget = this.#context.admission.holdRecords(reconciler.heldRecords)
      if (forget === undefined) {
        release()
        await reconciler[Symbol.asyncDispose]()
        return send(negErr(id, 'blocked: too many records are being compared; ask for fewer'))
      }
      this.#sessions.add(id, reconciler, () => {
        forget()
        release()
      })
      await this.#step(id, reconciler, message)
    } catch (error) {
      await this.#refuse(id, error)
    }
  }

  async message(id: string, message: Uint8Array): Promise<void> {
    const reconciler = this.#sessions.take(id)
    if (reconciler === undefined) return this.#context.send(negErr(id, 'closed: unknown subscription handle'))
    try {
      await this.#step(id, reconciler, message)
    } catch (error) {
      await this.#refuse(id, error)
    }
  }

  /** An unknown id is ignored. */
  close(id: string): Promise<void> {
    return this.#sessions.remove(id)
  }

  /** Ends what nobody used for `negIdleMs`: a forgotten session must not keep its snapshot. */
  async sweep(): Promise<void> {
    const before = this.#context.clock.monotonic() - this.#context.limits.negIdleMs
    for (const id of this.#sessions.idleSince(before)) {
      this.#context.send(negErr(id, 'closed: negentropy session timed out'))
      await this.#sessions.remove(id)
    }
  }

  /** Ends every session: what they were opened for may not be read any more. */
  async revoke(): Promise<void> {
    for (const id of this.#sessions.busy()) this.#revoked.add(id)
    for (const id of this.#sessions.idleSince(Number.POSITIVE_INFINITY)) await this.#endRevoked(id)
  }

  #endRevoked(id: string): Promise<void> {
    this.#context.send(negErr(id, 'closed: what may be read here has changed'))
    return this.#sessions.remove(id)
  }

  /** Frees everything; call it when no message is being answered any more. */
  clear(): Promise<void> {
    return this.#sessions.clear()
  }

  async #step(id: string, reconciler: Reconciler, message: Uint8Array): Promise<void> {
    const { reply } = await reconciler.step(message)
    if (this.#revoked.delete(id)) return this.#endRevoked(id)
    this.#sessions.rest(id, this.#context.clock.monotonic())
    if (reply === undefined) return
    const hex = Buffer.from(reply.buffer, reply.byteOffset, reply.byteLength).toString('hex')
    this.#context.send(`["NEG-MSG",${JSON.stringify(id)},"${hex}"]`)
  }

  async #refuse(id: string, error: unknown): Promise<void> {
    await this.#sessions.remove(id)
    const { send, onFailure } = this.#context
    if (error instanceof TooManyRecords) return send(negErr(id, 'blocked: this query is too big', error.max))
    if (error instanceof NegentropyError) return send(negErr(id, `invalid: ${error.message}`))
    if (error instanceof EventError) return send(negErr(id, error.reason))
    onFailure(error)
    send(negErr(id, 'error: the relay could not answer'))
  }
}

/**
 * Bytes of one binary answer: 500,000 as the field does, but no more than fits, in hex, into a message of the size we
 * take ourselves. A peer that limits what it receives mostly limits it to about that.
 */
function negFrameBytes(limits: Limits): number {
  const envelope = 256
  return Math.min(limits.maxNegFrameBytes, Math.floor((limits.maxMessageBytes - envelope) / 2))
}
