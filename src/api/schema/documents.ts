import { z } from 'zod'
import { component, time } from './component.ts'

const count = z.int().min(0)
const database = z.string().describe('The id of a database.')
const key = z.string().describe('A public key: `ed25519:…`.')
const permission = z.string().describe('`read`, or `write` and `admin` with a priority, such as `write:10`.')

export const documentsStatus = component(
  'DocumentsStatus',
  'The documents of the node, in numbers.',
  z.strictObject({
    healthy: z.boolean(),
    problem: z.string().nullable().describe('Why it is not healthy.'),
    device: key.nullable().describe('Whom the node is to its peers.'),
    addresses: z.array(z.string()).describe('Where others can connect, such as `http:192.0.2.1:7777`.'),
    databases: z.strictObject({ total: count, shared: count, awaited: count }),
    entries: z.strictObject({ verified: count, unverified: count, failed: count }),
    peers: count,
    links: z
      .strictObject({ total: count, in_step: count, failing: count })
      .describe('Databases times peers they are kept in step with.'),
    pending_requests: count,
    last_failure: z
      .strictObject({ database, peer: key, at: time, message: z.string() })
      .nullable()
      .describe('Of the links that are failing, the latest.'),
    next_attempt_at: time.nullable(),
  }),
)

const summary = z.strictObject({
  id: database,
  name: z.string().nullable(),
  state: z.enum(['here', 'awaited']).describe('`awaited`: joined, and nothing of it is here yet.'),
  entries: count.describe('Verified ones.'),
  shared: z.boolean(),
  peers: count,
  permission: z
    .string()
    .nullable()
    .describe("What the node's own key may do; `everything` where there are no keys."),
})

export const databaseSummary = component('DocumentDatabase', 'A database of documents.', summary)

const documentLink = component(
  'DocumentLink',
  'How one database is with one peer.',
  z.strictObject({
    database,
    peer: key,
    in_step: z.boolean(),
    last_success_at: time.nullable(),
    last_attempt_at: time.nullable(),
    last_error: z.string().nullable().describe('Of the last attempt.'),
    last_error_code: z.string().nullable(),
    attempts: z.strictObject({ succeeded: count, failed: count }),
    received: count.describe('Entries, ever.'),
    sent: count,
    next_attempt_at: time.nullable().describe('Null: it is not tried by itself.'),
  }),
)

export const databaseDetail = component(
  'DocumentDatabaseDetail',
  'A database with its stores, who may do what in it, and how it is with its peers.',
  summary.extend({
    tips: z
      .array(z.string())
      .describe('Entries nothing builds on yet, sorted. Equal tips mean equal databases.'),
    held: count.describe('Entries that wait for others.'),
    failed: count.describe('Entries found bad.'),
    stores: z.array(z.strictObject({ name: z.string(), type: z.string() })),
    keys: z.array(
      z.strictObject({
        key,
        name: z.string().nullable(),
        permission,
        status: z.enum(['active', 'revoked']),
        own: z.boolean().describe("It is this node's."),
      }),
    ),
    everybody: permission.nullable().describe('What everybody may do.'),
    links: z.array(documentLink),
    awaited: z
      .strictObject({ permission, peer: key, request: z.string(), asked_at: time })
      .nullable()
      .describe('Access that was asked for and not seen to be given.'),
  }),
)

export const accessRequest = component(
  'DocumentAccessRequest',
  'Somebody asks to be let into a database.',
  z.strictObject({
    id: z.string(),
    database,
    database_name: z.string().nullable(),
    key,
    name: z.string().describe('How the requester wants to be called.'),
    permission,
    message: z.string().nullable().describe('For whoever decides.'),
    asked_at: time,
    status: z.enum(['pending', 'approved', 'rejected']),
    decided_at: time.nullable(),
    granted: permission.nullable(),
  }),
)

export const documentPeer = component(
  'DocumentPeer',
  'A node that documents are synced with.',
  z.strictObject({
    key,
    name: z.string().nullable(),
    addresses: z.array(z.string()),
    databases: z.array(database),
    first_seen_at: time,
  }),
)

export const documentAttempt = component(
  'DocumentSyncAttempt',
  'An attempt of this node to bring a database in step with a peer.',
  z.strictObject({
    peer: key,
    database,
    started_at: time,
    duration_ms: count,
    received: count,
    sent: count,
    bytes: count,
    requests: count,
    error: z.string().nullable(),
  }),
)

export const syncedLink = component(
  'SyncedDocumentLink',
  'What became of one database with one peer.',
  z.strictObject({
    database,
    name: z.string().nullable(),
    peer: key,
    outcome: z
      .enum(['in-step', 'failed', 'not-dialable'])
      .describe('`not-dialable`: no address of the peer is known; it comes by itself.'),
    received: count,
    sent: count,
    error: z.strictObject({ code: z.string(), message: z.string() }).nullable(),
  }),
)

export const documentTicket = component(
  'DocumentTicket',
  'Where to have a database. It grants nothing.',
  z.strictObject({
    database,
    ticket: z.string(),
    addresses: z.array(z.string()),
    local: z.boolean().describe('All addresses are of this machine only.'),
  }),
)

export const documentJoin = component(
  'DocumentJoin',
  'What became of joining a database.',
  z.strictObject({
    status: z
      .enum(['joined', 'pending'])
      .describe('`pending`: somebody has to decide; it is joined by itself after that.'),
    database,
    name: z.string().nullable(),
    peer: key,
    entries: count,
    permission: z.string().nullable(),
    request: z.string().nullable(),
  }),
)
