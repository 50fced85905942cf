import { z } from 'zod'
import { maxEntries } from './request.ts'
import { bytes, bytesOf, count, entryId, permission } from './wire-types.ts'

const tips = z.array(entryId).max(20_000)

const hello = z.object({
  type: z.literal('hello'),
  /** Every further request names it. */
  epoch: bytesOf(16),
  /** The responder's clock, milliseconds since 1970: requests are dated by it, so no two clocks have to agree. */
  time: count,
  name: z.string().max(256).optional(),
})

const trees = z.object({
  type: z.literal('trees'),
  trees: z.array(z.object({ tree: entryId, tips })).max(10_000),
})

const refusal = z.object({ id: entryId.optional(), code: z.string().max(64) })

const sync = z.object({
  type: z.literal('sync'),
  /** Whether every tip of the request is verified here. If not, `entries` is empty. */
  known: z.boolean(),
  /** The responder's, after it took what the request brought. */
  tips,
  /** Parents before children. */
  entries: z.array(bytes).max(maxEntries),
  /** There is more: ask again with the same tips and this. */
  next: z.object({ height: count, id: entryId }).optional(),
  /** What the responder did not take. */
  refused: z.array(refusal).max(100),
  /** What entries that it holds wait for. */
  missing: z.array(entryId).max(100),
})

const reconcile = z.object({ type: z.literal('reconcile'), message: bytes })

const access = z.discriminatedUnion('status', [
  z.object({ type: z.literal('access'), status: z.literal('granted'), permission }),
  z.object({ type: z.literal('access'), status: z.literal('pending'), request: z.string().max(64) }),
])

/**
 * - `bad-request`   not readable, too large, or not allowed in this place
 * - `version`       another version of the protocol; `message` names both
 * - `stale`         for another responder, or a former run of it: say `hello` again
 * - `unauthentic`   a signature is not of the key it names
 * - `expired`       dated outside of the window
 * - `replayed`      was here before
 * - `not-found`     there is no such database, or it is not shared: which of the two is not told
 * - `denied`        the key may not do this
 * - `busy`          a bound is reached; try later
 * - `internal`      not the requester's fault
 */
export const wireErrorCodes = [
  'bad-request',
  'version',
  'stale',
  'unauthentic',
  'expired',
  'replayed',
  'not-found',
  'denied',
  'busy',
  'internal',
] as const
export type WireErrorCode = (typeof wireErrorCodes)[number]

const error = z.object({
  type: z.literal('error'),
  code: z.enum(wireErrorCodes),
  message: z.string().max(512),
})

export const responseSchema = z.discriminatedUnion('type', [hello, trees, sync, reconcile, access, error])
export type SyncResponse = z.infer<typeof responseSchema>
export type ResponseOf<Type extends SyncResponse['type']> = Extract<SyncResponse, { readonly type: Type }>
export type SyncTreeResponse = z.infer<typeof sync>

/** A response as it travels; `signature` binds it to the request it answers. */
export const responseEnvelopeSchema = z.object({
  version: count,
  device: z.string().max(64),
  body: bytes,
  signature: bytesOf(64),
})

export type ResponseEnvelope = z.infer<typeof responseEnvelopeSchema>
