import type { Clock } from '../kernel/clock.ts'
import { type ApiKey, type KeyScope, keyScopes, mayDo } from '../node/api-key.ts'
import type { HttpAuthResult } from '../planes/events/http-auth.ts'
import { FailureLimiter } from './failure-limiter.ts'
import { HttpError, unauthorized } from './http-error.ts'

/** Who sent a request. */
export interface Caller {
  /** For the audit log: `key rlk_abcd`, `nostr <pubkey>`. */
  readonly actor: string
  readonly scopes: readonly KeyScope[]
}

export interface SignedRequest {
  readonly authorization: string | undefined
  readonly method: string
  /** Path and query. */
  readonly target: string
  readonly body: Uint8Array<ArrayBuffer>
  /** Address of the other end. */
  readonly address: string
}

export interface CallersOptions {
  readonly keys: { authenticate(token: string): Promise<ApiKey | undefined> }
  readonly httpAuth: {
    check(request: {
      authorization: string | undefined
      method: string
      urls: readonly string[]
      body: Uint8Array
    }): Promise<HttpAuthResult>
  }
  /** Where others reach this listener, without a path. What the Host header says proves nothing. */
  readonly origins: () => readonly string[]
  readonly clock: Clock
}

/** Tells who a request comes from: a bearer key, or an administrator's signature (NIP-98). */
export class Callers {
  readonly #options: CallersOptions
  readonly #failures: FailureLimiter

  constructor(options: CallersOptions) {
    this.#options = options
    this.#failures = new FailureLimiter({ clock: options.clock })
  }

  /**
   * @throws HttpError 401; 429 from the eleventh failure of an address within a minute on. A right key is let in even
   *   then: behind a proxy all have one address, and a script with an old key must not lock the operator out. 403 when
   *   the key may not do this.
   */
  async identify(request: SignedRequest, scope: KeyScope): Promise<Caller> {
    const caller = /^Nostr /i.test(request.authorization ?? '')
      ? await this.#signed(request)
      : await this.#bearer(request.authorization)
    if (caller === undefined) throw this.refused(request.address, unauthorized())
    if (mayDo(caller.scopes, scope)) return caller
    throw new HttpError(
      403,
      `this needs a key with the scope ${scope}; this one has ${caller.scopes.join(', ')}`,
    )
  }

  /** Checks a signature and nothing else; for `/management`, which has error codes of its own. */
  check({ authorization, method, target, body }: SignedRequest): Promise<HttpAuthResult> {
    const urls = this.#options.origins().map((origin) => origin.replace(/\/$/, '') + target)
    return this.#options.httpAuth.check({ authorization, method, urls, body })
  }

  /** Notes a failure; the error to answer with, which is 429 when there were too many. */
  refused(address: string, error: HttpError): HttpError {
    const waitMs = this.#failures.failed(address)
    if (waitMs === undefined) return error
    const retryAfterSeconds = Math.ceil(waitMs / 1_000)
    return new HttpError(429, 'too many requests without a valid key from this address', {
      retryAfterSeconds,
    })
  }

  async #bearer(authorization: string | undefined): Promise<Caller | undefined> {
    // As relay.rb has it: exactly this word, exactly one space.
    if (authorization?.startsWith('Bearer ') !== true) return undefined
    const key = await this.#options.keys.authenticate(authorization.slice('Bearer '.length))
    return key && { actor: `key ${key.key_prefix}`, scopes: key.scopes }
  }

  async #signed(request: SignedRequest): Promise<Caller | undefined> {
    const result = await this.check(request)
    return result.ok ? { actor: `nostr ${result.pubkey}`, scopes: keyScopes } : undefined
  }
}
