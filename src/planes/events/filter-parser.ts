import { EventError, type EventErrorCode } from './event-error.ts'
import type { Filter } from './filter.ts'
import { isEmptyFilter } from './filter-match.ts'
import type { Limits } from './limits.ts'

type FilterLimits = Pick<Limits, 'maxFilterValues' | 'maxTagValues' | 'maxTagValueBytes' | 'maxFilterPairs'>

const hex64 = /^[0-9a-f]{64}$/
const tagKey = /^#[a-zA-Z]$/
/** Tags that hold an event id or a public key. */
const hexTags = new Set(['#e', '#p'])

/**
 * Checks a filter as a client may send it in REQ, COUNT or NEG-OPEN. Empty lists and a time range that ends before it
 * starts are allowed: they match nothing.
 *
 * @throws EventError `filter/…`; `unsupported:` for a condition we do not know, as leaving it out would answer another
 *   question than the one asked; `invalid:` for everything else
 */
export function parseFilter(value: unknown, limits: FilterLimits): Filter {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid('filter/not-an-object', 'a filter is a JSON object')
  const filter: Record<string, unknown> = {}
  for (const [key, condition] of Object.entries(value)) filter[key] = parseCondition(key, condition, limits)
  const { authors = [], kinds = [] } = filter as Filter
  if (authors.length * kinds.length > limits.maxFilterPairs)
    throw invalid('filter/too-many-values', `more than ${limits.maxFilterPairs} pairs of author and kind`)
  return filter as Filter
}

/**
 * Checks a filter that describes what two relays keep in step. `limit` would make completeness undefined, and to some
 * relays an empty list means everything, so both are refused here.
 *
 * @param value undefined: everything
 * @throws EventError as {@link parseFilter}
 */
export function parseSyncFilter(value: unknown, limits: FilterLimits): Filter {
  const filter = parseFilter(value ?? {}, limits)
  if (filter.limit !== undefined)
    throw invalid('filter/bad-value', 'limit is not allowed: a sync with a limit is never complete')
  if (isEmptyFilter(filter))
    throw invalid('filter/bad-value', 'an empty list, or since after until, would sync nothing')
  return filter
}

function parseCondition(key: string, value: unknown, limits: FilterLimits): unknown {
  switch (key) {
    case 'ids':
    case 'authors':
      return list(key, value, limits.maxFilterValues, isHex64, '64 lowercase hex digits')
    case 'kinds':
      return list(key, value, limits.maxFilterValues, isKind, 'whole numbers from 0 to 65535')
    case 'since':
    case 'until':
    case 'limit':
      if (isWhole(value)) return value
      throw invalid('filter/bad-value', `${key} must be a whole number from 0`)
  }
  if (!tagKey.test(key))
    throw new EventError('filter/unknown-key', 'unsupported', 'filter contains unknown elements')
  if (hexTags.has(key)) return list(key, value, limits.maxTagValues, isHex64, '64 lowercase hex digits')
  const isTagValue = (text: unknown) =>
    typeof text === 'string' && text.isWellFormed() && Buffer.byteLength(text) <= limits.maxTagValueBytes
  return list(
    key,
    value,
    limits.maxTagValues,
    isTagValue,
    `strings of at most ${limits.maxTagValueBytes} bytes`,
  )
}

function list(
  key: string,
  value: unknown,
  max: number,
  isValid: (entry: unknown) => boolean,
  what: string,
): unknown[] {
  if (!Array.isArray(value)) throw invalid('filter/bad-value', `${key} must be a list`)
  if (value.length > max) throw invalid('filter/too-many-values', `${key} has more than ${max} values`)
  if (!value.every(isValid)) throw invalid('filter/bad-value', `${key} must hold ${what}`)
  return [...value]
}

function isHex64(value: unknown): boolean {
  return typeof value === 'string' && hex64.test(value)
}

function isKind(value: unknown): boolean {
  return isWhole(value) && value <= 65_535
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && !Object.is(value, -0)
}

function invalid(code: EventErrorCode, message: string): EventError {
  return new EventError(code, 'invalid', message)
}
