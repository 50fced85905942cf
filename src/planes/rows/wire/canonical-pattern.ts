import { canonicalJson } from './canonical-json.ts'
import { parseJson } from './json-text.ts'

/** Text without anything that canonical JSON escapes. */
const text = '"[^"\\\\<>&\\u2028\\u2029\\ud800-\\udfff\\u0000-\\u001f]*"'
/** Numbers whose double has this text, and no other, as its shortest. */
const number = '(?:0|-?[1-9]\\d{0,14}|-?(?:0|[1-9]\\d{0,8})\\.\\d{0,5}[1-9])'
const value = `(?:${text}|${number}|null|true|false)`

/**
 * A pattern of JSON objects with just these members, in the order of canonical JSON, that are canonical JSON as they stand.
 * What it does not match may be so all the same: values that nest, escapes and unusual numbers are left to those who parse.
 *
 * @param names letters, digits and underscores; sorted
 */
export function canonicalPattern(names: readonly string[]): RegExp {
  return new RegExp(`^\\{${names.map((name) => `"${name}":${value}`).join(',')}\\}$`)
}

/** The canonical JSON of `text`. Most rows have been written that way, and finding that out costs a fraction of parsing them. */
export function canonicalText(text: string, pattern: RegExp | undefined): string {
  return pattern?.test(text) ? text : canonicalJson(parseJson(text))
}
