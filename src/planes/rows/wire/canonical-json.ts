import { ExactNumber } from './exact-number.ts'
import type { JsonObject, JsonValue } from './json-value.ts'

/** Deeper values are refused: text that nests without bound must not be able to exhaust the stack. */
export const maxJsonDepth = 200

/** The value has no canonical form: a number beyond the range of doubles, or it nests too deep. */
export class CanonicalJsonError extends Error {
  override readonly name = 'CanonicalJsonError'
}

/**
 * The canonical JSON of 0.2.x (§2.14.1): members by the UTF-8 order of their names, no whitespace, numbers as the shortest
 * text of their double, and `<`, `>`, `&`, U+2028 and U+2029 escaped. Not RFC 8785.
 */
export function canonicalJson(value: JsonValue): string {
  return write(value, doubleText, 0)
}

/** The same text, but numbers that a double would change stay as they are. What the server stores and sends. */
export function exactCanonicalJson(value: JsonValue): string {
  return write(value, exactText, 0)
}

export interface CanonicalForms {
  /** `canonicalJson`, which hashes cover. */
  readonly canonical: string
  /** `exactCanonicalJson`. */
  readonly exact: string
}

/** Both forms at the cost of one where they are the same, which they nearly always are. */
export function canonicalForms(value: JsonValue): CanonicalForms {
  let differ = false
  const exact = write(
    value,
    (number) => {
      differ = true
      return exactText(number)
    },
    0,
  )
  return { exact, canonical: differ ? canonicalJson(value) : exact }
}

function doubleText(value: ExactNumber): string {
  return numberText(value.toNumber())
}

function exactText(value: ExactNumber): string {
  // Peers hash the double, so what has none may not leave.
  if (!Number.isFinite(value.toNumber())) throw outOfRange(value.literal)
  return value.literal
}

/** `String` is the rule of §2.14.1 but for negative zero. */
function numberText(value: number): string {
  if (!Number.isFinite(value)) throw outOfRange(String(value))
  return Object.is(value, -0) ? '-0' : String(value)
}

function write(value: JsonValue, exact: (value: ExactNumber) => string, depth: number): string {
  if (value === null) return 'null'
  if (typeof value === 'string') return canonicalString(value)
  if (typeof value === 'number') return numberText(value)
  if (typeof value === 'boolean') return value ? 'true' : 'false'
  if (value instanceof ExactNumber) return exact(value)
  if (depth >= maxJsonDepth) throw new CanonicalJsonError(`JSON nested deeper than ${maxJsonDepth} levels`)
  if (Array.isArray(value)) return `[${value.map((item) => write(item, exact, depth + 1)).join(',')}]`
  const object = value as JsonObject
  let text = ''
  for (const name of sortedNames(object))
    text += `${text === '' ? '' : ','}${canonicalString(name)}:${write(object[name]!, exact, depth + 1)}`
  return `{${text}}`
}

/** In the order of their UTF-8 bytes, which is the order of their code points. */
function sortedNames(object: JsonObject): string[] {
  const names = Object.keys(object)
  for (let i = 1; i < names.length; i++)
    if (compareCodePoints(names[i - 1]!, names[i]!) > 0) return names.sort(compareCodePoints)
  return names
}

/** The default order is by UTF-16 units, in which U+E000–U+FFFF come after all astral characters. */
function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)]
    if (x === y) continue
    const [xSurrogate, ySurrogate] = [(x & 0xf800) === 0xd800, (y & 0xf800) === 0xd800]
    return xSurrogate === ySurrogate ? x - y : xSurrogate ? 1 : -1
  }
  return a.length - b.length
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that need an escape
const escaped = /["\\<>&\u2028\u2029\ud800-\udfff\u0000-\u001f]/
const escapedLate = /[<>&\u2028\u2029]/g

/** A JSON string by rule 5 of §2.14.1; an unpaired surrogate becomes U+FFFD. */
export function canonicalString(text: string): string {
  if (!escaped.test(text)) return `"${text}"`
  return JSON.stringify(text.toWellFormed()).replace(
    escapedLate,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

function outOfRange(literal: string): CanonicalJsonError {
  return new CanonicalJsonError(
    `the number ${literal.slice(0, 40)} is beyond the range of double precision and cannot be synced`,
  )
}
