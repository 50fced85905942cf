import type { Clock } from '../../../kernel/clock.ts'
import { SyncError } from '../../../kernel/sync-error.ts'
import { Watchdog } from '../../../kernel/watchdog.ts'
import type { NostrEvent } from '../event.ts'
import type { Signer } from '../signer.ts'
import { type Deferred, handled } from './deferred.ts'
import type { PublishResult } from './relay-answer.ts'

export interface ClientAuthOptions {
  /** As configured: what an AUTH event names. */
  readonly url: string
  readonly signer: Signer
  readonly clock: Clock
  /** Sends the AUTH event; resolves with the relay's OK. */
  readonly send: (event: NostrEvent) => Promise<PublishResult>
}

/** How long a relay that demands authentication has to send its challenge, and to answer ours. */
const waitMs = 10_000

/** Proves who we are to one relay (NIP-42): every challenge is answered as it arrives. */
export class ClientAuth {
  readonly #options: ClientAuthOptions
  #challenge: string | undefined
  #accepted: Deferred<PublishResult> = handled()

  constructor(options: ClientAuthOptions) {
    this.#options = options
  }

  answer(challenge: string): void {
    if (challenge === this.#challenge) return
    // A second challenge replaces the first: who was accepted for the first must be accepted again.
    if (this.#challenge !== undefined) this.#accepted = handled()
    this.#challenge = challenge
    const { signer, url, clock, send } = this.#options
    const tags = [
      ['relay', url],
      ['challenge', challenge],
    ]
    const event = signer.sign({ kind: 22242, created_at: Math.floor(clock.now() / 1000), tags, content: '' })
    send(event).then(this.#accepted.resolve, this.#accepted.reject)
  }

  /**
   * Waits until the relay accepted us.
   *
   * @throws SyncError `peer/rejected` when it refuses our key, or demands AUTH without ever sending a challenge
   */
  async done(): Promise<void> {
    const { clock, url } = this.#options
    const pending = handled<PublishResult>()
    using _watchdog = new Watchdog(clock, waitMs, () => {
      const missing = this.#challenge === undefined ? 'sent no challenge' : 'did not answer ours'
      pending.reject(new SyncError('peer/rejected', `${url} demands authentication but ${missing}`))
    })
    this.#accepted.promise.then(pending.resolve, pending.reject)
    const { accepted, reason } = await pending.promise
    if (!accepted) throw new SyncError('peer/rejected', `${url} refused our identity: ${reason}`)
  }

  fail(error: unknown): void {
    this.#accepted.reject(error)
  }
}
