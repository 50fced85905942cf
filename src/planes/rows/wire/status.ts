import * as z from 'zod'
import { featuresSchema } from './capabilities.ts'
import { countSchema } from './counter.ts'

/** GET /syncx/status and /syncx/health (§9); no member is ever omitted. */
export const statusResponseSchema = z.object({
  status: z.enum(['healthy', 'unhealthy']),
  version: z.string(),
  app_name: z.string(),
  lifecycle: z.enum(['running', 'shutting_down', 'closed']),
  accepting_operations: z.boolean(),
  inflight_operations: countSchema,
  registered_tables: z.array(z.string()),
  features: featuresSchema,
  user_state_retention_floor_ahead_count: countSchema,
  latest_bundle_seq_max: countSchema,
  retained_bundle_floor_min: countSchema,
  retained_bundle_floor_max: countSchema,
  retained_bundle_window_min: countSchema,
  retained_bundle_window_max: countSchema,
  history_pruned_error_count: countSchema,
  accepted_push_replay_count: countSchema,
  rejected_registered_write_count: countSchema,
  committed_bundle_count: countSchema,
  committed_bundle_bytes: countSchema,
})
export type StatusResponse = z.infer<typeof statusResponseSchema>
