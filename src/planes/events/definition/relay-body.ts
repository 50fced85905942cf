import { type Fields, isFields } from './field-reader.ts'
import { type DefinitionOptions, normalizeServer, serverFields } from './normalize-server.ts'
import { normalizeRelayUrl } from './relay-url.ts'
import type {
  DefinitionIssue,
  DefinitionProfile,
  ServerDefinition,
  TlsDefinition,
} from './server-definition.ts'

export interface RelayBodyOptions extends Omit<DefinitionOptions, 'profile'> {
  /** The id of the relay the body is for; a body carries none. */
  readonly id: string
  /** Of the relay a partial body changes. Default: `open`. */
  readonly profile?: DefinitionProfile | undefined
  /** What the body changes; it says nothing about the rest. */
  readonly base?: ServerDefinition | undefined
}

export type RelayBodyResult =
  | { readonly ok: true; readonly value: ServerDefinition }
  /** `errors` is the body of a 422. */
  | { readonly ok: false; readonly errors: readonly string[]; readonly details: readonly DefinitionIssue[] }

const attributes = ['url', 'enabled', 'backfill', 'negentropy', 'direction', 'notes', 'config']
/** What relay.rb does not know and a definition does; its `id` is ours to give. */
const extras = serverFields.filter((field) => field !== 'id' && field !== 'enabled?')

/**
 * Reads the body of relay.rb's REST interface, `{url, enabled, backfill, negentropy, direction, notes, config}` and our
 * extras, in the open profile. Refusals are relay.rb's full messages (spec events §4.1, §4.4).
 */
export function fromRelayBody(
  body: unknown,
  { id, profile = 'open', base, ...options }: RelayBodyOptions,
): RelayBodyResult {
  if (!isFields(body)) {
    const message = 'must be an object'
    const details = [{ path: '', code: 'invalid_server', message } as const]
    return { ok: false, errors: [`Upstream relay ${message}`], details }
  }
  const isKnown = (key: string) => attributes.includes(key) || extras.includes(key)
  const { 'enabled?': enabled, ...rest } = base ?? {}
  const known = Object.entries(body).filter(([key]) => isKnown(key))
  const input = { ...(base && { enabled, ...moved(rest, body) }), ...Object.fromEntries(known), id }
  const result = normalizeServer(input, { ...options, profile })
  const unknown = Object.keys(body)
    .filter((key) => !isKnown(key))
    .map((path): DefinitionIssue => ({ path, code: 'unknown_field', message: 'is not known' }))
  const details = [...(result.ok ? [] : result.details), ...unknown]
  if (result.ok && details.length === 0) return { ok: true, value: result.value }
  const errors = details.map((issue) => fullMessage(issue, input.url))
  return { ok: false, errors: [...new Set(errors)], details }
}

/** What only followed from the old URL does not outlive it. */
function moved(base: Partial<ServerDefinition>, body: Fields): Partial<ServerDefinition> {
  const { url, tls } = base
  if (url === undefined || tls === undefined || typeof body.url !== 'string' || body.url === url) return base
  const { tls: _, ...rest } = base
  const { hostname, ...kept } = tls
  const derived = hostname === new URL(url).hostname.replace(/^\[(.*)\]$/, '$1')
  if (derived && isDefault(tls)) return rest
  return { ...rest, tls: derived ? (kept as TlsDefinition) : tls }
}

function isDefault({ pins, require_pins, min_version, ...files }: TlsDefinition): boolean {
  const { ca_certfile, client_certfile, client_keyfile } = files
  const none = [ca_certfile, client_certfile, client_keyfile].every((file) => file === null)
  return none && pins.length === 0 && !require_pins && min_version === 'TLSv1.2'
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
