import * as z from 'zod'
import { countSchema, positiveSchema } from './counter.ts'
import { isJsonObject, type JsonObject } from './json-value.ts'
import { operationSchema } from './operation.ts'
import { syncKeySchema } from './sync-key.ts'

/** An object of `parseJson`; it is passed on as it is, since copying would cost as much as parsing. */
export const jsonObjectSchema = z.custom<JsonObject>(isJsonObject, 'must be an object')

/**
 * A row of a push chunk (§2.7). As go-oversync, the server trims names and operations, does not tell their case apart,
 * takes a missing version for 0 and ignores further members of `key`.
 */
export const pushRowSchema = z.object({
  schema: z.string().default(''),
  table: z.string(),
  key: jsonObjectSchema,
  op: z
    .string()
    .transform((op) => op.trim().toUpperCase())
    .pipe(operationSchema),
  base_row_version: z.int().default(0),
  /** Absent for DELETE: there even `null` is refused. */
  payload: jsonObjectSchema.optional(),
})
export type PushRow = z.infer<typeof pushRowSchema>

/** A row of a bundle, in pulls and committed rows (§2.10). */
export const bundleRowSchema = z
  .object({
    schema: z.string().min(1),
    table: z.string().min(1),
    key: syncKeySchema,
    op: operationSchema,
    row_version: positiveSchema,
    payload: jsonObjectSchema.nullish(),
  })
  .refine((row) => row.op === 'DELETE' || row.payload != null, 'a row that is not deleted needs its payload')
export type BundleRow = z.infer<typeof bundleRowSchema>

/** A row of a snapshot (§2.13). Its version may be lower than the snapshot's. */
export const snapshotRowSchema = z.object({
  schema: z.string().min(1),
  table: z.string().min(1),
  key: syncKeySchema,
  row_version: countSchema,
  payload: jsonObjectSchema,
})
export type SnapshotRow = z.infer<typeof snapshotRowSchema>
