import type { Direction } from '../kernel/link.ts'
import type { TlsSettings } from '../kernel/peer.ts'
import { allHistoryHours } from '../node/sync/on-demand.ts'
import type { ServerDefinition, TlsDefinition } from '../planes/events/definition/server-definition.ts'
import type { Filter } from '../planes/events/filter.ts'

/** What an operator says about one relay on the command line; everything but the URL has a default. */
export interface RelayDefinition {
  readonly url: string
  readonly name?: string | undefined
  readonly direction?: Direction | undefined
  /** Several filters are several links, each with its own checkpoint. Default: everything. */
  readonly filters?: readonly Filter[] | undefined
  readonly live?: boolean | undefined
  /** Sync again when due after it caught up: `5m`, `03:00`, or five cron fields, UTC. */
  readonly schedule?: string | undefined
  readonly enabled?: boolean | undefined
  /** How to know the relay by its certificate. A change names the settings it changes; null goes back to the default. */
  readonly tls?: TlsSettings | null | undefined
}

/** The same as the body of a relay; with `before` of a change to it. */
export function relayBody(relay: RelayDefinition, before?: ServerDefinition): Record<string, unknown> {
  const { url, name, filters, live, enabled, tls } = relay
  const direction = relay.direction ?? (before === undefined ? 'both' : undefined)
  const schedule = live === true ? null : relay.schedule
  const labels = name === undefined ? undefined : { ...before?.labels, name }
  const body = {
    url: before?.url ?? url,
    mode: before === undefined ? 'auto' : undefined,
    config: before === undefined ? { backfill_since_hours: allHistoryHours } : undefined,
    direction,
    filters,
    schedule,
    enabled,
    labels,
    tls: tlsBody(tls, before?.tls),
  }
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined))
}

function tlsBody(
  tls: TlsSettings | null | undefined,
  before: TlsDefinition | undefined,
): Record<string, unknown> | undefined {
  if (tls === undefined) return undefined
  if (tls === null) return {}
  const { hostname, caCertFile, clientCertFile, clientKeyFile, pins, minVersion } = tls
  const named = {
    hostname,
    ca_certfile: caCertFile,
    client_certfile: clientCertFile,
    client_keyfile: clientKeyFile,
    pins: pins?.map((value) => ({ type: 'spki_sha256', value })),
    min_version: minVersion,
  }
  const given = Object.fromEntries(Object.entries(named).filter(([, value]) => value !== undefined))
  return { ...before, ...given }
}
