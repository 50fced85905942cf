import * as z from 'zod'
import { countSchema } from './counter.ts'
import { operationSchema } from './operation.ts'
import { jsonObjectSchema } from './row.ts'
import { syncKeySchema } from './sync-key.ts'

/**
 * Every error body (§2.3). Branch on `error`, never on `message`. A code that is not in `errorStatus` comes from another
 * version of the server, or from something in between; treat it as final.
 */
export const errorResponseSchema = z.object({ error: z.string().min(1), message: z.string().default('') })
export type ErrorResponse = z.infer<typeof errorResponseSchema>

/** The row that refused a push, with the state the server has. */
const pushConflictSchema = z.object({
  schema: z.string(),
  table: z.string(),
  key: syncKeySchema,
  op: operationSchema,
  base_row_version: z.int(),
  /** 0: the server never knew the row. */
  server_row_version: countSchema,
  /** The row was deleted, in the bundle `server_row_version`. */
  server_row_deleted: z.boolean(),
  /** The whole row as bundles carry it; null if there is none. */
  server_row: jsonObjectSchema.nullable(),
})
export type PushConflict = z.infer<typeof pushConflictSchema>

/** 409 `push_conflict`. */
export const pushConflictResponseSchema = errorResponseSchema.extend({
  error: z.literal('push_conflict'),
  conflict: pushConflictSchema,
})
export type PushConflictResponse = z.infer<typeof pushConflictResponseSchema>

/** 409 `source_retired`. */
export const sourceRetiredResponseSchema = errorResponseSchema.extend({
  error: z.literal('source_retired'),
  source_id: z.string(),
  replaced_by_source_id: z.string().optional(),
})
export type SourceRetiredResponse = z.infer<typeof sourceRetiredResponseSchema>

/** Why the database did not take a row. */
const rejectionReasonSchema = z.enum([
  'unique',
  'foreign_key',
  'not_null',
  'check',
  'exclusion',
  'bad_value',
  'other',
])
export type RejectionReason = z.infer<typeof rejectionReasonSchema>

const pushRejectionSchema = z.object({
  reason: rejectionReasonSchema,
  schema: z.string(),
  table: z.string(),
  /** Null where no single row can be blamed. */
  key: syncKeySchema.nullable(),
  op: operationSchema.nullable(),
  /** The pushed row's ordinal; null as `key`. */
  row_ordinal: countSchema.nullable(),
  constraint: z.string().nullable(),
  column: z.string().nullable(),
  sqlstate: z.string(),
})
export type PushRejection = z.infer<typeof pushRejectionSchema>

/** 422 `push_rejected`, ours: pushing the same rows again will be refused again. */
export const pushRejectedResponseSchema = errorResponseSchema.extend({
  error: z.literal('push_rejected'),
  rejection: pushRejectionSchema,
})
export type PushRejectedResponse = z.infer<typeof pushRejectedResponseSchema>

/** 413 `snapshot_session_limit_exceeded`, ours. */
export const limitExceededResponseSchema = errorResponseSchema.extend({
  error: z.enum(['snapshot_session_limit_exceeded', 'bundle_too_large']),
  dimension: z.enum(['row_count', 'byte_count']),
  actual: countSchema,
  limit: countSchema,
})
export type LimitExceededResponse = z.infer<typeof limitExceededResponseSchema>
