import type { Config } from '../config/schema.ts'
import { LocalScheduler } from '../jobs/local.ts'
import { parseSchedule } from '../jobs/schedule.ts'
import { systemClock } from '../kernel/clock.ts'
import type { Link } from '../kernel/link.ts'
import type { Logger } from '../kernel/logger.ts'
import type { Scheduler } from '../kernel/scheduler.ts'
import { SyncError } from '../kernel/sync-error.ts'
import { type Bulk, createBulk } from '../planes/events/bulk/bulk.ts'
import { normalizeRelayUrl } from '../planes/events/definition/relay-url.ts'
import { type EventStore, everything, type SetFingerprint } from '../planes/events/event-store.ts'
import type { Filter } from '../planes/events/filter.ts'
import { parseSyncFilter } from '../planes/events/filter-parser.ts'
import { HttpAuth } from '../planes/events/http-auth.ts'
import type { Ingest } from '../planes/events/ingest.ts'
import type { Limits } from '../planes/events/limits.ts'
import type { Relay } from '../planes/events/relay/relay.ts'
import type { Signer } from '../planes/events/signer.ts'
import type { Verifier } from '../planes/events/verifier.ts'
import type { SqliteStore } from '../stores/sqlite/sqlite-store.ts'
import type { SqliteTx } from '../stores/sqlite/sqlite-tx.ts'
import { type AccessControl, createAccessControl } from './access-control.ts'
import { ApiKeys } from './api-keys.ts'
import { AuditLog } from './audit-log.ts'
import type {
  ImportOptions,
  ImportReport,
  NodeControl,
  NodeStatus,
  PutServerRequest,
  SyncOptions,
  SyncReport,
  SyncRequest,
} from './control.ts'
import { exportEvents, queryEvents } from './event-output.ts'
import type { EventPolicy } from './event-policy.ts'
import { importEvents } from './import-events.ts'
import { loadKeySecret } from './key-secret.ts'
import { version } from './package-file.ts'
import { createPublicRelay } from './public-relay.ts'
import { putServer } from './put-server.ts'
import { type RelayDefinition, RelayDirectory, type RelayEntry } from './relay-directory.ts'
import { tlsSettings } from './tls-settings.ts'

const sweepSchedule = parseSchedule('60s')

export interface NodeParts {
  readonly directory: string
  readonly config: Config
  readonly log: Logger
  readonly limits: Limits
  readonly store: SqliteStore
  readonly events: EventStore<SqliteTx>
  readonly ingest: Ingest<SqliteTx>
  readonly verifier: Verifier
  readonly policy: EventPolicy
  readonly identity: Signer
  readonly scheduler: Scheduler<SqliteTx>
}

export class Node implements NodeControl {
  readonly directory: string
  readonly identity: Signer
  readonly events: EventStore<SqliteTx>
  /** Events by pages, as a relay would show them to the reader each call names. */
  readonly bulk: Bulk
  /** Keys of the admin API. */
  readonly keys: ApiKeys
  readonly audit: AuditLog
  readonly log: Logger
  /** Requests signed by one of the administrators the configuration names. */
  readonly httpAuth: HttpAuth
  /** Who may read and write what is protected. */
  readonly acl: AccessControl
  readonly #parts: NodeParts
  readonly #relays: RelayDirectory<SqliteTx>
  readonly #resources: AsyncDisposableStack
  #relay: Relay | undefined

  constructor(parts: NodeParts, resources: AsyncDisposableStack) {
    this.directory = parts.directory
    this.identity = parts.identity
    this.events = parts.events
    const { events: store, ingest, limits, config, verifier, policy } = parts
    this.keys = new ApiKeys({
      store: parts.store,
      clock: systemClock,
      secret: () => loadKeySecret(parts.directory, process.env.API_KEY_HMAC_SECRET),
    })
    this.audit = new AuditLog(parts.store, systemClock)
    this.log = parts.log
    const admins = new Set(config.admin.pubkeys)
    const isAllowed = (pubkey: string) => admins.has(pubkey)
    this.httpAuth = new HttpAuth({ verifier, limits, clock: systemClock, isAllowed })
    this.acl = createAccessControl(policy.acl, limits)
    this.bulk = createBulk({ store, ingest, limits, readPolicy: policy.read })
    this.#parts = parts
    this.#relays = new RelayDirectory(parts.store)
    this.#resources = resources
  }

  /** Serves the relay; answers its URL. */
  async listen(): Promise<string> {
    if (this.#relay !== undefined) return this.#relay.url
    const { host, port } = this.#parts.config
    this.#relay = this.#resources.use(createPublicRelay(this.#parts))
    await this.#relay.listen({ host, port })
    return this.#relay.url
  }

  /** Works on the configured relays until disposed, and removes what expires. */
  start(): void {
    const { scheduler, events, log } = this.#parts
    scheduler.start()
    const recurring = this.#resources.use(
      new LocalScheduler({ clock: systemClock, random: Math.random, log }),
    )
    recurring.add({ name: 'sweep', schedule: sweepSchedule, run: async () => void (await events.sweep()) })
  }

  /** Whether the store answers, and whether the relay listens. Never rejects. */
  async probe(): Promise<{ readonly store: boolean; readonly relay: boolean }> {
    const store = await this.#parts.store.read(() => true).catch(() => false)
    return { store, relay: this.#relay !== undefined }
  }

  async status(): Promise<NodeStatus> {
    return {
      version,
      directory: this.directory,
      identity: this.identity.pubkey,
      listening: this.#relay?.url,
      events: await this.count({}),
      relays: await this.relays(),
    }
  }

  async syncOnce(
    { url, direction, filter, live }: SyncRequest,
    { signal, onProgress }: SyncOptions,
  ): Promise<SyncReport> {
    const { scheduler } = this.#parts
    const link = await this.#relays.onDemand(this.#foreign(url), direction, filter)
    using _progress = scheduler.onUpdate((update) => {
      if (update.link.id === link.id && update.run.progress !== undefined) onProgress(update.run.progress)
    })
    return { url, run: await scheduler.runNow(link.id, { signal, live }) }
  }

  import(lines: AsyncIterable<string>, options: ImportOptions): Promise<ImportReport> {
    return importEvents(this.#parts.ingest, lines, options)
  }

  export(filter: Filter, signal?: AbortSignal): AsyncIterable<string> {
    return exportEvents(this.events, filter, signal)
  }

  query(filter: Filter, signal?: AbortSignal): AsyncIterable<string> {
    return queryEvents(this.events, filter, signal)
  }

  count(filter: Filter): Promise<SetFingerprint> {
    return this.events.fingerprint(filter, everything)
  }

  async addRelay(definition: RelayDefinition): Promise<RelayEntry> {
    const checked = this.#checked(definition)
    const tls = await tlsSettings(checked.url, undefined, checked.tls)
    const entry = await this.#relays.add({ ...checked, tls })
    this.#parts.scheduler.wake()
    return entry
  }

  async setRelay(definition: RelayDefinition): Promise<RelayEntry> {
    const checked = this.#checked(definition)
    const { peer, links } = await this.#relays.show(checked.url)
    const tls = await tlsSettings(checked.url, peer.addresses[0]?.tls, checked.tls)
    const entry = await this.#relays.set({ ...checked, tls })
    // A running attempt follows the definition it started with; ending it lets the scheduler start the new one.
    for (const { link } of links) await this.#parts.scheduler.cancel(link.id)
    this.#parts.scheduler.wake()
    return entry
  }

  async putServer(request: PutServerRequest): Promise<RelayEntry> {
    const { scheduler } = this.#parts
    const cancel = (link: Link) => scheduler.cancel(link.id)
    const entry = await putServer(request, { relays: this.#relays, selfUrls: this.#ownUrls(), cancel })
    scheduler.wake()
    return entry
  }

  async removeRelay(url: string): Promise<void> {
    const { links } = await this.#relays.show(url)
    for (const { link } of links) await this.#parts.scheduler.cancel(link.id)
    await this.#relays.remove(url)
  }

  async reset(url?: string): Promise<number> {
    const entries = url === undefined ? await this.relays() : [await this.relay(url)]
    const links = entries.flatMap((entry) => entry.links.map(({ link }) => link))
    // A running attempt would save the checkpoint it started from once more.
    for (const link of links) await this.#parts.scheduler.cancel(link.id)
    await this.#relays.reset(links)
    return links.length
  }

  relay(url: string): Promise<RelayEntry> {
    return this.#relays.show(url)
  }

  relays(): Promise<readonly RelayEntry[]> {
    return this.#relays.list()
  }

  /** Stops the relay, ends every attempt with what it had committed, closes the store. Idempotent. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources[Symbol.asyncDispose]()
  }

  #ownUrls(): readonly string[] {
    return [...this.#parts.config.publicUrls, ...(this.#relay === undefined ? [] : [this.#relay.url])]
  }

  /** The normal form of a relay's URL. Throws `config/invalid` when the relay is this node itself. */
  #foreign(text: string): string {
    const url = normalizeRelayUrl(text)
    if (!this.#ownUrls().some((mine) => normalizeRelayUrl(mine) === url)) return url
    throw new SyncError('config/invalid', `${url} is this node itself`)
  }

  #checked(definition: RelayDefinition): RelayDefinition {
    const { limits } = this.#parts
    const url = this.#foreign(definition.url)
    const { filters, schedule } = definition
    // Throws for a text that is none, before anything is stored.
    if (schedule !== undefined) parseSchedule(schedule)
    if (filters?.length === 0)
      throw new SyncError('config/invalid', 'a relay needs at least one filter; {} is everything')
    return filters === undefined
      ? { ...definition, url }
      : { ...definition, url, filters: filters.map((filter) => parseSyncFilter(filter, limits)) }
  }
}
