import type { Config } from '../config/schema.ts'
import { LocalScheduler, type RecurringEntry } from '../jobs/local.ts'
import { parseSchedule } from '../jobs/schedule.ts'
import { systemClock } from '../kernel/clock.ts'
import type { Logger } from '../kernel/logger.ts'
import type { Scheduler } from '../kernel/scheduler.ts'
import { type Bulk, createBulk } from '../planes/events/bulk/bulk.ts'
import type { RelayConfig } from '../planes/events/definition/relay-config.ts'
import type { EventHold } from '../planes/events/event-hold.ts'
import { type EventStore, everything, type SetFingerprint } from '../planes/events/event-store.ts'
import type { Filter } from '../planes/events/filter.ts'
import type { GitDataSync } from '../planes/events/git/git-data.ts'
import { HttpAuth } from '../planes/events/http-auth.ts'
import type { Ingest } from '../planes/events/ingest.ts'
import type { Limits } from '../planes/events/limits.ts'
import type { ProfileStatus } from '../planes/events/proactive/profile-runner.ts'
import type { ManagementCall } from '../planes/events/relay/management.ts'
import { type ManagementMethods, managementMethods } from '../planes/events/relay/management-methods.ts'
import type { OtherPaths, Relay } from '../planes/events/relay/relay.ts'
import type { SyncWord } from '../planes/events/sync/plan.ts'
import type { Verifier } from '../planes/events/verifier.ts'
import type { SqliteStore } from '../stores/sqlite/sqlite-store.ts'
import type { SqliteTx } from '../stores/sqlite/sqlite-tx.ts'
import type { MetricsSnapshot } from '../telemetry/metrics.ts'
import type { Addressed } from '../transports/client-address.ts'
import { type AccessControl, createAccessControl } from './access-control.ts'
import { ApiKeys } from './api-keys.ts'
import { AuditLog } from './audit-log.ts'
import type {
  GitStatus,
  ImportOptions,
  ImportReport,
  NodeControl,
  NodeStatus,
  SyncOptions,
  SyncReport,
  SyncRequest,
} from './control.ts'
import type { DifferenceFeed } from './difference-feed.ts'
import { DocumentsNode } from './documents/documents-node.ts'
import { eventAt, exportEvents, queryEvents } from './event-output.ts'
import type { EventPolicy } from './event-policy.ts'
import type { Identity, IdentityControl } from './identity.ts'
import { createIdentityControl } from './identity-control.ts'
import { importEvents } from './import-events.ts'
import { loadKeySecret } from './key-secret.ts'
import { mirroredRelays } from './mirror-view.ts'
import { version } from './package-file.ts'
import { ProactiveSync } from './proactive-sync.ts'
import { createPublicRelay } from './public-relay.ts'
import { relayConfigFrom } from './relay-config-from.ts'
import { RowsLinks } from './rows/rows-links.ts'
import { RowsNode } from './rows/rows-node.ts'
import { createSyncControl } from './sync/create-sync-control.ts'
import type { Dispatch } from './sync/dispatch.ts'
import { type ManagedServers, managedServers } from './sync/managed-servers.ts'
import { onDemandLink } from './sync/on-demand.ts'
import { recurringEntries } from './sync/recurring.ts'
import { ServerDirectory } from './sync/server-directory.ts'
import type { SyncControl } from './sync-control.ts'

const sweepSchedule = parseSchedule('60s')

export interface NodeParts {
  readonly clientAddress: (request: Addressed) => string
  readonly directory: string
  readonly config: Config
  readonly log: Logger
  readonly limits: Limits
  readonly store: SqliteStore
  readonly events: EventStore<SqliteTx>
  readonly ingest: Ingest<SqliteTx>
  readonly verifier: Verifier
  readonly policy: EventPolicy
  readonly identity: Identity
  readonly scheduler: Scheduler<SqliteTx>
  /** Where events wait for what they belong to; undefined where nothing does. */
  readonly hold: EventHold<SqliteTx> | undefined
  readonly differences: DifferenceFeed
  /** Git data, or why it is not kept; undefined where nobody asked for it. */
  readonly git: GitDataSync | string | undefined
  /** Whether it was opened with databases to keep in step with rows servers. */
  readonly keepsRows: boolean
}

/** How the parts of a node are, for whoever watches it. */
export interface NodeProbe {
  readonly store: boolean
  readonly relay: boolean
  readonly rows?: boolean
  readonly documents?: boolean
}

export class Node implements NodeControl {
  readonly directory: string
  readonly identity: Identity
  readonly identityControl: IdentityControl
  readonly events: EventStore<SqliteTx>
  /** Events by pages, as a relay would show them to the reader each call names. */
  readonly bulk: Bulk
  /** Where a request to a listener came from, also through proxies that are trusted. */
  readonly clientAddress: (request: Addressed) => string
  readonly sync: SyncControl
  /** Keys of the admin API. */
  readonly keys: ApiKeys
  readonly audit: AuditLog
  readonly log: Logger
  /** Requests signed by one of the administrators the configuration names. */
  readonly httpAuth: HttpAuth
  /** Who may read and write what is protected. */
  readonly acl: AccessControl
  /** What holds for every relay that says nothing else. */
  readonly relayConfig: RelayConfig
  /** The methods of NIP-86 by name. */
  readonly relayMethods: ManagementMethods
  /** Rows of PostgreSQL for SQLite clients. */
  readonly rows: RowsNode
  /** Signed entries in Merkle-DAGs, kept in step with peers. */
  readonly documents: DocumentsNode
  /** SQLite databases of this process, kept in step with rows servers. */
  readonly rowsLinks: RowsLinks<SqliteTx>
  readonly #parts: NodeParts
  readonly #directory: ServerDirectory<SqliteTx>
  readonly #resources: AsyncDisposableStack
  readonly #dispatch: Dispatch
  readonly #recurring: readonly RecurringEntry[]
  #relay: Relay | undefined
  #started = false
  #proactive: ProactiveSync | undefined

  constructor(parts: NodeParts, resources: AsyncDisposableStack) {
    this.directory = parts.directory
    this.identity = parts.identity
    this.identityControl = createIdentityControl(parts.identity, () => this.#reconnect())
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
    this.relayConfig = relayConfigFrom(config.sync.relays)
    this.relayMethods = managementMethods(store, policy.moderation)
    this.rows = resources.use(
      new RowsNode({ config, directory: parts.directory, clock: systemClock, log: parts.log }),
    )
    this.documents = resources.use(
      new DocumentsNode({
        config,
        directory: parts.directory,
        store: parts.store,
        clock: systemClock,
        log: parts.log,
      }),
    )
    const { store: kernelStore, scheduler, keepsRows: isRegistered } = parts
    this.rowsLinks = new RowsLinks({ store: kernelStore, scheduler, isRegistered })
    this.clientAddress = parts.clientAddress
    this.bulk = createBulk({ store, ingest, limits, readPolicy: policy.read })
    this.#parts = parts
    const directory = new ServerDirectory(parts.store, systemClock)
    this.#directory = directory
    const { control, dispatch } = createSyncControl({
      store: parts.store,
      scheduler: parts.scheduler,
      directory,
      clock: systemClock,
      selfUrls: () => this.#ownUrls(),
      started: () => this.#started,
      epoch: parts.store.epoch,
      eventAt: (seq) => eventAt(this.events, seq),
      bulk: this.bulk,
    })
    this.sync = control
    this.#dispatch = dispatch
    const jobs = { dispatch, control, directory, clock: systemClock, log: parts.log }
    this.#recurring = recurringEntries(config.schedule, jobs)
    this.#resources = resources
  }

  /** The control plane over the servers of one manager, of which several may live in a node and do not see each other. */
  manager(name: string): ManagedServers {
    return managedServers(this.sync, name)
  }

  /** Serves the relay, and rows and documents where the configuration asks for it; answers the relay's URL. */
  async listen(): Promise<string> {
    if (this.#relay !== undefined) return this.#relay.url
    const { host, port } = this.#parts.config
    const { httpAuth: auth, audit } = this
    const management = { auth, audit: (call: ManagementCall) => audit.add(call) }
    const otherPaths = together([await this.rows.serve(), await this.documents.serve()])
    const relay = this.#resources.use(createPublicRelay(this.#parts, management, otherPaths))
    await relay.listen({ host, port })
    this.#relay = relay
    // Before the listener: it cuts what is still being answered, and waits for streams that only rows can end.
    this.#resources.defer(() => this.rows.drain())
    await this.documents.accept(relay.url)
    this.#resources.defer(() => this.documents.drain())
    return relay.url
  }

  /** Works on the configured relays until disposed, and removes what expires. */
  start(): void {
    const { scheduler, events, log } = this.#parts
    this.#started = true
    scheduler.start()
    const recurring = this.#resources.use(
      new LocalScheduler({ clock: systemClock, random: Math.random, log }),
    )
    this.#findRelays()
    this.#keepDocuments()
    if (typeof this.#parts.git === 'object') this.#parts.git.start()
    recurring.add({ name: 'sweep', schedule: sweepSchedule, run: async () => void (await events.sweep()) })
    for (const entry of this.#recurring) recurring.add(entry)
    // What is polled need not wait for its first tick.
    void this.#dispatch('realtime', { patient: true }).catch((error: unknown) =>
      log.error('the relays could not be asked at the start', { error: String(error) }),
    )
  }

  /** What this node finds by itself, by profile. */
  proactive(): readonly ProfileStatus[] {
    return this.#proactive?.status() ?? []
  }

  #gitStatus(): GitStatus | undefined {
    const { git } = this.#parts
    if (git === undefined) return undefined
    return typeof git === 'string' ? { problem: git } : git.status
  }

  /** In the background: a peer that is slow must not hold up the start. */
  #keepDocuments(): void {
    const starting = this.documents.start()
    this.#resources.defer(async () => {
      await starting
      await this.documents.drain()
    })
  }

  /** In the background: reading all that is stored must not hold up what an operator configured. */
  #findRelays(): void {
    const { config, store, events, scheduler, log } = this.#parts
    const selfUrls = () => this.#ownUrls()
    const options = { config: config.proactive, store, events, scheduler, selfUrls, clock: systemClock, log }
    const opening = ProactiveSync.open(options).then((proactive) => {
      this.#proactive = proactive
    })
    opening.catch((error: unknown) =>
      log.error('what to mirror could not be found', { error: String(error) }),
    )
    this.#resources.defer(async () => {
      await opening.catch(() => {})
      await this.#proactive?.[Symbol.asyncDispose]()
    })
  }

  /** Whether the store answers, whether the relay listens, and how rows and documents are where there are some. Never rejects. */
  async probe(): Promise<NodeProbe> {
    const store = await this.#parts.store.read(() => true).catch(() => false)
    const [rows, documents] = await Promise.all([this.rows.status(), this.documents.health()])
    return {
      store,
      relay: this.#relay !== undefined,
      ...(rows && { rows: rows.healthy }),
      ...(documents !== undefined && { documents }),
    }
  }

  /** What the node counted so far, for who scrapes it. */
  async metricsSnapshot(): Promise<MetricsSnapshot> {
    const { store, hold } = this.#parts
    const [{ count }, links, relays, held, rows, documents] = await Promise.all([
      this.count({}),
      this.sync.metrics(),
      mirroredRelays(store, systemClock.now()),
      hold?.status(),
      this.rows.status(),
      this.documents.counts(),
    ])
    const profiles = this.proactive().map(({ leftOut, ...profile }) => ({
      ...profile,
      leftOut: { ...leftOut },
    }))
    const { git } = this.#parts
    return {
      version,
      storedEvents: count,
      store: store.stats,
      links,
      mirrors: { relays, profiles, held },
      git: typeof git === 'object' ? git.status : undefined,
      rows,
      documents,
    }
  }

  async status(): Promise<NodeStatus> {
    return {
      version,
      directory: this.directory,
      identity: this.identity.pubkey,
      listening: this.#relay?.url,
      events: await this.count({}),
      git: this.#gitStatus(),
      rows: await this.rows.status(),
      documents: await this.documents.status(),
    }
  }

  async syncOnce(
    { url, direction, filter, live }: SyncRequest,
    { signal, onProgress, onDifference = () => {} }: SyncOptions,
  ): Promise<SyncReport> {
    const { scheduler, differences } = this.#parts
    const dry = direction === 'none'
    const link = await onDemandLink(this.#directory, this.#ownUrls(), {
      url,
      direction: dry ? 'both' : direction,
      filter,
    })
    using _differences = differences.listen(link.id, onDifference)
    using _progress = scheduler.onUpdate((update) => {
      if (update.link.id === link.id && update.run.progress !== undefined) onProgress(update.run.progress)
    })
    const how = dry ? { live: false, word: 'dry-run' satisfies SyncWord } : { live }
    return { url, run: await scheduler.runNow(link.id, { signal, ...how }) }
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

  /** Stops the relay, ends every attempt with what it had committed, closes the store. Idempotent. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources[Symbol.asyncDispose]()
  }

  /** Ends every running attempt; what is due begins again at once. */
  async #reconnect(): Promise<void> {
    const { scheduler } = this.#parts
    const links = (await this.#directory.list()).flatMap((entry) => entry.links)
    await Promise.all(links.map(({ link }) => scheduler.cancel(link.id)))
    scheduler.wake()
  }

  #ownUrls(): readonly string[] {
    return [...this.#parts.config.publicUrls, ...(this.#relay === undefined ? [] : [this.#relay.url])]
  }
}

/** Kinds of data that share a listener: the first whose path it is answers. */
function together(parts: readonly (OtherPaths | undefined)[]): OtherPaths | undefined {
  const some = parts.filter((part) => part !== undefined)
  if (some.length === 0) return undefined
  return {
    handle: (request, response) => some.some((part) => part.handle(request, response)),
    requestTimeoutMs: Math.max(...some.map(({ requestTimeoutMs }) => requestTimeoutMs)),
  }
}
