import { EventError } from '../event-error.ts'
import type { Filter } from '../filter.ts'
import { parseFilter } from '../filter-parser.ts'
import type { Limits } from '../limits.ts'
import { type BulkErrorCode, type BulkFailure, type BulkResult, failed } from './bulk-result.ts'

const byKey: Readonly<Record<string, BulkErrorCode>> = {
  ids: 'invalid_ids',
  authors: 'invalid_authors',
  kinds: 'invalid_kinds',
  since: 'invalid_since',
  until: 'invalid_until',
}

/**
 * Checks the filter of a complete walk (spec events §2.4, §3.2). `limit` and `search` contradict completeness, and an empty
 * list, which means nothing here and everything elsewhere, is refused.
 */
export function parseBulkFilter(value: unknown, limits: Limits): BulkResult<Filter> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return failed('invalid_filter', 'one filter is expected, as an object')
  if ('limit' in value)
    return failed('limit_not_allowed', 'must not be given: a walk with a limit is never complete')
  if ('search' in value)
    return failed('search_not_allowed', 'must not be given: a search has no complete answer')
  for (const [key, condition] of Object.entries(value)) {
    const error = byKey[key] ?? (key.startsWith('#') ? 'invalid_tag_filter' : 'invalid_filter')
    if (Array.isArray(condition) && condition.length === 0) return failed(error, `${key} is empty`)
    const checked = parse({ [key]: condition }, limits, error)
    if (!checked.ok) return checked
  }
  return parse(value, limits, 'invalid_filter')
}

function parse(value: unknown, limits: Limits, fallback: BulkErrorCode): BulkResult<Filter> {
  try {
    return { ok: true, value: parseFilter(value, limits) }
  } catch (error) {
    if (error instanceof EventError) return refused(error, fallback)
    throw error
  }
}

function refused({ code, reason }: EventError, fallback: BulkErrorCode): BulkFailure {
  if (code === 'filter/unknown-key') return failed('invalid_filter_key', reason)
  const tooMany = code === 'filter/too-many-values' && fallback === 'invalid_tag_filter'
  return failed(tooMany ? 'too_many_tag_values' : fallback, reason)
}
