import type { Clock } from '../../../kernel/clock.ts'
import { SyncError } from '../../../kernel/sync-error.ts'
import { Watchdog } from '../../../kernel/watchdog.ts'
import type { AuthMode } from '../definition/server-definition.ts'
import type { NostrEvent } from '../event.ts'
import type { Signer } from '../signer.ts'
import { type Deferred, handled } from './deferred.ts'
import type { PublishResult } from './relay-answer.ts'

export interface ClientAuthOptions {
  /** As configured: what an AUTH event names. */
  readonly url: string
  readonly mode: AuthMode
  /** The relay says that it demands authentication of everybody (NIP-11). */
  readonly required: boolean
  readonly signer: Signer
  readonly clock: Clock
  /** Sends the AUTH event; resolves with the relay's OK. */
  readonly send: (event: NostrEvent) => Promise<PublishResult>
  /** The connection is of no use any more: every request on it would be refused. */
  readonly onFault: (error: SyncError) => void
}

/** How long a relay that demands authentication has to send its challenge, and to answer ours. */
const waitMs = 10_000

type State =
  | { readonly kind: 'none' }
  | { readonly kind: 'awaiting_challenge' }
  | { readonly kind: 'pending'; readonly challenge: string }
  | { readonly kind: 'authenticated' }

/**
 * Who we are to one relay (NIP-42), as a state machine over one connection (spec events §2.7).
 *
 *     none ──challenge, to be answered──▶ pending ──OK true──▶ authenticated
 *      │ demanded, no challenge yet          ▲  ╲ OK false, no OK in time: fault
 *      └──▶ awaiting_challenge ──challenge───┘
 *                  ╲ no challenge in time: fault
 *
 * A challenge in any state replaces the one before; what was accepted stays accepted until the new one is.
 */
export class ClientAuth implements Disposable {
  readonly #options: ClientAuthOptions
  #state: State = { kind: 'none' }
  /** The last one that came, answered or not. */
  #challenge: string | undefined
  #demanded: boolean
  #accepted: Deferred<void> = handled()
  #timer: Watchdog | undefined
  #failure: unknown

  constructor(options: ClientAuthOptions) {
    this.#options = options
    this.#demanded = options.required
  }

  get state(): State['kind'] {
    return this.#state.kind
  }

  /** The relay sent a challenge. */
  challenged(challenge: string): void {
    if (challenge === this.#challenge) return
    this.#challenge = challenge
    const { mode } = this.#options
    if (mode === 'disabled') return
    if (mode === 'on_challenge' || this.#demanded) this.#answer(challenge)
  }

  /**
   * A request was refused with `auth-required:`. Resolves once the relay accepted us; then the request is sent again, once.
   *
   * @throws SyncError with the fault `auth_required_but_disabled`, `auth_challenge_missing`, `auth_rejected` or `auth_timeout`
   */
  async demanded(): Promise<void> {
    const { mode, url } = this.#options
    if (this.#failure !== undefined) throw this.#failure
    if (mode === 'disabled') {
      const message = `${url} demands authentication, which is switched off for it (auth.mode)`
      throw new SyncError('peer/rejected', message, { fault: 'auth_required_but_disabled' })
    }
    this.#demanded = true
    if (this.#state.kind === 'none') {
      if (this.#challenge !== undefined) this.#answer(this.#challenge)
      else this.#await()
    }
    await this.#accepted.promise
  }

  fail(error: unknown): void {
    this.#failure ??= error
    this[Symbol.dispose]()
    this.#accepted.reject(error)
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]()
    this.#timer = undefined
  }

  #await(): void {
    const { url } = this.#options
    this.#state = { kind: 'awaiting_challenge' }
    this.#deadline(
      'peer/protocol',
      'auth_challenge_missing',
      `${url} demands authentication but sent no challenge`,
    )
  }

  #answer(challenge: string): void {
    const { signer, url, clock, send } = this.#options
    // Accepted once is accepted until a refusal: a second challenge interrupts nothing.
    if (this.#state.kind !== 'authenticated') this.#state = { kind: 'pending', challenge }
    this.#deadline('peer/unreachable', 'auth_timeout', `${url} did not answer our authentication`)
    const tags = [
      ['relay', url],
      ['challenge', challenge],
    ]
    const event = signer.sign({ kind: 22242, created_at: Math.floor(clock.now() / 1000), tags, content: '' })
    send(event).then(
      (result) => this.#answered(challenge, result),
      (error: unknown) => this.fail(error),
    )
  }

  #answered(challenge: string, { accepted, reason }: PublishResult): void {
    // An answer to a challenge that was replaced says nothing any more.
    if (challenge !== this.#challenge) return
    this[Symbol.dispose]()
    if (!accepted) return this.#fault('peer/rejected', 'auth_rejected', `refused our identity: ${reason}`)
    this.#state = { kind: 'authenticated' }
    this.#accepted.resolve()
  }

  #deadline(code: 'peer/protocol' | 'peer/unreachable', fault: string, message: string): void {
    this[Symbol.dispose]()
    this.#timer = new Watchdog(this.#options.clock, waitMs, () => {
      const error = new SyncError(code, `${message} within ${waitMs / 1000} s`, { fault })
      this.fail(error)
      this.#options.onFault(error)
    })
  }

  #fault(code: 'peer/rejected', fault: string, what: string): void {
    const error = new SyncError(code, `${this.#options.url} ${what}`, { fault })
    this.fail(error)
    this.#options.onFault(error)
  }
}
