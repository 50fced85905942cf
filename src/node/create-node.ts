import { mkdir } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Config } from '../config/schema.ts'
import { nextRun, parseSchedule } from '../jobs/schedule.ts'
import type { AnyPlane } from '../kernel/attempt.ts'
import { systemClock } from '../kernel/clock.ts'
import type { Logger } from '../kernel/logger.ts'
import { defaultRetryPolicy, type RetryPolicy } from '../kernel/retry.ts'
import { Scheduler } from '../kernel/scheduler.ts'
import { createSqliteEventStore } from '../planes/events/event-store.sqlite.ts'
import { HoldRelease } from '../planes/events/hold-release.ts'
import { createIngest } from '../planes/events/ingest.ts'
import { PluginPool } from '../planes/events/plugin/plugin-pool.ts'
import { createEventsPlane } from '../planes/events/sync/events-plane.ts'
import { peerRetry } from '../planes/events/sync/peer-settings.ts'
import { createWorkerVerifier } from '../planes/events/verifier.workers.ts'
import { createRowsPlane, type RowsPlaneOptions } from '../planes/rows/client/rows-plane.ts'
import { createSqliteStore } from '../stores/sqlite/sqlite-store.ts'
import type { SqliteTx } from '../stores/sqlite/sqlite-tx.ts'
import { createLogger } from '../telemetry/logger.ts'
import { clientAddressOf } from '../transports/client-address.ts'
import { readDocument } from '../transports/document.ts'
import { createWsTransport } from '../transports/ws.ts'
import { DifferenceFeed } from './difference-feed.ts'
import { openEventPolicy } from './event-policy.ts'
import { openGrasp } from './grasp.ts'
import { Identity } from './identity.ts'
import { limitsFrom } from './limits-from.ts'
import { isMirrored, mirrorRetry } from './mirrored-relays.ts'
import { Node } from './node.ts'
import { openPeerPolicies } from './peer-policies.ts'
import { relayConfigFrom } from './relay-config-from.ts'

/** Leases of a data directory belong to whoever holds its lock, so one name serves every process in turn. */
const owner = 'data-directory'
/** Only this process changes the store, and it says so: looking by itself is for what was forgotten to be said. */
const pollMs = 60_000

export interface OpenOptions {
  /** Default: what the configuration says about logs. */
  readonly log?: Logger
  /** The SQLite databases of this process that the node keeps in step with rows servers; see `Node.rowsLinks`. */
  readonly rows?: RowsPlaneOptions
}

/**
 * Opens a node on its data directory: store, relay, sync. The one place that knows how the parts fit together.
 *
 * It starts nothing that others notice: `listen` serves the relay, `start` works on the configured relays.
 *
 * @throws SyncError `store/busy` when another process owns the directory
 */
export async function openNode(config: Config, options: OpenOptions = {}): Promise<Node> {
  await using opening = new AsyncDisposableStack()
  const directory = resolve(config.data)
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const log = options.log ?? createLogger({ level: config.log.level, format: config.log.format })
  const limits = limitsFrom(config.limits)
  const relayConfig = relayConfigFrom(config.sync.relays)
  const retry: RetryPolicy = {
    ...defaultRetryPolicy,
    initialMs: config.sync.retryInitialSeconds * 1_000,
    maxMs: config.sync.retryMaxSeconds * 1_000,
  }
  const clock = systemClock
  const { restrictedKinds, publicUrls: relayUrls } = config
  const store = opening.use(await createSqliteStore({ dir: directory, clock, log }))
  const identity = await Identity.load(directory, process.env.RELAY_PRIVATE_KEY)
  const events = opening.use(await createSqliteEventStore({ store, relayUrls, restrictedKinds, clock, log }))
  const verifier = opening.use(createWorkerVerifier({ workers: config.verifier.workers }))
  const plugins = opening.use(new PluginPool({ clock, random: Math.random, log }))
  const { writePolicyPlugin } = config
  const plugin =
    writePolicyPlugin === undefined
      ? undefined
      : opening.use(await plugins.open(writePolicyPlugin, config.writePolicyPluginFailure))
  const grasp = await openGrasp({ config, store, events, clock, log })
  const service = grasp?.rules.policy
  const policy = await openEventPolicy({ config, limits, store, service, plugin: plugin?.policy })
  const accepting = { store: events, verifier, policy: policy.write, limits, clock, relayUrls, log }
  const ingest = createIngest({ ...accepting, hold: grasp?.hold })
  const git = typeof grasp?.git === 'object' ? opening.use(grasp.git) : undefined
  if (grasp !== undefined) {
    const release = opening.use(
      new HoldRelease({ hold: grasp.hold, store: events, ingest, clock, log, sweepMs: 60_000 }),
    )
    opening.use(git?.onReady((keys) => release.satisfy(keys)))
  }
  const peerPolicies = { pool: plugins, onFailure: config.writePolicyPluginFailure, acl: policy.acl }
  const transport = opening.use(
    createWsTransport({ connectTimeoutMs: config.sync.connectTimeoutSeconds * 1_000 }),
  )
  const differences = new DifferenceFeed()
  const plane = createEventsPlane({
    store: events,
    ingest,
    signer: identity,
    limits,
    readDocument,
    migrations: [],
    concurrency: config.sync.concurrency,
    relayConfig,
    onDifference: (link, difference) => differences.tell(link, difference),
    openPolicies: (peer) => openPeerPolicies(peer, peerPolicies),
  })
  const planes = new Map<string, AnyPlane<SqliteTx>>([
    [plane.name, plane],
    ...(options.rows === undefined ? [] : [['rows', createRowsPlane<SqliteTx>(options.rows)] as const]),
  ])
  const scheduler = opening.use(
    new Scheduler<SqliteTx>({
      store,
      planes,
      transports: new Map([[transport.name, transport]]),
      clock,
      random: Math.random,
      log,
      owner,
      retry: (peer) => (isMirrored(peer) ? mirrorRetry : peerRetry(peer, relayConfig, retry)),
      concurrency: config.sync.concurrency,
      idleMs: config.sync.idleSeconds * 1_000,
      leaseMs: config.sync.leaseSeconds * 1_000,
      pollMs,
      nextRun: (text, after) => nextRun(parseSchedule(text), new Date(after))?.getTime(),
    }),
  )
  return new Node(
    {
      directory,
      config,
      log,
      limits,
      store,
      events,
      ingest,
      verifier,
      policy,
      identity,
      scheduler,
      hold: grasp?.hold,
      differences,
      git: grasp?.git,
      keepsRows: options.rows !== undefined,
      clientAddress: clientAddressOf(config.trustedProxies),
    },
    opening.move(),
  )
}
