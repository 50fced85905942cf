import { z } from 'zod'
import { component } from './component.ts'
import { direction } from './relay.ts'
import { linkStatus, second } from './server-runtime.ts'

const count = z.int().min(0)
const when = second.nullable()

const proof = z.object({
  local: z.object({ count, fingerprint: z.string() }),
  remote: z.object({ count: count.optional(), fingerprint: z.string().optional() }),
  equal: z.boolean().optional(),
})

export const syncState = component(
  'SyncState',
  'One link, a direction and a filter of a relay: how far it is.',
  z.strictObject({
    id: z.string(),
    relay_id: z.string(),
    relay_url: z.string(),
    filter: z.record(z.string(), z.unknown()),
    filter_hash: z.string(),
    direction,
    live: z.boolean().describe('Stays connected once it has caught up.'),
    schedule: z.string().nullable().describe('When it is looked at again by itself, UTC.'),
    status: linkStatus,
    phase: z.string(),
    error_message: z.string().nullable(),
    events_downloaded: count,
    events_uploaded: count,
    last_download_event_id: z.string().nullable(),
    last_download_timestamp: z.int().nullable(),
    last_upload_event_id: z.string().nullable(),
    last_upload_timestamp: z.int().nullable(),
    last_synced_at: when,
    backfill_target: z.int().nullable(),
    backfill_until: z.int().nullable(),
    backfill_progress_percent: z.number().nullable(),
    coverage: z
      .array(z.array(z.int()).length(2))
      .describe('Closed intervals of `created_at`, seconds, of which nothing is missing.'),
    gaps: z
      .array(z.strictObject({ second: z.int(), reason: z.string() }))
      .describe('Seconds that the relay cannot hand out completely.'),
    strategy: z.string().nullable(),
    upload_seq: count,
    outbox: z.strictObject({ pending: count, dead: count }),
    next_run_at: when,
    next_retry_at: when,
    proof: proof.nullable().describe('What both sides held at the end of the last sync.'),
    created_at: when,
    updated_at: when,
  }),
)

export const syncRun = component(
  'SyncRun',
  'One attempt to bring a link up to date. The newest 50 of a link are kept.',
  z.strictObject({
    id: z.int(),
    relay_id: z.string(),
    state_id: z.string(),
    trigger: z.string(),
    started_at: second,
    finished_at: when.describe('Null while it runs.'),
    outcome: z.string().nullable(),
    code: z.string().nullable(),
    reason: z.string().nullable(),
    strategy: z.string().nullable(),
    notes: z.record(z.string(), z.string()),
    counters: z.record(z.string(), z.number()),
  }),
)

export const deadLetter = component(
  'DeadLetter',
  'An event that the relay refused for good.',
  z.strictObject({
    event_id: z.string(),
    state_id: z.string(),
    attempts: count,
    reason: z.string().nullable().describe("In the relay's words."),
  }),
)
