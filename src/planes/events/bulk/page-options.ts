import type { NostrEvent } from '../event.ts'
import type { Filter } from '../filter.ts'
import type { Limits } from '../limits.ts'
import type { ReadPolicy } from '../policy/read-policy.ts'
import { parseBulkFilter } from './bulk-filter.ts'
import { type BulkFailure, type BulkResult, failed } from './bulk-result.ts'
import { type BulkOrder, type Cursor, isBulkOrder, isCursor } from './cursor.ts'
import { isRequestContext, type RequestContext } from './request-context.ts'

export interface PageOptions {
  readonly context: RequestContext
  /** Rows of one page, 1 … 5000. Default 500. */
  readonly limit?: number
  /** The same by its other name; `limit` wins. */
  readonly pageSize?: number
  /** Default `asc`. */
  readonly order?: BulkOrder
  /** Exclusive start in the direction of travel: `nextCursor` of the page before. */
  readonly afterKey?: Cursor | null | undefined
  /** Inclusive end in the direction of travel. */
  readonly untilKey?: Cursor | null | undefined
  /**
   * Asked once for each event that the read policy shows, in the order of the page; anything but true hides it. It cannot
   * show what the policy hides.
   */
  readonly authorizeEvent?: (event: NostrEvent, context: RequestContext) => boolean | Promise<boolean>
  /** A page ends, with `complete: false`, before its events' texts are longer together, but never before its first row. */
  readonly maxBytes?: number
  /** Ends the call between two steps with `aborted`. */
  readonly signal?: AbortSignal | undefined
}

/** Page options that were checked, with every default in place. */
export interface PageWalk extends Pick<PageOptions, 'authorizeEvent' | 'signal'> {
  readonly maxBytes: number
  readonly filter: Filter
  readonly context: RequestContext
  readonly limit: number
  readonly order: BulkOrder
  readonly after: Cursor | null
  readonly until: Cursor | null
}

/** What a caller may ask for. */
export interface PageRules {
  readonly limits: Limits
  readonly readPolicy: ReadPolicy
}

export const maxPageSize = 5_000
const defaultPageSize = 500

/** Checks what a caller asks for, before anything is read; callers without types get an answer, not an exception. */
export function parsePageOptions(
  filter: unknown,
  options: Partial<PageOptions> | undefined,
  { limits, readPolicy }: PageRules,
): BulkResult<PageWalk> {
  const { context, pageSize, limit = pageSize ?? defaultPageSize, order = 'asc' } = options ?? {}
  if (!isRequestContext(context)) return failed('missing_context', 'a call needs a context with a caller')
  const parsed = parseBulkFilter(filter, limits)
  if (!parsed.ok) return parsed
  const denial = readPolicy.refuse([parsed.value], context.authenticatedPubkeys ?? [])
  if (denial !== undefined) return failed(denial.code, denial.reason)
  if (!Number.isInteger(limit) || limit < 1 || limit > maxPageSize)
    return failed('invalid_page_size', `a page has 1 to ${maxPageSize} rows`)
  const { maxBytes = Number.POSITIVE_INFINITY } = options ?? {}
  if (typeof maxBytes !== 'number' || !(maxBytes >= 1))
    return failed('invalid_page_size', 'a page has at least one byte')
  if (!isBulkOrder(order)) return failed('invalid_order', 'the orders are asc, desc and seq')
  const [after, until] = [options?.afterKey ?? null, options?.untilKey ?? null]
  for (const cursor of [after, until])
    if (cursor !== null && !isCursor(cursor, order)) return badCursor(order)
  const { authorizeEvent, signal } = options ?? {}
  const walk = { filter: parsed.value, context, limit, maxBytes, order, after, until, signal }
  return { ok: true, value: authorizeEvent === undefined ? walk : { ...walk, authorizeEvent } }
}

function badCursor(order: BulkOrder): BulkFailure {
  const form = order === 'seq' ? 'a whole number from 0' : '[created_at, id]'
  return failed('invalid_cursor', `a cursor of order ${order} is ${form}`)
}
