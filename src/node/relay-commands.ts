import { randomUUID } from 'node:crypto'
import type { Direction } from '../kernel/link.ts'
import { SyncError } from '../kernel/sync-error.ts'
import { normalizeServer } from '../planes/events/definition/normalize-server.ts'
import { fromRelayBody, type RelayBodyResult } from '../planes/events/definition/relay-body.ts'
import type { ServerDefinition } from '../planes/events/definition/server-definition.ts'
import type { PutServerRequest, SyncRequest } from './control.ts'
import { allHistoryHours, type RelayDefinition, relayBody } from './relay-definition.ts'
import { checkOptions } from './sync/definition-check.ts'
import type { ServerDirectory, ServerEntry } from './sync/server-directory.ts'
import { defaultManager, type ServerRecord } from './sync/server-record.ts'
import type { Servers } from './sync/servers.ts'
import type { Result } from './sync-control.ts'

interface Parts<Tx> {
  readonly servers: Servers<Tx>
  readonly directory: ServerDirectory<Tx>
  readonly selfUrls: () => readonly string[]
}

/** The servers of the default manager as the commands about relays name them: by URL, and with exceptions. */
export class RelayCommands<Tx> {
  readonly #parts: Parts<Tx>

  constructor(parts: Parts<Tx>) {
    this.#parts = parts
  }

  async add(relay: RelayDefinition): Promise<ServerEntry> {
    const definition = this.#fromBody(relayBody(relay))
    const [there] = await this.#parts.directory.atUrl(definition.url)
    if (there?.record.adHoc === false)
      throw new SyncError(
        'config/invalid',
        `${definition.url} is configured already; change it with "syncline relay set"`,
      )
    return this.#put({ ...definition, id: there?.record.definition.id ?? definition.id })
  }

  async set(relay: RelayDefinition): Promise<ServerEntry> {
    const { record } = await this.show(relay.url)
    const { definition: base, profile } = record
    return this.#put(this.#fromBody(relayBody(relay, base), record), profile)
  }

  /** A `put_server` map or, when it has no id, a relay.rb body: that one is known by its URL. */
  async put({ server, profile }: PutServerRequest): Promise<ServerEntry> {
    const hasId = typeof server !== 'object' || server === null || Object.hasOwn(server, 'id')
    if (hasId) return this.#put(this.#fromMap(server, profile), profile)
    const { url } = server as { readonly url?: unknown }
    const [there] = typeof url === 'string' ? await this.#parts.directory.atUrl(url) : []
    const before = there?.record.adHoc === false ? there.record : undefined
    const result = this.#checkBody(server, before)
    if (!result.ok) throw refused(result.errors)
    const { id } = there?.record.definition ?? result.value
    return this.#put({ ...result.value, id }, before?.profile)
  }

  async remove(url: string): Promise<void> {
    const { record } = await this.show(url)
    unwrap(await this.#parts.servers.remove(defaultManager, record.definition.id))
  }

  async show(idOrUrl: string): Promise<ServerEntry> {
    const [entry] = await this.#parts.servers.meant(idOrUrl)
    if (entry !== undefined) return entry
    throw new SyncError(
      'config/invalid',
      `no relay ${idOrUrl} is configured; "syncline relay list" shows all`,
    )
  }

  list(): Promise<readonly ServerEntry[]> {
    return this.#parts.servers.list(defaultManager)
  }

  /** The link a sync on demand brings up to date. */
  onDemand({
    url,
    direction,
    filter,
  }: Pick<SyncRequest, 'url' | 'filter'> & { readonly direction: Direction }) {
    const wish = { url, direction, filters: [filter], mode: 'auto', 'enabled?': false }
    const config = { backfill_since_hours: allHistoryHours }
    const definition = this.#fromMap({ id: randomUUID(), config, ...wish }, 'open')
    return this.#parts.directory.onDemand(definition, direction, filter)
  }

  async #put(definition: ServerDefinition, profile: 'strict' | 'open' = 'open'): Promise<ServerEntry> {
    const wish = { manager: defaultManager, definition, profile }
    const { id } = unwrap(await this.#parts.servers.put(wish))
    return this.show(id)
  }

  #fromMap(server: unknown, profile: 'strict' | 'open'): ServerDefinition {
    const result = normalizeServer(server, { ...checkOptions(this.#parts.selfUrls()), profile })
    if (result.ok) return result.value
    throw refused(result.details.map(({ path, code, message }) => `${path} ${message} (${code})`.trim()))
  }

  #fromBody(body: unknown, before?: ServerRecord): ServerDefinition {
    const result = this.#checkBody(body, before)
    if (result.ok) return result.value
    throw refused(result.details.map(({ path, message }) => `${path} ${message}`))
  }

  #checkBody(body: unknown, before: ServerRecord | undefined): RelayBodyResult {
    const id = before?.definition.id ?? randomUUID()
    const { definition: base, profile } = before ?? {}
    return fromRelayBody(body, { ...checkOptions(this.#parts.selfUrls()), id, base, profile })
  }
}

function unwrap<T>(result: Result<T>): T {
  if (result.ok) return result.value
  throw refused(result.messages)
}

function refused(violations: readonly string[]): SyncError {
  return new SyncError('config/invalid', violations.join('; '))
}
