import * as z from 'zod'
import { countSchema, hashSchema, positiveSchema } from './counter.ts'
import { bundleRowSchema } from './row.ts'

const bundleSchema = z.object({
  bundle_seq: positiveSchema,
  source_id: z.string().min(1),
  source_bundle_id: positiveSchema,
  row_count: countSchema.optional(),
  bundle_hash: hashSchema.optional(),
  rows: z.array(bundleRowSchema),
})
export type Bundle = z.infer<typeof bundleSchema>

/** GET /sync/pull (§2.11): whole bundles, ascending, without a gap after the checkpoint. */
export const pullResponseSchema = z.object({
  stable_bundle_seq: countSchema,
  bundles: z.array(bundleSchema),
  has_more: z.boolean(),
})
export type PullResponse = z.infer<typeof pullResponseSchema>
