import type { TlsSettings } from '../kernel/peer.ts'
import type { ServerDefinition } from '../planes/events/definition/server-definition.ts'

/** What a definition says about TLS beyond the defaults; undefined: nothing. */
export function definitionTls({ url, tls }: ServerDefinition): TlsSettings | undefined {
  const host = new URL(url).hostname.replace(/^\[(.*)\]$/, '$1')
  const settings: TlsSettings = {
    ...(tls.hostname === host ? {} : { hostname: tls.hostname }),
    ...(tls.ca_certfile === null ? {} : { caCertFile: tls.ca_certfile }),
    ...(tls.client_certfile === null ? {} : { clientCertFile: tls.client_certfile }),
    ...(tls.client_keyfile === null ? {} : { clientKeyFile: tls.client_keyfile }),
    ...(tls.min_version === 'TLSv1.3' ? { minVersion: tls.min_version } : {}),
    ...(tls.pins.length === 0 ? {} : { pins: tls.pins.map(({ value }) => value) }),
  }
  return Object.keys(settings).length === 0 ? undefined : settings
}
