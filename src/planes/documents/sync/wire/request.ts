import { z } from 'zod'
import { syncAddressSchema } from '../sync-address.ts'
import { bytes, bytesOf, count, entryId, permission } from './wire-types.ts'

/** Tips of one database in one message. More than that is no database anybody works with. */
const maxTips = 20_000
/** Entries of one message; their bytes are bounded by that of the message. */
export const maxEntries = 5_000

const tips = z.array(entryId).max(maxTips)
const entries = z.array(bytes).max(maxEntries)

/** Where the canonical order was left. */
const position = z.object({ height: count, id: entryId })

/** Who are you? The only request that is not bound to a responder: its answer says which key that is. */
const hello = z.object({ type: z.literal('hello') })

/** Which databases may I read here? */
const trees = z.object({ type: z.literal('trees') })

/**
 * "These are my tips, and here is what I believe you lack; what do I lack?" Entries are taken first, so that a pair that
 * agreed before needs one round trip, whoever wrote what since.
 */
const sync = z.object({
  type: z.literal('sync'),
  tree: entryId,
  tips,
  /** Goes on after what an answer to the same tips ended with. */
  after: position.optional(),
  entries: entries.optional(),
  /** Further entries follow in another request; this one is answered without any. */
  more: z.boolean().optional(),
  /** Where the requester can be reached, in the order to try; kept only when the request is granted. */
  addresses: z.array(syncAddressSchema).max(16).optional(),
})

/** One more message of range reconciliation over (height, digest). */
const reconcile = z.object({ type: z.literal('reconcile'), tree: entryId, message: bytes })

/** Asks for access for the key that signs the request besides the device. */
const access = z.object({
  type: z.literal('access'),
  tree: entryId,
  /** How the requester wants his key to be called. */
  name: z.string().min(1).max(128),
  permission,
  /** For whoever decides, verbatim. */
  metadata: bytes.refine((value) => value.length <= 4_096, 'at most 4096 bytes').optional(),
})

export const requestSchema = z.discriminatedUnion('type', [hello, trees, sync, reconcile, access])
export type SyncRequest = z.infer<typeof requestSchema>
export type SyncTreeRequest = z.infer<typeof sync>
export type ReconcileRequest = z.infer<typeof reconcile>
export type AccessRequest = z.infer<typeof access>

export const epochBytes = 16
export const nonceBytes = 32

/** A request as it travels: what is said, by whom, to whom, when. `signature` covers all of it but itself and `access`. */
export const requestEnvelopeSchema = z.object({
  version: count,
  /** The device that asks. */
  device: z.string().max(64),
  /** The device that is asked; empty in a `hello`. */
  to: z.string().max(64),
  /** Names one run of the responder; empty in a `hello`. */
  epoch: bytes.refine((value) => value.length === 0 || value.length === epochBytes),
  /** By the responder's clock, milliseconds since 1970. */
  time: count,
  nonce: bytesOf(nonceBytes),
  body: bytes,
  signature: bytesOf(64),
  /** The key whose permissions count, where that is not the device's. */
  access: z.object({ key: z.string().max(64), signature: bytesOf(64) }).optional(),
})

export type RequestEnvelope = z.infer<typeof requestEnvelopeSchema>
