import * as z from 'zod'
import { droppedCountSchema } from './counter.ts'

/** What a server can do (§9). A feature that is not named is not there. */
export const featuresSchema = z.record(z.string(), z.boolean())
export type Features = z.infer<typeof featuresSchema>

/** 0, or absent: no limit. */
const bundleLimitsSchema = z.object({
  max_rows_per_bundle: droppedCountSchema,
  max_bytes_per_bundle: droppedCountSchema,
  max_bundles_per_pull: droppedCountSchema,
  default_rows_per_push_chunk: droppedCountSchema,
  max_rows_per_push_chunk: droppedCountSchema,
  push_session_ttl_seconds: droppedCountSchema,
  default_rows_per_committed_bundle_chunk: droppedCountSchema,
  max_rows_per_committed_bundle_chunk: droppedCountSchema,
  default_rows_per_snapshot_chunk: droppedCountSchema,
  max_rows_per_snapshot_chunk: droppedCountSchema,
  snapshot_session_ttl_seconds: droppedCountSchema,
  max_rows_per_snapshot_session: droppedCountSchema,
  max_bytes_per_snapshot_session: droppedCountSchema,
  initialization_lease_ttl_seconds: droppedCountSchema,
})
export type BundleLimits = z.infer<typeof bundleLimitsSchema>

const registeredTableSpecSchema = z.object({
  schema: z.string(),
  table: z.string(),
  sync_key_columns: z.array(z.string()),
})
export type RegisteredTableSpec = z.infer<typeof registeredTableSpecSchema>

/** GET /sync/capabilities. */
export const capabilitiesResponseSchema = z.object({
  protocol_version: z.string(),
  schema_version: z.int().default(0),
  app_name: z.string().optional(),
  registered_tables: z.array(z.string()).default([]),
  registered_table_specs: z.array(registeredTableSpecSchema).default([]),
  features: featuresSchema.default({}),
  bundle_limits: bundleLimitsSchema.prefault({}),
})
export type CapabilitiesResponse = z.infer<typeof capabilitiesResponseSchema>
