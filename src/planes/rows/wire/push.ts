import * as z from 'zod'
import { countSchema, droppedCountSchema, hashSchema, positiveSchema } from './counter.ts'
import { pushRowSchema } from './row.ts'

/** POST /sync/push-sessions (§2.6). Whose push it is stands in the source header alone. */
export const createPushRequestSchema = z.object({
  source_bundle_id: z.int(),
  planned_row_count: z.int(),
  /** Trimmed; empty is absent. */
  initialization_id: z.string().optional(),
  /**
   * Ours, from the later contract (appendix C); go-oversync 0.2.x ignores it. What the push holds: a tuple that was
   * committed with another content is refused instead of being answered as committed.
   */
  canonical_request_hash: hashSchema.optional(),
})
export type CreatePushRequest = z.infer<typeof createPushRequestSchema>

/** A bundle, as commit and a repeated create report it. */
export const committedPushSchema = z.object({
  bundle_seq: positiveSchema,
  source_id: z.string().min(1),
  source_bundle_id: positiveSchema,
  row_count: countSchema,
  bundle_hash: hashSchema,
})
export type CommittedPush = z.infer<typeof committedPushSchema>

export const createPushResponseSchema = z.discriminatedUnion('status', [
  z.object({
    status: z.literal('staging'),
    push_id: z.string().min(1),
    planned_row_count: positiveSchema,
    next_expected_row_ordinal: droppedCountSchema,
  }),
  committedPushSchema.extend({ status: z.literal('already_committed') }),
])
export type CreatePushResponse = z.infer<typeof createPushResponseSchema>

/** POST /sync/push-sessions/{push_id}/chunks (§2.7). */
export const pushChunkRequestSchema = z.object({
  start_row_ordinal: z.int().default(0),
  rows: z.array(pushRowSchema),
})
export type PushChunkRequest = z.infer<typeof pushChunkRequestSchema>

export const pushChunkResponseSchema = z.object({
  push_id: z.string().min(1),
  next_expected_row_ordinal: countSchema,
})
export type PushChunkResponse = z.infer<typeof pushChunkResponseSchema>
