import * as z from 'zod'
import { positiveSchema } from './counter.ts'

/** POST /sync/connect (§2.5). */
export const connectRequestSchema = z.object({ has_local_pending_rows: z.boolean().default(false) })
export type ConnectRequest = z.infer<typeof connectRequestSchema>

export const connectResponseSchema = z.discriminatedUnion('resolution', [
  z.object({ resolution: z.literal('remote_authoritative') }),
  z.object({ resolution: z.literal('initialize_empty') }),
  z.object({
    resolution: z.literal('initialize_local'),
    initialization_id: z.string().min(1),
    lease_expires_at: z.string(),
  }),
  z.object({
    resolution: z.literal('retry_later'),
    retry_after_seconds: positiveSchema,
    lease_expires_at: z.string().optional(),
  }),
])
export type ConnectResponse = z.infer<typeof connectResponseSchema>
