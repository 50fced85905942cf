import type { RegisteredTable } from './registered-table.ts'
import { RowsError } from './rows-error.ts'
import type { DependencyOverrides } from './table-order.ts'

/**
 * How a service behaves (§3.11). Of numbers, zero and less mean the default, unless a member says otherwise. The names and
 * defaults of the first part are go-oversync's; durations are in milliseconds.
 */
export interface ServiceConfig {
  /** Told to clients as `schema_version`; the application's business, not ours. 0 by default. */
  readonly maxSupportedSchemaVersion?: number
  /** Told to clients and in the status; empty by default. */
  readonly appName?: string
  readonly registeredTables?: readonly RegisteredTable[]
  readonly dependencyOverrides?: DependencyOverrides

  readonly defaultRowsPerPushChunk?: number
  readonly maxRowsPerPushChunk?: number
  readonly pushSessionTtlMs?: number
  readonly initializationLeaseTtlMs?: number
  readonly defaultRowsPerCommittedBundleChunk?: number
  readonly maxRowsPerCommittedBundleChunk?: number
  readonly defaultRowsPerSnapshotChunk?: number
  readonly maxRowsPerSnapshotChunk?: number
  readonly snapshotSessionTtlMs?: number
  /** 0: no limit, the default; so for the next three. Enforced, and advertised. */
  readonly maxRowsPerSnapshotSession?: number
  readonly maxBytesPerSnapshotSession?: number
  readonly maxRowsPerBundle?: number
  readonly maxBytesPerBundle?: number
  /** Bundles beyond are pruned, some with each commit. */
  readonly retainedBundlesPerUser?: number
  readonly retentionPruneBatchSize?: number
  /** For waiting on a lock while pushing; 0, the default: as long as it takes. */
  readonly uploadLockTimeoutMs?: number
  /** Whether the stages of operations are logged; they always go to `metrics`. */
  readonly logStageTimings?: boolean
  readonly bundleChangeWatch?: BundleChangeWatchConfig

  /** A longer request body is refused while it is read. 64 MiB by default. */
  readonly maxRequestBytes?: number
  /** A page of a pull ends with the bundle that passes this. 4 MiB by default. */
  readonly maxPullPageBytes?: number
  /** Push sessions of one user at a time. 100 by default. */
  readonly maxPushSessionsPerUser?: number
  /** Snapshot sessions of one user at a time. 20 by default. */
  readonly maxSnapshotSessionsPerUser?: number
  /** Open watch streams of one user at a time. 100 by default. */
  readonly maxWatchersPerUser?: number
  /** Requests of one user that wait for their turn. 200 by default. */
  readonly maxWaitingPerUser?: number
  /**
   * For how long the first device of a new scope that has no rows is told to wait, so that one that has some may seed it
   * (§7). 0, the default: it initializes the scope at once.
   */
  readonly initializeEmptyDelayMs?: number
  /** Whether pushed values for columns that a table does not have are dropped instead of being refused. */
  readonly ignoreUnknownColumns?: boolean
}

export interface BundleChangeWatchConfig {
  readonly enabled: boolean
  /** Of NOTIFY; at most 63 bytes. `oversync_bundle_change_v1` by default. */
  readonly notifyChannel?: string
  /** Between comments that keep a silent stream alive. 25 s by default. */
  readonly heartbeatIntervalMs?: number
}

type Numbers = {
  -readonly [Name in keyof ServiceConfig as ServiceConfig[Name] extends number | undefined
    ? Name
    : never]-?: number
}

/** A configuration with every member set. */
export interface ServiceSettings extends Readonly<Numbers> {
  readonly appName: string
  readonly registeredTables: readonly RegisteredTable[]
  readonly dependencyOverrides: DependencyOverrides
  readonly logStageTimings: boolean
  readonly ignoreUnknownColumns: boolean
  readonly bundleChangeWatch: Required<BundleChangeWatchConfig>
}

const minute = 60_000

const defaults: Numbers = {
  maxSupportedSchemaVersion: 0,
  defaultRowsPerPushChunk: 1_000,
  maxRowsPerPushChunk: 5_000,
  pushSessionTtlMs: 15 * minute,
  initializationLeaseTtlMs: 15 * minute,
  defaultRowsPerCommittedBundleChunk: 1_000,
  maxRowsPerCommittedBundleChunk: 5_000,
  defaultRowsPerSnapshotChunk: 1_000,
  maxRowsPerSnapshotChunk: 5_000,
  snapshotSessionTtlMs: 15 * minute,
  maxRowsPerSnapshotSession: 0,
  maxBytesPerSnapshotSession: 0,
  maxRowsPerBundle: 0,
  maxBytesPerBundle: 0,
  retainedBundlesPerUser: 10_000,
  retentionPruneBatchSize: 1_000,
  uploadLockTimeoutMs: 0,
  maxRequestBytes: 64 * 1024 * 1024,
  maxPullPageBytes: 4 * 1024 * 1024,
  maxPushSessionsPerUser: 100,
  maxSnapshotSessionsPerUser: 20,
  maxWatchersPerUser: 100,
  maxWaitingPerUser: 200,
  initializeEmptyDelayMs: 0,
}

/** Bundles per pull; not configurable (§3.11). */
export const defaultBundlesPerPull = 1_000
export const maxBundlesPerPull = 5_000

const defaultChannel = 'oversync_bundle_change_v1'
const defaultHeartbeatMs = 25_000

/** Throws `configuration_invalid` on a value that cannot be meant. */
export function serviceSettings(config: ServiceConfig): ServiceSettings {
  const numbers = { ...defaults }
  for (const name of Object.keys(defaults) as (keyof Numbers)[]) {
    const value = config[name]
    if (value === undefined) continue
    if (!Number.isFinite(value)) throw invalid(`${name} must be a number, not ${value}`)
    if (value > 0) numbers[name] = value
  }
  for (const kind of ['PushChunk', 'CommittedBundleChunk', 'SnapshotChunk'] as const)
    numbers[`defaultRowsPer${kind}`] = Math.min(
      numbers[`defaultRowsPer${kind}`],
      numbers[`maxRowsPer${kind}`],
    )
  return {
    ...numbers,
    appName: config.appName ?? '',
    registeredTables: config.registeredTables ?? [],
    dependencyOverrides: config.dependencyOverrides ?? {},
    logStageTimings: config.logStageTimings ?? false,
    ignoreUnknownColumns: config.ignoreUnknownColumns ?? false,
    bundleChangeWatch: watchSettings(config.bundleChangeWatch),
  }
}

function watchSettings(
  config: BundleChangeWatchConfig = { enabled: false },
): Required<BundleChangeWatchConfig> {
  const { enabled, notifyChannel = defaultChannel, heartbeatIntervalMs = defaultHeartbeatMs } = config
  if (
    enabled &&
    (notifyChannel === '' || notifyChannel.includes('\0') || Buffer.byteLength(notifyChannel) > 63)
  )
    throw invalid('bundleChangeWatch.notifyChannel must have 1 to 63 bytes, none of them zero')
  if (enabled && !(heartbeatIntervalMs > 0))
    throw invalid('bundleChangeWatch.heartbeatIntervalMs must be more than 0')
  return { enabled, notifyChannel, heartbeatIntervalMs }
}

function invalid(message: string): RowsError {
  return new RowsError('configuration_invalid', message)
}
