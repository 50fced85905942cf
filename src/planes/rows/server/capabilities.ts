import type { CapabilitiesResponse, Features } from '../wire/capabilities.ts'
import { protocolVersion } from '../wire/protocol.ts'
import type { NormalTable } from './registered-table.ts'
import { maxBundlesPerPull, type ServiceSettings } from './service-config.ts'

/** What this server can do (§9). */
export function featuresOf({ bundleChangeWatch }: ServiceSettings): Features {
  return {
    bundle_pull: true,
    push_session_chunking: true,
    committed_bundle_row_fetch: true,
    snapshot_chunking: true,
    status_endpoint: true,
    graceful_shutdown: true,
    capabilities_endpoint: true,
    server_checkpoint_tracking: false,
    history_pruned_errors: true,
    bundle_push: true,
    structured_sync_keys: true,
    registered_write_rejection_enforced: true,
    accepted_push_replay_visibility: true,
    committed_bundle_visibility: true,
    retained_floor_visibility: true,
    retained_window_visibility: true,
    history_pruned_visibility: true,
    connect_lifecycle: true,
    scope_initialization_leases: true,
    bundle_change_watch: bundleChangeWatch.enabled,
  }
}

export function capabilitiesOf(
  settings: ServiceSettings,
  tables: readonly NormalTable[],
): CapabilitiesResponse {
  const seconds = (ms: number) => Math.trunc(ms / 1_000)
  return {
    protocol_version: protocolVersion,
    schema_version: settings.maxSupportedSchemaVersion,
    ...(settings.appName === '' ? {} : { app_name: settings.appName }),
    registered_tables: tables.map((table) => table.key),
    registered_table_specs: tables.map(({ schema, table, syncKeyColumns }) => ({
      schema,
      table,
      sync_key_columns: [...syncKeyColumns],
    })),
    features: featuresOf(settings),
    bundle_limits: {
      max_rows_per_bundle: settings.maxRowsPerBundle,
      max_bytes_per_bundle: settings.maxBytesPerBundle,
      max_bundles_per_pull: maxBundlesPerPull,
      default_rows_per_push_chunk: settings.defaultRowsPerPushChunk,
      max_rows_per_push_chunk: settings.maxRowsPerPushChunk,
      push_session_ttl_seconds: seconds(settings.pushSessionTtlMs),
      default_rows_per_committed_bundle_chunk: settings.defaultRowsPerCommittedBundleChunk,
      max_rows_per_committed_bundle_chunk: settings.maxRowsPerCommittedBundleChunk,
      default_rows_per_snapshot_chunk: settings.defaultRowsPerSnapshotChunk,
      max_rows_per_snapshot_chunk: settings.maxRowsPerSnapshotChunk,
      snapshot_session_ttl_seconds: seconds(settings.snapshotSessionTtlMs),
      max_rows_per_snapshot_session: settings.maxRowsPerSnapshotSession,
      max_bytes_per_snapshot_session: settings.maxBytesPerSnapshotSession,
      initialization_lease_ttl_seconds: seconds(settings.initializationLeaseTtlMs),
    },
  }
}
