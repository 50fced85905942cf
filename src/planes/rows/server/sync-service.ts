import type { Pool } from 'pg'
import { type Clock, systemClock } from '../../../kernel/clock.ts'
import { type Logger, silentLogger } from '../../../kernel/logger.ts'
import type { CapabilitiesResponse } from '../wire/capabilities.ts'
import { type CommittedRowsResponse, committedRowsResponseSchema } from '../wire/committed-rows.ts'
import type { ConnectRequest, ConnectResponse } from '../wire/connect.ts'
import { protocolVersion } from '../wire/protocol.ts'
import { type PullResponse, pullResponseSchema } from '../wire/pull.ts'
import type {
  CommittedPush,
  CreatePushRequest,
  CreatePushResponse,
  PushChunkRequest,
  PushChunkResponse,
} from '../wire/push.ts'
import {
  type CreateSnapshotRequest,
  type CreateSnapshotResponse,
  type SnapshotChunkResponse,
  snapshotChunkResponseSchema,
} from '../wire/snapshot.ts'
import type { StatusResponse } from '../wire/status.ts'
import { type Actor, checkActor } from './actor.ts'
import { ApplyPlans } from './apply-plans.ts'
import { bootstrap } from './bootstrap.postgres.ts'
import { capabilitiesOf, featuresOf } from './capabilities.ts'
import { ChangeHub, type ChangeSubscription } from './change-hub.ts'
import { listenForChanges } from './change-listener.postgres.ts'
import { committedRows } from './committed-rows.postgres.ts'
import { connect } from './connect.postgres.ts'
import { EmptyStarts } from './empty-starts.ts'
import { type JsonBody, parseBody } from './json-body.ts'
import { Lifecycle } from './lifecycle.ts'
import { Operations } from './operations.ts'
import { pull } from './pull.postgres.ts'
import { uploadPushChunk } from './push-chunk.postgres.ts'
import { commitPushSession } from './push-commit.postgres.ts'
import { createPushSession, deleteExpiredPushSessions, deletePushSession } from './push-session.postgres.ts'
import { type NormalTable, normalTables } from './registered-table.ts'
import { RowsError } from './rows-error.ts'
import { readScope, requireInitialized } from './scope.postgres.ts'
import {
  type BundleSource,
  type BundleTransaction,
  type ServerWrite,
  type ServerWriteResult,
  writeOnServer,
} from './server-write.postgres.ts'
import {
  defaultBundlesPerPull,
  maxBundlesPerPull,
  type ServiceConfig,
  type ServiceSettings,
  serviceSettings,
} from './service-config.ts'
import type { ServiceContext } from './service-context.ts'
import { deleteSnapshotSession, snapshotChunk } from './snapshot-chunk.postgres.ts'
import { createSnapshotSession, deleteExpiredSnapshotSessions } from './snapshot-create.postgres.ts'
import { type StageMetrics, StageTimer } from './stage-metrics.ts'
import { StatusReader } from './status.postgres.ts'
import type { DiscoveredSchema } from './table-order.ts'
import { UserQueue } from './user-queue.ts'

export interface SyncServiceOptions {
  /** A pool of the `pg` package. It stays the caller's: closing the service does not end it. */
  readonly pool: Pool
  readonly config: ServiceConfig
  readonly logger?: Logger
  readonly metrics?: StageMetrics
  readonly clock?: Clock
}

/** Touches nothing; `bootstrap` does (§3.2). */
export function createSyncService(options: SyncServiceOptions): SyncService {
  return new SyncService(options)
}

/**
 * Keeps the registered tables of a PostgreSQL database in step with SQLite clients. Every operation acts for an actor whom
 * the host has authenticated, and throws `RowsError` with the code that clients would see.
 */
export class SyncService {
  readonly pool: Pool
  readonly settings: ServiceSettings
  readonly logger: Logger
  readonly lifecycle = new Lifecycle()
  readonly #operations = new Operations(this.lifecycle)
  readonly hub: ChangeHub
  readonly #tables: readonly NormalTable[]
  readonly #clock: Clock
  readonly #users: UserQueue
  readonly #stages: StageTimer
  readonly #status: StatusReader
  readonly #emptyStarts: EmptyStarts
  #discovered: DiscoveredSchema | undefined

  constructor({ pool, config, logger = silentLogger, metrics, clock = systemClock }: SyncServiceOptions) {
    this.pool = pool
    this.settings = serviceSettings(config)
    this.logger = logger
    this.#clock = clock
    this.#tables = normalTables(this.settings.registeredTables)
    this.hub = new ChangeHub(this.settings.maxWatchersPerUser)
    this.#users = new UserQueue(this.settings.maxWaitingPerUser)
    this.#stages = new StageTimer(clock, metrics, this.settings.logStageTimings ? logger : undefined)
    this.#status = new StatusReader(pool, clock)
    this.#emptyStarts = new EmptyStarts(this.settings.initializeEmptyDelayMs, clock)
    this.lifecycle.ended.addEventListener('abort', () => this.hub.end(), { once: true })
  }

  /** Makes or finds the schema, checks the tables and puts triggers on them. Throws `unsupported_schema`. */
  async bootstrap(): Promise<void> {
    if (this.pool === undefined)
      throw new RowsError('configuration_invalid', 'the service has no pool to bootstrap with')
    const { tables, discovered } = await bootstrap(
      this.pool,
      this.#tables,
      this.settings.dependencyOverrides,
      this.#clock,
    )
    this.#discovered = discovered
    this.#operations.begin({
      pool: this.pool,
      settings: this.settings,
      tables,
      users: this.#users,
      hub: this.hub,
      applyPlans: new ApplyPlans(),
      clock: this.#clock,
      logger: this.logger,
      stages: this.#stages,
    })
  }

  /** How the tables depend on each other; known after `bootstrap`. */
  get discoveredSchema(): DiscoveredSchema | undefined {
    return this.#discovered
  }

  /** Refuses new operations and waits for those in flight; `signal` ends the waiting with `drain_timeout` (§3.13). */
  close({ signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    return this.lifecycle.close(signal)
  }

  /** By names as they were normalized: lowercase, with the schema. */
  isTableRegistered(schema: string, table: string): boolean {
    return this.#tables.some((candidate) => candidate.schema === schema && candidate.table === table)
  }

  get schemaVersion(): number {
    return this.settings.maxSupportedSchemaVersion
  }

  capabilities(): CapabilitiesResponse {
    return capabilitiesOf(this.settings, this.#tables)
  }

  /** In every state of the service; throws what the database throws. */
  async status(): Promise<StatusResponse> {
    const counters = await this.#status.read()
    const running = this.lifecycle.state === 'running'
    const healthy = running && counters.user_state_retention_floor_ahead_count === 0
    return {
      status: healthy ? 'healthy' : 'unhealthy',
      version: protocolVersion,
      app_name: this.settings.appName,
      lifecycle: this.lifecycle.state,
      accepting_operations: running,
      inflight_operations: this.lifecycle.inFlight,
      registered_tables: this.#tables.map((table) => table.key),
      features: featuresOf(this.settings),
      ...counters,
    }
  }

  connect(actor: Actor, request: ConnectRequest): Promise<ConnectResponse> {
    return this.#operations.mutate('connect', actor, (context, who) =>
      connect(context, this.#emptyStarts, who, request),
    )
  }

  createPushSession(actor: Actor, request: CreatePushRequest): Promise<CreatePushResponse> {
    return this.#operations.mutate('push_create', actor, (context, who) =>
      createPushSession(context, who, request),
    )
  }

  uploadPushChunk(actor: Actor, pushId: string, request: PushChunkRequest): Promise<PushChunkResponse> {
    return this.#operations.mutate('push_chunk', actor, (context, who) =>
      uploadPushChunk(context, who, pushId, request),
    )
  }

  commitPushSession(actor: Actor, pushId: string): Promise<CommittedPush> {
    return this.#operations.mutate('push_commit', actor, (context, who) =>
      commitPushSession(context, who, pushId),
    )
  }

  deletePushSession(actor: Actor, pushId: string): Promise<void> {
    return this.#operations.run((context) => deletePushSession(context, checkActor(actor), pushId))
  }

  /** `maxRows` ≤ 0: the default. */
  async committedBundleRows(
    actor: Actor,
    bundleSeq: number,
    afterRowOrdinal: number | undefined,
    maxRows: number,
  ): Promise<CommittedRowsResponse> {
    const body = await this.committedRowsBody(actor, bundleSeq, afterRowOrdinal, maxRows)
    return committedRowsResponseSchema.parse(await parseBody(body))
  }

  /** As `committedBundleRows`, as the text that goes over the wire. */
  committedRowsBody(
    actor: Actor,
    bundleSeq: number,
    afterRowOrdinal: number | undefined,
    maxRows: number,
  ): Promise<string> {
    return this.#operations.measured('committed_rows', 1, async (context) => {
      const who = checkActor(actor)
      if (!(Number.isSafeInteger(bundleSeq) && bundleSeq > 0))
        throw invalidRows('bundle_seq must be positive')
      if (afterRowOrdinal !== undefined && !(Number.isSafeInteger(afterRowOrdinal) && afterRowOrdinal >= 0))
        throw invalidRows('after_row_ordinal must not be negative')
      const rows = maxRows > 0 ? maxRows : this.settings.defaultRowsPerCommittedBundleChunk
      return committedRows(context, who, { bundleSeq, afterRowOrdinal, maxRows: rows })
    })
  }

  /** `maxBundles` ≤ 0: the default; more than the maximum: the maximum. */
  async processPull(actor: Actor, after: number, maxBundles: number, target: number): Promise<PullResponse> {
    return pullResponseSchema.parse(await parseBody(await this.pullBody(actor, after, maxBundles, target)))
  }

  /** As `processPull`, as the text that goes over the wire. */
  pullBody(actor: Actor, after: number, maxBundles: number, target: number): Promise<JsonBody> {
    const bundles = maxBundles > 0 ? Math.min(maxBundles, maxBundlesPerPull) : defaultBundlesPerPull
    return this.#operations.measured('pull', bundles, async (context) => {
      const who = checkActor(actor, false)
      for (const seq of [after, target])
        if (!(Number.isSafeInteger(seq) && seq >= 0))
          throw new RowsError('invalid_request', 'a bundle number must not be negative')
      return pull(context, who, { after, maxBundles: bundles, target })
    })
  }

  /** With a replacement the source id must be given. */
  createSnapshotSession(actor: Actor, request: CreateSnapshotRequest = {}): Promise<CreateSnapshotResponse> {
    const create = async (context: ServiceContext) =>
      createSnapshotSession(context, checkActor(actor, request.source_replacement != null), request)
    // A replacement locks the user; without one nothing has to wait.
    return request.source_replacement == null
      ? this.#operations.measured('snapshot_create', 1, create)
      : this.#operations.mutate('snapshot_create', actor, create)
  }

  async snapshotChunk(
    actor: Actor,
    snapshotId: string,
    held: number,
    maxRows: number,
  ): Promise<SnapshotChunkResponse> {
    const body = await this.snapshotChunkBody(actor, snapshotId, held, maxRows)
    return snapshotChunkResponseSchema.parse(await parseBody(body))
  }

  /** As `snapshotChunk`, as the text that goes over the wire. */
  snapshotChunkBody(actor: Actor, snapshotId: string, held: number, maxRows: number): Promise<string> {
    return this.#operations.measured('snapshot_chunk', 1, async (context) => {
      const who = checkActor(actor, false)
      if (!(Number.isSafeInteger(held) && held >= 0))
        throw new RowsError('snapshot_chunk_invalid', 'after_row_ordinal must not be negative')
      const rows = maxRows > 0 ? maxRows : this.settings.defaultRowsPerSnapshotChunk
      return snapshotChunk(context, who, { snapshotId, held, maxRows: rows })
    })
  }

  deleteSnapshotSession(actor: Actor, snapshotId: string): Promise<void> {
    return this.#operations.run(async (context) =>
      deleteSnapshotSession(context, checkActor(actor, false), snapshotId),
    )
  }

  /**
   * Runs `write` once in a transaction; what it does to the actor's rows becomes the bundle that `source` names (§3.7).
   * A write without effect makes none, and uses no number.
   */
  async withinSyncBundle(
    actor: Pick<Actor, 'userId'>,
    source: BundleSource,
    write: (tx: BundleTransaction) => Promise<void>,
  ): Promise<void> {
    const { sourceBundleId } = source
    const sourceId = source.sourceId.trim()
    if (sourceId === '') throw new RowsError('bundle_source_invalid', 'the source id is blank')
    if (!(Number.isSafeInteger(sourceBundleId) && sourceBundleId > 0))
      throw new RowsError('bundle_source_invalid', 'the source bundle id must be positive')
    if (typeof write !== 'function') throw new RowsError('bundle_source_invalid', 'there is nothing to run')
    await this.writeAs({ userId: actor.userId, sourceId, sourceBundleId, initialize: false }, false, write)
  }

  /** What `withinSyncBundle` and `ScopeManager` have in common. */
  writeAs(
    write: ServerWrite,
    mustCapture: boolean,
    run: (tx: BundleTransaction) => Promise<void>,
  ): Promise<ServerWriteResult> {
    return this.#operations.mutate('server_write', write, (context, { userId, sourceId }) =>
      writeOnServer(context, { ...write, userId, sourceId }, mustCapture, run),
    )
  }

  /**
   * News of bundles of the actor's scope after `after`; the caller disposes of the subscription. Throws
   * `bundle_change_watch_disabled` where the feature is off.
   */
  async subscribeBundleChanges(actor: Actor, after: number): Promise<ChangeSubscription> {
    this.#requireWatch()
    const context = this.#operations.context
    this.lifecycle.check()
    const { userId } = checkActor(actor, false)
    if (!(Number.isSafeInteger(after) && after >= 0))
      throw new RowsError('invalid_request', 'after_bundle_seq must not be negative')
    const { userPk } = requireInitialized(await readScope(context.pool, userId))
    const subscription = this.hub.subscribe(userPk, after)
    try {
      // Read once more now that events arrive: a bundle in between would be missed otherwise.
      const { latest } = requireInitialized(await readScope(context.pool, userId))
      subscription.offer({ bundle_seq: latest })
      return subscription
    } catch (error) {
      subscription[Symbol.dispose]()
      throw error
    }
  }

  /** Feeds the subscriptions of this process until `signal` aborts or the service closes; start it once per process. */
  async runBundleChangeListener({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    this.#requireWatch()
    await listenForChanges(this.#operations.context, AbortSignal.any([signal, this.lifecycle.ended]))
  }

  /** Deletes expired sessions of all users; worth calling every few minutes. */
  sweep(): Promise<{ readonly pushSessions: number; readonly snapshotSessions: number }> {
    return this.#operations.run(async ({ pool }) => ({
      pushSessions: await deleteExpiredPushSessions(pool),
      snapshotSessions: await deleteExpiredSnapshotSessions(pool),
    }))
  }

  #requireWatch(): void {
    if (!this.settings.bundleChangeWatch.enabled)
      throw new RowsError(
        'bundle_change_watch_disabled',
        'this server sends no news of bundles: pull now and then',
      )
  }
}

function invalidRows(message: string): RowsError {
  return new RowsError('committed_bundle_chunk_invalid', message)
}
