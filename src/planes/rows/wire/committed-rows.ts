import * as z from 'zod'
import { countSchema } from './counter.ts'
import { committedPushSchema } from './push.ts'
import { bundleRowSchema } from './row.ts'

/**
 * GET /sync/committed-bundles/{bundle_seq}/rows (§2.10). `next_row_ordinal` is the 0-based ordinal of the last row that is
 * held now, to be sent as `after_row_ordinal`: 0 means "after the first row".
 */
export const committedRowsResponseSchema = committedPushSchema.extend({
  rows: z.array(bundleRowSchema),
  next_row_ordinal: countSchema,
  has_more: z.boolean(),
})
export type CommittedRowsResponse = z.infer<typeof committedRowsResponseSchema>
