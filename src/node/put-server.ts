import { randomUUID } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { SyncError } from '../kernel/sync-error.ts'
import { type DefinitionOptions, normalizeServer } from '../planes/events/definition/normalize-server.ts'
import { fromRelayBody } from '../planes/events/definition/relay-body.ts'
import { normalizeRelayUrl } from '../planes/events/definition/relay-url.ts'
import type { ServerDefinition } from '../planes/events/definition/server-definition.ts'
import type { PutServerRequest } from './control.ts'
import { definitionTls } from './definition-tls.ts'
import type { RelayDirectory, RelayEntry } from './relay-directory.ts'
import { supportedDefinition } from './supported-definition.ts'
import { tlsSettings } from './tls-settings.ts'

interface PutServer<Tx> {
  readonly relays: RelayDirectory<Tx>
  readonly selfUrls: readonly string[]
  /** Ends the attempt of a link that is no longer what it was. */
  readonly cancel: (link: RelayEntry['links'][number]['link']) => Promise<void>
}

/**
 * Makes a relay of a `put_server` map, or, when the map has no id, of a relay.rb body: that one is known by its URL.
 *
 * @throws SyncError `config/invalid` with every violation; then nothing is stored and nothing interrupted
 */
export async function putServer<Tx>(
  { server, profile, without }: PutServerRequest,
  { relays, selfUrls, cancel }: PutServer<Tx>,
): Promise<RelayEntry> {
  const hasId = typeof server !== 'object' || server === null || Object.hasOwn(server, 'id')
  const given = hasId ? fromMap(server, { profile, selfUrls }) : fromBody(server, selfUrls)
  const definition = supportedDefinition(given, without)
  const before = await relays.find(definition)
  // Reads the files it names: a definition whose certificates cannot be used is refused, not stored.
  await tlsSettings(definition.url, undefined, definitionTls(definition))
  const after = hasId
    ? await relays.putDefinition(definition, definition.id)
    : await relays.putDefinition(
        { ...definition, id: before?.peer.id ?? definition.id },
        before?.peer.name ?? normalizeRelayUrl(definition.url),
      )
  for (const { link } of before?.links ?? []) {
    const now = after.links.find((entry) => entry.link.id === link.id)?.link
    const same = now !== undefined && now.live === link.live && now.schedule === link.schedule
    const reached = isDeepStrictEqual(before?.peer.addresses, after.peer.addresses)
    if (!same || !reached || !after.peer.enabled) await cancel(link)
  }
  return after
}

function fromMap(server: unknown, options: DefinitionOptions): ServerDefinition {
  const result = normalizeServer(server, options)
  if (result.ok) return result.value
  throw refused(result.details.map(({ path, code, message }) => `${path} ${message} (${code})`.trim()))
}

function fromBody(server: unknown, selfUrls: readonly string[]): ServerDefinition {
  const result = fromRelayBody(server, { id: randomUUID(), selfUrls })
  if (result.ok) return result.value
  throw refused(result.errors)
}

function refused(violations: readonly string[]): SyncError {
  return new SyncError('config/invalid', violations.join('; '))
}
