import { SyncError } from '../../../kernel/sync-error.ts'
import { peekId } from '../event-parser.ts'
import { reasonPrefix } from './relay-frame.ts'

/** How a REQ ended. `closed` carries the relay's words. */
export interface FetchResult {
  readonly raws: readonly string[]
  readonly end: 'eose' | 'closed'
  /** NIP-67: whether the relay has more; undefined when it does not say. */
  readonly hint: 'finish' | 'more' | undefined
  readonly reason: string
}

export interface PublishResult {
  readonly accepted: boolean
  /** The relay's words; `<prefix>: <text>` when refused. */
  readonly reason: string
}

export type NegReply =
  | { readonly kind: 'message'; readonly hex: string }
  /** NEG-ERR with the relay's own limit where it told one. */
  | { readonly kind: 'error'; readonly reason: string; readonly max: number | undefined }
  /** A NOTICE or CLOSED instead of an answer: the relay does not speak NIP-77. */
  | { readonly kind: 'unsupported'; readonly reason: string }
  /** No answer in time. */
  | { readonly kind: 'silent'; readonly reason: string }

/** What COUNT answers; our own relays add the fingerprint of the set (docs/protocol/events.md). */
export interface RelayCount {
  readonly count: number
  readonly fingerprint?: string | undefined
}

export interface LiveSubscription {
  /** Resolves with the relay's words when it closes the subscription; rejects when the connection ends. */
  readonly closed: Promise<string>
  close(): Promise<void>
}

/** Of `raws`, by id, those that carry one of `ids`; the rest was not asked for. */
export function onlyAsked(raws: readonly string[], ids: ReadonlySet<string>): Map<string, string> {
  const asked = new Map<string, string>()
  for (const raw of raws) {
    const id = peekId(raw)
    if (id !== undefined && ids.has(id)) asked.set(id, raw)
  }
  return asked
}

/** The relay closed what one link asked for: for long when it names access, else worth another try soon. */
export function refusal(url: string, what: string, reason: string): SyncError {
  const prefix = reasonPrefix(reason)
  const text = `${url} refused ${what}: ${reason}`
  if (prefix === 'rate-limited') {
    const options = { fault: 'rate_limited', linkOnly: true, retryAfterMs: rateLimitedMs }
    return new SyncError('peer/busy', `${url} asks to slow down: ${reason}`, options)
  }
  // Asked again although we authenticated: as good as `restricted` (spec events §2.7).
  const forLong = prefix === 'restricted' || prefix === 'blocked' || prefix === 'auth-required'
  if (!forLong) return new SyncError('peer/protocol', text, { fault: 'closed', linkOnly: true })
  const fault = prefix === 'blocked' ? 'blocked' : 'restricted'
  return new SyncError('peer/rejected', text, { fault, linkOnly: true })
}

const rateLimitedMs = 5_000
