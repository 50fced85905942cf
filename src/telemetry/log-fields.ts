import type { LogFields } from '../kernel/logger.ts'

/** Largest field, in characters of its JSON: one line never grows with what a stranger sent. */
const maxFieldLength = 2_048
/** Most fields of one line; the rest is counted, not shown. */
const maxFields = 32
/** Deeper than this, a value is named but not opened. */
const maxDepth = 4
/** Most members shown of an array or object. */
const maxMembers = 32

const redacted = '[redacted]'
/** Redacted wherever they are a word of a key: `secret`, `secretKey`, `access_token`. */
const secretWords: ReadonlySet<string> = new Set(['secret', 'token', 'authorization', 'nsec', 'password'])
/** A secret key in its own notation (NIP-19), whatever field it hides in. */
const nsec = /nsec1[02-9ac-hj-np-z]{20,}/gi

/** The fields as they may be written: secrets taken out, every value cut to a bound, safe for JSON. */
export function safeFields(fields: LogFields): Record<string, unknown> {
  const safe: Record<string, unknown> = {}
  const keys = Object.keys(fields)
  for (const key of keys.slice(0, maxFields))
    safe[safeText(key, 64)] = isSecret(key) ? redacted : safeField(fields[key])
  if (keys.length > maxFields) safe.fieldsLeftOut = keys.length - maxFields
  return safe
}

/** The message of a line, bounded and without secret keys. */
export function safeText(text: string, limit = maxFieldLength): string {
  const cut = text.length > limit ? `${text.slice(0, limit)}… (${text.length} characters)` : text
  return cut.replace(nsec, redacted)
}

function safeField(value: unknown): unknown {
  const safe = safeValue(value, 0)
  if (typeof safe !== 'object' || safe === null) return safe
  const json = JSON.stringify(safe)
  return json.length <= maxFieldLength ? safe : safeText(json)
}

function safeValue(value: unknown, depth: number): unknown {
  switch (typeof value) {
    case 'string':
      return safeText(value)
    case 'bigint':
      return safeText(value.toString())
    case 'function':
    case 'symbol':
      return `[${typeof value}]`
    case 'object':
      return value === null ? null : safeObject(value, depth)
    default:
      return value
  }
}

function safeObject(value: object, depth: number): unknown {
  if (value instanceof Error) return safeError(value, depth)
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? '[no date]' : value.toISOString()
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`
  if (depth >= maxDepth) return Array.isArray(value) ? `[array of ${value.length}]` : '[object]'
  if (Array.isArray(value)) {
    const shown = value.slice(0, maxMembers).map((member) => safeValue(member, depth + 1))
    return value.length > maxMembers ? [...shown, `… ${value.length - maxMembers} more`] : shown
  }
  const safe: Record<string, unknown> = {}
  let count = 0
  // Not Object.entries: that would copy all of an object of which only the first members are shown.
  for (const key in value) {
    if (!Object.hasOwn(value, key)) continue
    count += 1
    if (count > maxMembers) {
      safe['…'] = 'more'
      break
    }
    const member = (value as Record<string, unknown>)[key]
    safe[safeText(key, 64)] = isSecret(key) ? redacted : safeValue(member, depth + 1)
  }
  return safe
}

function safeError(error: Error, depth: number): Record<string, unknown> {
  const code = 'code' in error ? { code: safeValue(error.code, maxDepth) } : {}
  const cause =
    error.cause === undefined || depth >= maxDepth ? {} : { cause: safeValue(error.cause, depth + 1) }
  return {
    name: safeText(error.name, 64),
    ...code,
    message: safeText(error.message, 512),
    stack: safeText(error.stack ?? '', 768),
    ...cause,
  }
}

function isSecret(key: string): boolean {
  if (key.length > 64) return true
  const words = key
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z0-9]+/)
  return words.some((word) => secretWords.has(word)) || (words.length === 1 && words[0] === 'sec')
}
