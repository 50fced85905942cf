import type { FieldReader } from './field-reader.ts'
import { isFields } from './field-reader.ts'
import type { DefinitionProfile, TlsDefinition } from './server-definition.ts'

const fields = [
  'mode',
  'hostname',
  'ca_certfile',
  'client_certfile',
  'client_keyfile',
  'pins',
  'require_pins',
  'min_version',
]

/**
 * The TLS part of a definition (spec events §2.5). Whether the files can be read is seen when they are used.
 *
 * @param url undefined when it was refused already
 */
export function readTls(
  server: FieldReader,
  url: URL | undefined,
  profile: DefinitionProfile,
): TlsDefinition {
  const missing = server.given('tls') === undefined
  if (missing && profile === 'strict')
    server.refuse('tls', 'invalid_tls', 'must be given; leave it out only in the open profile')
  const tls = server.inner('tls', 'invalid_tls')
  const encrypted = url?.protocol !== 'ws:'
  const byScheme = missing && !encrypted ? 'disabled' : 'required'
  const mode = tls.choice('mode', ['required', 'disabled'], byScheme, 'invalid_tls_mode')
  if (url !== undefined && mode === 'required' && !encrypted)
    server.refuse('url', 'invalid_url', 'must be wss:// as tls.mode is required')
  if (url !== undefined && mode === 'disabled' && encrypted)
    tls.refuse('mode', 'invalid_tls_mode', 'may be disabled only with a ws:// URL')
  const host = url?.hostname.replace(/^\[(.*)\]$/, '$1') ?? ''
  const hostname = tls.text('hostname', 'invalid_tls_hostname') ?? host
  const ca = tls.text('ca_certfile', 'invalid_tls_ca_certfile')
  const requirePins = tls.boolean('require_pins', false, 'invalid_tls')
  const wanted = requirePins || (profile === 'strict' && ca === null && !missing)
  const pins = mode === 'disabled' ? [] : readPins(tls, wanted)
  if (mode === 'disabled' && requirePins)
    tls.refuse('require_pins', 'invalid_tls_pins', 'must be false where there is no TLS')
  const certificate = tls.text('client_certfile', 'invalid_tls_client_certfile')
  const key = tls.text('client_keyfile', 'invalid_tls_client_keyfile')
  if (certificate !== null && key === null)
    tls.refuse('client_keyfile', 'invalid_tls_client_keyfile', 'must be given with client_certfile')
  if (certificate === null && key !== null)
    tls.refuse('client_certfile', 'invalid_tls_client_certfile', 'must be given with client_keyfile')
  const minVersion = tls.choice('min_version', ['TLSv1.2', 'TLSv1.3'], 'TLSv1.2', 'invalid_tls')
  tls.refuseUnknown(fields)
  return {
    mode,
    hostname,
    ca_certfile: ca,
    client_certfile: certificate,
    client_keyfile: key,
    pins,
    require_pins: requirePins,
    min_version: minVersion,
  }
}

function readPins(tls: FieldReader, wanted: boolean): TlsDefinition['pins'] {
  const given = tls.given('pins') ?? []
  if (!Array.isArray(given) || tls.given('pins') === null) {
    tls.refuse('pins', 'invalid_tls_pins', 'must be a list')
    return []
  }
  if (given.length === 0 && wanted)
    tls.refuse(
      'pins',
      'invalid_tls_pins',
      'must hold a pin; a ca_certfile will do where pins are not required',
    )
  const pins: TlsDefinition['pins'][number][] = []
  for (const [at, pin] of given.entries()) {
    const { type, value, ...rest } = isFields(pin) ? pin : {}
    if (type === 'spki_sha256' && isSha256(value) && Object.keys(rest).length === 0) {
      pins.push({ type, value })
    } else {
      const message = 'must be {"type":"spki_sha256","value":…} with the base64 of 32 bytes'
      tls.refuse(`pins[${at}]`, 'invalid_tls_pin', message)
    }
  }
  return pins
}

/** Only the canonical spelling, so that two pins are equal when their texts are. */
function isSha256(value: unknown): value is string {
  if (typeof value !== 'string') return false
  const bytes = Buffer.from(value, 'base64')
  return bytes.length === 32 && bytes.toString('base64') === value
}
