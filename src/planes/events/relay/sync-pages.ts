import { setImmediate } from 'node:timers/promises'
import type { Bulk } from '../bulk/bulk.ts'
import { parseBulkFilter } from '../bulk/bulk-filter.ts'
import type { BulkFailure } from '../bulk/bulk-result.ts'
import type { BulkPage } from '../bulk/page-reader.ts'
import type { ReasonPrefix } from '../event-error.ts'
import type { Filter } from '../filter.ts'
import type { Limits } from '../limits.ts'
import type { ReadPolicy } from '../policy/read-policy.ts'
import { type SyncPageCursor, type SyncPageRequest, syncPageCodec } from '../sync-page-frame.ts'
import type { Outbound } from './outbound.ts'
import type { Turns } from './turns.ts'

/**
 * Who may walk by SYNC-PAGE. `authenticated`: public keys with a grant of `sync_read` over the filter. `open`: whoever would
 * be answered a REQ.
 */
export type SyncPageAccess = 'off' | 'authenticated' | 'open'

export interface SyncPagesContext {
  readonly access: SyncPageAccess
  readonly bulk: Pick<Bulk, 'pageEvents'>
  readonly readPolicy: ReadPolicy
  readonly limits: Limits
  readonly outbound: Pick<Outbound, 'room' | 'reading' | 'send'>
  readonly turns: Turns
  readonly remote: string
  /** Aborted when the connection ends. */
  readonly signal: AbortSignal
  /** Public keys that have authenticated so far. */
  pubkeys(): readonly string[]
  challenge(): void
  onFailure(error: unknown): void
}

/** Rows and bytes of one page, as advertised: never more bytes than a message of ours has. */
export function syncPageLimits({ maxSyncPageLimit, maxSyncPageBytes, maxMessageBytes }: Limits) {
  return { maxLimit: maxSyncPageLimit, maxBytes: Math.min(maxSyncPageBytes, maxMessageBytes) }
}

/**
 * Answers the SYNC-PAGE requests of one connection (spec events §3.8), each exactly once, one after the other: however
 * many are asked for, one page is held at a time, and none while the reader of the answers is slow.
 */
export class SyncPages {
  readonly #context: SyncPagesContext
  readonly #unanswered = new Set<string>()
  #last: Promise<void> = Promise.resolve()

  constructor(context: SyncPagesContext) {
    this.#context = context
  }

  open(id: string, request: SyncPageRequest): void {
    const { access, limits } = this.#context
    const most = limits.maxSyncPagesPerConnection
    if (access === 'off') return this.#refuse(id, 'unsupported: SYNC-PAGE is disabled')
    if (this.#unanswered.has(id))
      return this.#refuse(id, 'invalid: a request of this id has not been answered yet')
    if (this.#unanswered.size >= most)
      return this.#refuse(id, `rate-limited: no more than ${most} pages are asked for at once`)
    this.#unanswered.add(id)
    this.#last = this.#last.then(() => this.#answer(id, request))
  }

  /** Resolves when every request so far has its answer. */
  idle(): Promise<void> {
    return this.#last
  }

  async #answer(id: string, request: SyncPageRequest): Promise<void> {
    const { outbound, turns, signal, onFailure } = this.#context
    try {
      // What came together with it is looked at first, so that the bound above holds however fast the store is.
      await setImmediate()
      if (signal.aborted || !(await outbound.room())) return
      await turns.take()
      const text = await outbound.reading(() => this.#page(id, request))
      this.#unanswered.delete(id)
      if (text !== undefined) outbound.send(text)
    } catch (error) {
      onFailure(error)
      this.#unanswered.delete(id)
      this.#refuse(id, 'error: the relay could not answer')
    }
  }

  /** The frame to send; undefined when there is nobody left to send it to. */
  async #page(
    id: string,
    { filter, limit, order, after, until }: SyncPageRequest,
  ): Promise<string | undefined> {
    const { bulk, limits, remote, signal } = this.#context
    const authenticatedPubkeys = this.#context.pubkeys()
    const denial = this.#denial(filter, authenticatedPubkeys)
    if (denial !== undefined) return this.#refused(id, denial)
    const { maxLimit, maxBytes } = syncPageLimits(limits)
    const page = await bulk.pageEvents(filter as Filter, {
      context: { caller: 'websocket', remote, authenticatedPubkeys },
      limit: Math.min(limit, maxLimit),
      order,
      afterKey: after,
      untilKey: until,
      maxBytes: Math.max(1, maxBytes - envelopeBytes(id)),
      signal,
    })
    if (page.ok) return syncPageCodec.encodePage(id, pageOf(page.value))
    return page.error === 'aborted' ? undefined : this.#refused(id, page)
  }

  /** What only SYNC-PAGE asks for; `pageEvents` asks for everything else. */
  #denial(input: unknown, pubkeys: readonly string[]): BulkFailure | undefined {
    const { access, readPolicy, limits } = this.#context
    const filter = parseBulkFilter(input, limits)
    if (!filter.ok) return filter
    const denial = access === 'authenticated' ? readPolicy.refuseWalk(filter.value, pubkeys) : undefined
    return denial && { ok: false, error: denial.code, detail: denial.reason }
  }

  #refused(id: string, failure: BulkFailure): string {
    const prefix = prefixOf(failure.error)
    if (prefix === 'auth-required') this.#context.challenge()
    if (prefix === 'error') this.#context.onFailure(failure.detail)
    const text = prefix === 'error' ? 'the relay could not answer' : String(failure.detail ?? failure.error)
    return syncPageCodec.encodeError(id, `${prefix}: ${text.replace(/^[a-z-]+: /, '')}`)
  }

  #refuse(id: string, reason: string): void {
    this.#context.outbound.send(syncPageCodec.encodeError(id, reason))
  }
}

function pageOf({ raws, nextCursor, complete, rawCount }: BulkPage) {
  // The orders that SYNC-PAGE knows go from key to key.
  return { raws, next: nextCursor as SyncPageCursor | null, complete, rawCount }
}

function prefixOf(error: BulkFailure['error']): ReasonPrefix {
  switch (error) {
    case 'auth_required':
      return 'auth-required'
    case 'read_not_allowed':
    case 'sync_read_not_allowed':
      return 'restricted'
    case 'sync_page_error':
      return 'error'
    default:
      return 'invalid'
  }
}

/** Bytes of the frame around the events. */
function envelopeBytes(id: string): number {
  const next = [Number.MAX_SAFE_INTEGER, '0'.repeat(64)] as const
  const empty = { raws: [], next, complete: false, rawCount: Number.MAX_SAFE_INTEGER }
  return Buffer.byteLength(syncPageCodec.encodePage(id, empty))
}
