import { parseBulkFilter } from '../bulk/bulk-filter.ts'
import type { Filter } from '../filter.ts'
import { canonicalFilter } from '../filter-hash.ts'
import { defaultLimits } from '../limits.ts'
import { type FieldReader, isFields } from './field-reader.ts'
import type { DefinitionErrorCode, FilterErrorCode } from './server-definition.ts'

/**
 * The filters of a definition in canonical form, each once (spec events §2.4). Every condition is checked by itself, so
 * that one wrong one does not hide the next.
 */
export function readFilters(reader: FieldReader, fallback: readonly Filter[] | undefined): readonly Filter[] {
  return readList(reader, 'filters', reader.given('filters') ?? fallback, 'invalid_filters')
}

/** The filters of what goes up; null where they are those of what comes down. */
export function readUploadFilters(reader: FieldReader): readonly Filter[] | null {
  const given = reader.given('upload_filters') ?? null
  return given === null ? null : readList(reader, 'upload_filters', given, 'invalid_upload_filters')
}

function readList(
  reader: FieldReader,
  field: string,
  filters: unknown,
  code: DefinitionErrorCode,
): readonly Filter[] {
  if (!Array.isArray(filters)) {
    reader.refuse(field, code, 'must be a list of filters; [{}] is everything')
    return []
  }
  if (filters.length === 0) reader.refuse(field, 'empty_filters', 'must hold a filter; {} is everything')
  if (filters.length > defaultLimits.maxFilters) {
    reader.refuse(field, 'too_many_filters', `must hold at most ${defaultLimits.maxFilters} filters`)
    return []
  }
  const distinct = new Map<string, Filter>()
  for (const [at, input] of filters.entries()) {
    const filter = readFilter(reader, `${field}[${at}]`, input)
    if (filter === undefined) continue
    const text = canonicalFilter(filter)
    distinct.set(text, JSON.parse(text))
  }
  return [...distinct.values()]
}

function readFilter(reader: FieldReader, path: string, input: unknown): Filter | undefined {
  const before = reader.issues.length
  if (isFields(input)) {
    for (const [key, condition] of Object.entries(input))
      check(reader, `${path}.${key}`, { [key]: condition })
  }
  if (reader.issues.length > before) return undefined
  const filter = check(reader, path, input)
  if (filter === undefined) return undefined
  if ((filter.since ?? 0) > (filter.until ?? Number.MAX_SAFE_INTEGER)) {
    reader.refuse(path, 'empty_time_range', 'since is after until: nothing would be synced')
    return undefined
  }
  return filter
}

function check(reader: FieldReader, path: string, input: unknown): Filter | undefined {
  const checked = parseBulkFilter(input, defaultLimits)
  if (checked.ok) return checked.value
  // What a check of a filter alone can answer is named the same in both interfaces (spec events §2.4).
  reader.refuse(path, checked.error as FilterErrorCode, String(checked.detail))
  return undefined
}
