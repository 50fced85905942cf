import * as z from 'zod'
import { positiveSchema } from './counter.ts'

/** The data of a `bundle` event of GET /sync/watch (§2.12): a hint to pull. The source is absent on catching up. */
export const bundleChangeEventSchema = z.object({
  bundle_seq: positiveSchema,
  source_id: z.string().optional(),
  source_bundle_id: positiveSchema.optional(),
})
export type BundleChangeEvent = z.infer<typeof bundleChangeEventSchema>
