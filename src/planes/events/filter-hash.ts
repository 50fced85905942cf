import { hash } from 'node:crypto'
import type { Filter } from './filter.ts'

/**
 * One spelling for all filters that select the same: keys and values sorted by code point (numbers by size), nothing
 * twice, no whitespace, without `limit` (spec events §2.4). Hex is lowercase in every checked filter.
 */
export function canonicalFilter({ limit: _, ...filter }: Filter): string {
  const entries = Object.entries(filter).map(([key, value]): [string, unknown] => [
    key,
    canonicalValue(value),
  ])
  return JSON.stringify(Object.fromEntries(entries.sort(([a], [b]) => byCodePoint(a, b))))
}

/** Names what a filter selects apart from its time range: hex SHA-256 of the canonical filter without `since` and `until`. */
export function filterHash({ since: _, until: __, ...filter }: Filter): string {
  return hash('sha256', canonicalFilter(filter), 'hex')
}

function canonicalValue(value: Filter[keyof Filter]): unknown {
  if (!Array.isArray(value)) return value
  const distinct = [...new Set<string | number>(value)]
  return distinct.sort((a, b) => (typeof a === 'number' ? a - Number(b) : byCodePoint(a, String(b))))
}

/** UTF-8 sorts like code points; UTF-16, which `<` compares, does not beyond U+FFFF. */
function byCodePoint(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}
