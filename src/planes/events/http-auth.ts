import { createHash } from 'node:crypto'
import type { Clock } from '../../kernel/clock.ts'
import type { NostrEvent } from './event.ts'
import { EventError } from './event-error.ts'
import { parseEvent } from './event-parser.ts'
import { firstValue } from './event-rules.ts'
import type { Limits } from './limits.ts'
import type { Verifier } from './verifier.ts'

/** Why a request is not let in; the words Parrhesia's interface answers with, and one each for what it has none for. */
export type HttpAuthError =
  | 'auth-required'
  | 'invalid-authorization'
  | 'invalid-auth-event'
  | 'stale-auth-event'
  | 'auth-method-tag-mismatch'
  | 'auth-url-tag-mismatch'
  | 'auth-payload-tag-mismatch'
  | 'replayed-auth-event'
  | 'not-allowed'

export interface HttpAuthRequest {
  /** The header of that name. */
  readonly authorization: string | undefined
  readonly method: string
  /**
   * The absolute URL of the request with its query, under every name we are reached by: behind a proxy, the one of the
   * Host header is not what the client has signed. `ws:` and `wss:` count as `http:` and `https:`.
   */
  readonly urls: readonly string[]
  readonly body: Uint8Array
}

export type HttpAuthResult =
  | { readonly ok: true; readonly pubkey: string }
  | {
      readonly ok: false
      readonly error: HttpAuthError
      /** 401: say who you are. 403: we know, and it is not enough. */
      readonly status: 401 | 403
      readonly message: string
    }

export interface HttpAuthOptions {
  readonly verifier: Verifier
  readonly limits: Pick<
    Limits,
    'maxEventBytes' | 'maxJsonDepth' | 'maxTags' | 'maxTagValueBytes' | 'maxContentLength'
  >
  readonly clock: Pick<Clock, 'now'>
  /** Who may: a valid signature says who somebody is, not that he may do anything. */
  readonly isAllowed: (pubkey: string) => boolean
}

const httpAuthKind = 27_235
/** Seconds by which `created_at` may differ from our time, either way (NIP-98). */
const maxAgeSeconds = 60

/**
 * Requests signed by NIP-98: the URL, the method, the body, the time, each event once. What costs little is checked first,
 * so a stranger costs us neither a signature nor a place in the memory of what was used.
 */
export class HttpAuth {
  readonly #options: HttpAuthOptions
  /** Ids of the events used, with the second from which they are too old anyway. */
  readonly #used = new Map<string, number>()

  constructor(options: HttpAuthOptions) {
    this.#options = options
  }

  async check(request: HttpAuthRequest): Promise<HttpAuthResult> {
    const { clock, isAllowed, verifier } = this.#options
    if (request.authorization === undefined)
      return refused('auth-required', 'the request needs an Authorization header (NIP-98)')
    const text = /^Nostr +([A-Za-z0-9+/_=-]+)$/i.exec(request.authorization)?.[1]
    if (text === undefined)
      return refused(
        'invalid-authorization',
        'the Authorization header is "Nostr" and the base64 of an event',
      )
    const event = this.#parse(Buffer.from(text, 'base64').toString())
    if (event instanceof EventError) return refused('invalid-auth-event', event.message)
    const now = Math.floor(clock.now() / 1_000)
    const mismatch = mismatchOf(event, request, now)
    if (mismatch !== undefined) return mismatch
    if (!isAllowed(event.pubkey)) return refused('not-allowed', 'this public key may not do this', 403)
    if (this.#used.has(event.id)) return replayed()
    const [genuine] = await verifier.verify([event])
    if (genuine !== true) return refused('invalid-auth-event', 'the signature is wrong')
    // Once more: the same request may have come twice at once.
    if (this.#used.has(event.id)) return replayed()
    this.#remember(event, now)
    return { ok: true, pubkey: event.pubkey }
  }

  #parse(text: string): NostrEvent | EventError {
    try {
      return parseEvent(text, this.#options.limits).event
    } catch (error) {
      if (error instanceof EventError) return error
      throw error
    }
  }

  #remember({ id, created_at }: NostrEvent, now: number): void {
    for (const [old, until] of this.#used) if (until < now) this.#used.delete(old)
    this.#used.set(id, created_at + maxAgeSeconds)
  }
}

function mismatchOf(event: NostrEvent, request: HttpAuthRequest, now: number): HttpAuthResult | undefined {
  if (event.kind !== httpAuthKind)
    return refused('invalid-auth-event', `the event of an Authorization header has kind ${httpAuthKind}`)
  if (Math.abs(event.created_at - now) > maxAgeSeconds)
    return refused('stale-auth-event', `created_at is more than ${maxAgeSeconds} seconds away from our time`)
  const url = normal(firstValue(event, 'u'))
  if (url === undefined || !request.urls.some((mine) => normal(mine) === url))
    return refused('auth-url-tag-mismatch', 'the u tag is not the URL of the request')
  if (firstValue(event, 'method').toUpperCase() !== request.method.toUpperCase())
    return refused('auth-method-tag-mismatch', 'the method tag is not the method of the request')
  if (request.body.length === 0) return undefined
  const payload = createHash('sha256').update(request.body).digest('hex')
  if (firstValue(event, 'payload') === payload) return undefined
  return refused('auth-payload-tag-mismatch', 'the payload tag is not the SHA-256 of the body')
}

function normal(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).href.replace(/^ws/, 'http') : undefined
}

function replayed(): HttpAuthResult {
  return refused('replayed-auth-event', 'this event was used before; sign one for each request')
}

function refused(error: HttpAuthError, message: string, status: 401 | 403 = 401): HttpAuthResult {
  return { ok: false, error, status, message }
}
