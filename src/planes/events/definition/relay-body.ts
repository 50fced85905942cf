import { isFields } from './field-reader.ts'
import { normalizeServer } from './normalize-server.ts'
import { normalizeRelayUrl } from './relay-url.ts'
import type { DefinitionIssue, ServerDefinition } from './server-definition.ts'

export interface RelayBodyOptions {
  /** The id of the relay the body is for; a body carries none. */
  readonly id: string
  readonly selfUrls?: readonly string[] | undefined
}

export type RelayBodyResult =
  | { readonly ok: true; readonly value: ServerDefinition }
  /** `errors` is the body of a 422. */
  | { readonly ok: false; readonly errors: readonly string[] }

const attributes = ['url', 'enabled', 'backfill', 'negentropy', 'direction', 'notes', 'config']
const extras = ['filters', 'auth_pubkey', 'tls', 'auth', 'relay_info_mode']

/**
 * Reads the body of relay.rb's REST interface, `{url, enabled, backfill, negentropy, direction, notes, config}` and our
 * extras, in the open profile. Refusals are relay.rb's full messages (spec events §4.1, §4.4).
 */
export function fromRelayBody(body: unknown, { id, selfUrls }: RelayBodyOptions): RelayBodyResult {
  if (!isFields(body)) return { ok: false, errors: ['Upstream relay must be an object'] }
  const known = Object.entries(body).filter(([key]) => attributes.includes(key) || extras.includes(key))
  const unknown = Object.keys(body).filter((key) => !attributes.includes(key) && !extras.includes(key))
  const result = normalizeServer({ ...Object.fromEntries(known), id }, { profile: 'open', selfUrls })
  const issues = result.ok ? [] : result.details
  const errors = [
    ...issues.map((issue) => fullMessage(issue, body.url)),
    ...unknown.map((key) => `${humanized(key)} is not a known attribute`),
  ]
  return result.ok && errors.length === 0
    ? { ok: true, value: result.value }
    : { ok: false, errors: [...new Set(errors)] }
}

function fullMessage({ path, code, message }: DefinitionIssue, url: unknown): string {
  if (code === 'unknown_field') return `${humanized(path)} is not a known attribute`
  if (code === 'invalid_direction') return 'Direction is not included in the list'
  if (path !== 'url') return `${humanized(path)} ${message}`
  if (typeof url !== 'string' || url.trim() === '') return "Url can't be blank"
  return isRelayUrl(url) ? `Url ${message}` : 'Url must be a valid WebSocket URL (ws:// or wss://)'
}

function isRelayUrl(text: string): boolean {
  try {
    normalizeRelayUrl(text)
    return true
  } catch {
    return false
  }
}

/** The way Rails names an attribute in a message: `auth_pubkey` is `Auth pubkey`. */
function humanized(path: string): string {
  const words = path.replaceAll('_', ' ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}
