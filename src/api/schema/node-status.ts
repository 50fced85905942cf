import { z } from 'zod'
import { component } from './component.ts'
import { documentsStatus } from './documents.ts'

const count = z.int().min(0)

export const syncStats = component(
  'SyncStats',
  'Sums over all relays.',
  z.strictObject({
    servers_total: count,
    servers_enabled: count,
    servers_running: count,
    servers_connected: count,
    events_received: count,
    events_accepted: count,
    events_duplicate: count,
    events_rejected: count,
    query_runs: count,
    subscription_restarts: count,
    reconnects: count,
  }),
)

const failing = z.array(z.strictObject({ id: z.string(), reason: z.string() }))

export const syncHealth = component(
  'SyncHealth',
  '`degraded` while something is wrong now; `down` while the store cannot be written.',
  z.strictObject({
    status: z.enum(['ok', 'degraded', 'down']),
    servers_total: count,
    servers_connected: count,
    servers_failing: failing,
    config_quarantined: failing.describe('Stored records that cannot be read; they are kept.'),
  }),
)

const rowsStatus = component(
  'RowsStatus',
  'The rows server of the node.',
  z.strictObject({
    healthy: z.boolean(),
    problem: z.string().optional().describe('Why it is not healthy.'),
    database: z.string().describe('Where the rows are, without a password.'),
    tables: z.array(z.string()),
    operationsInFlight: count,
    history: z
      .strictObject({
        bundles: count,
        bundleBytes: count,
        pushReplays: count,
        refusedWrites: count,
        prunedRequests: count,
      })
      .optional()
      .describe('Of all users, since the database was set up; absent while it does not answer.'),
  }),
)

export const nodeStatus = component(
  'NodeStatus',
  'The node itself.',
  z.strictObject({
    version: z.string(),
    directory: z.string(),
    identity: z.string().describe("Public key of the node's identity."),
    listening: z.string().nullable().describe('Where the relay listens.'),
    events: z.strictObject({ count, fingerprint: z.string() }),
    health: syncHealth,
    stats: syncStats,
    rows: rowsStatus.nullable().describe('Null where no rows are served.'),
    documents: documentsStatus.nullable().describe('Null where there are no documents and none are served.'),
  }),
)
