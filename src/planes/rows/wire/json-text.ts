import { ExactNumber, isExactAsDouble } from './exact-number.ts'
import type { JsonValue } from './json-value.ts'

/**
 * Numbers that may not survive as doubles: 15 digits or fewer without an exponent always do. It also finds such text
 * inside strings, which costs a closer look and nothing else.
 */
const longNumber = /(?:^|[:,[\s])(-?\d(?:[\d.]{15,}(?:[eE][+-]?\d+)?|[\d.]*[eE][+-]?\d+))/g

type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown
const parseWithSource = JSON.parse as (text: string, reviver: Reviver) => JsonValue

/**
 * Parses JSON text without losing numbers (§2.14.1, §12 item 8). Throws a SyntaxError when it is not JSON.
 *
 * The platform's parser does the work; only text in which some number would change is read again, slower, with the
 * literals at hand.
 */
export function parseJson(text: string): JsonValue {
  for (const match of text.matchAll(longNumber))
    if (!isExactAsDouble(match[1]!)) return parseWithSource(text, keepLiteral)
  return JSON.parse(text) as JsonValue
}

function keepLiteral(_key: string, value: unknown, { source }: { readonly source?: string }): unknown {
  if (typeof value !== 'number' || source === undefined) return value
  return isExactAsDouble(source) ? value : new ExactNumber(source)
}

/** Compact JSON text, with the literals of exact numbers. */
export function formatJson(value: JsonValue | object): string {
  return JSON.stringify(value)
}
