import { z } from 'zod'
import { component } from './component.ts'

/** `2026-01-31T12:00:00Z`, as Parrhesia's runtime fields have it. */
export const second = z.iso.datetime({ precision: 0 })
const when = second.nullable()
const count = z.int().min(0)

export const linkStatus = z.enum(['idle', 'syncing', 'completed', 'error'])

const fault = z.strictObject({
  code: z.string(),
  message: z.string(),
  since: second,
  permanent: z.boolean().describe('Not tried again before somebody acts, or a long time passed.'),
})

const rejection = z.strictObject({ event_id: z.string().nullable(), code: z.string(), at: second })

export const serverRuntime = component(
  'ServerRuntime',
  'What a relay is doing, in the words of Parrhesia. Counts are sums over its links.',
  z.strictObject({
    server_id: z.string(),
    state: z.enum(['running', 'stopped']),
    'connected?': z.boolean(),
    last_connected_at: when,
    last_disconnected_at: when,
    last_sync_started_at: when,
    last_sync_completed_at: when,
    last_event_received_at: when,
    last_eose_at: when,
    last_remote_eose_at: when,
    reconnect_attempts: count.describe('Failed ones in a row.'),
    last_error: z.string().nullable().describe('Of a fault that is current.'),
    events_received: count,
    events_accepted: count,
    events_duplicate: count,
    events_rejected: count,
    query_runs: count,
    subscription_restarts: count,
    reconnects: count,
    cursor_created_at: z.int().nullable(),
    cursor_event_id: z.string().nullable(),
    phase: z.string(),
    status: linkStatus,
    events_uploaded: count,
    events_upload_failed: count,
    upload_seq: count,
    bytes_in: count,
    bytes_out: count,
    neg_rounds: count,
    backfill_progress_percent: z.number().nullable(),
    lag_seconds: z.number().nullable().describe('Now minus the upper end of what is covered.'),
    next_retry_at: when,
    fault: fault.nullable(),
    last_rejection: rejection.nullable(),
    created_at: when,
    updated_at: when,
  }),
)
