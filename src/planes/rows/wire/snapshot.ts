import * as z from 'zod'
import { countSchema, droppedCountSchema } from './counter.ts'
import { snapshotRowSchema } from './row.ts'

const replacementReasonSchema = z.enum([
  'history_pruned',
  'source_sequence_out_of_order',
  'source_sequence_changed',
  'source_retired',
])
/** Why a client gives up its source (§6.2). */
export type ReplacementReason = z.infer<typeof replacementReasonSchema>

const sourceReplacementSchema = z.strictObject({
  previous_source_id: z.string(),
  new_source_id: z.string(),
  reason: z
    .string()
    .transform((reason) => reason.trim())
    .pipe(replacementReasonSchema),
})
export type SourceReplacement = z.infer<typeof sourceReplacementSchema>

/** POST /sync/snapshot-sessions (§2.13): the one body in which unknown members are refused. */
export const createSnapshotRequestSchema = z.strictObject({
  source_replacement: sourceReplacementSchema.nullish(),
})
export type CreateSnapshotRequest = z.infer<typeof createSnapshotRequestSchema>

export const createSnapshotResponseSchema = z.object({
  snapshot_id: z.string().min(1),
  snapshot_bundle_seq: countSchema,
  row_count: countSchema,
  byte_count: droppedCountSchema,
  expires_at: z.string(),
})
export type CreateSnapshotResponse = z.infer<typeof createSnapshotResponseSchema>

/**
 * GET /sync/snapshot-sessions/{snapshot_id}. `next_row_ordinal` is the number of rows held now: unlike that of committed
 * rows it counts from 1.
 */
export const snapshotChunkResponseSchema = z.object({
  snapshot_id: z.string().min(1),
  snapshot_bundle_seq: countSchema,
  rows: z.array(snapshotRowSchema),
  next_row_ordinal: countSchema,
  has_more: z.boolean(),
})
export type SnapshotChunkResponse = z.infer<typeof snapshotChunkResponseSchema>
