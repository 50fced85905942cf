import * as z from 'zod'
import type { Clock } from '../../../kernel/clock.ts'
import type { Address } from '../../../kernel/peer.ts'
import { SyncError } from '../../../kernel/sync-error.ts'
import type { IdentityField } from '../definition/server-definition.ts'
import { syncPageInfoSchema } from '../sync-page-frame.ts'
import type { PeerSettings } from './peer-settings.ts'

const limit = z.int().positive().optional().catch(undefined)
const hint = <T extends z.ZodType>(schema: T) => schema.optional().catch(undefined)

/** What a NIP-11 document says that matters here; all of it hints, observed behaviour counts. */
const document = z.object({
  self: hint(z.string()),
  pubkey: hint(z.string()),
  supported_nips: hint(z.array(z.unknown())),
  sync_page: hint(syncPageInfoSchema),
  limitation: hint(
    z.object({
      max_limit: limit,
      max_message_length: limit,
      max_subscriptions: limit,
      auth_required: hint(z.boolean()),
    }),
  ),
})

export interface RelayInfo {
  /** The relay's own key. */
  readonly self: string | undefined
  /** Its administrator's; older relays give their own there. */
  readonly pubkey: string | undefined
  readonly supportedNips: ReadonlySet<number> | undefined
  readonly maxLimit: number | undefined
  readonly maxMessageLength: number | undefined
  readonly maxSubscriptions: number | undefined
  readonly authRequired: boolean
  /** It answers SYNC-PAGE, with at most so many events in a page. */
  readonly syncPage: { readonly maxLimit: number } | undefined
  /** Why nothing is known about it, in words; undefined: the document was read. */
  readonly unknown?: string | undefined
}

const maxBodyBytes = 256 * 1024
/** Five seconds to connect and five to answer (spec events §2.8). */
const timeoutMs = 10_000

/** Reads the document a relay serves over HTTP at its address, checking the relay as the address asks; throws if it cannot. */
export type ReadDocument = (
  address: Address,
  options: { readonly accept: string; readonly maxBytes: number; readonly signal: AbortSignal },
) => Promise<string>

export interface RelayInfoRequest {
  readonly address: Address
  readonly read: ReadDocument
  readonly clock: Clock
  readonly settings: Pick<PeerSettings, 'infoMode' | 'pubkey' | 'identityField'>
  /** Our own public key: a relay that has it is us. */
  readonly ownPubkey: string
  readonly signal: AbortSignal
}

/**
 * Reads a relay's NIP-11 document and checks that the relay is the one expected. With `optional` a relay without a document
 * is one of which nothing is known; another key than the expected is an error all the same.
 *
 * @throws SyncError with the fault `remote_identity_mismatch`, `missing_remote_identity`, `relay_info_request_failed`,
 *   `invalid_relay_info`, `relay_info_timeout` or `self_connection`
 */
export async function fetchRelayInfo(request: RelayInfoRequest): Promise<RelayInfo> {
  const { settings, address, ownPubkey, signal } = request
  if (settings.infoMode === 'disabled') return unknownRelay('not asked for')
  let info: RelayInfo
  try {
    info = parseRelayInfo(address.value, await readInTime(request))
  } catch (error) {
    signal.throwIfAborted()
    const failure = infoFailure(address.value, error)
    if (settings.infoMode === 'required') throw failure
    return unknownRelay(failure.message)
  }
  if (info.self === ownPubkey) {
    const message = `${address.value} is this node itself: it has our own key; remove it`
    throw new SyncError('peer/rejected', message, { fault: 'self_connection' })
  }
  return checked(info, request)
}

function unknownRelay(why: string): RelayInfo {
  return {
    self: undefined,
    pubkey: undefined,
    supportedNips: undefined,
    maxLimit: undefined,
    maxMessageLength: undefined,
    maxSubscriptions: undefined,
    authRequired: false,
    syncPage: undefined,
    unknown: why,
  }
}

function checked(info: RelayInfo, { settings, address }: RelayInfoRequest): RelayInfo {
  const { pubkey, infoMode } = settings
  const said = keysOf(info, settings.identityField)
  if (pubkey === undefined || said.includes(pubkey)) return info
  if (said.length > 0) {
    const message = `${address.value} says its key is ${said.join(' or ')}, expected is ${pubkey}; is this the right relay?`
    throw new SyncError('peer/rejected', message, { fault: 'remote_identity_mismatch' })
  }
  const message = `${address.value} does not say which key it has, expected is ${pubkey}`
  if (infoMode === 'required')
    throw new SyncError('peer/protocol', message, { fault: 'missing_remote_identity' })
  return { ...info, unknown: message }
}

function keysOf({ self, pubkey }: RelayInfo, field: IdentityField): string[] {
  const keys = field === 'self' ? [self ?? pubkey] : field === 'pubkey' ? [pubkey] : [self, pubkey]
  return keys.filter((key) => key !== undefined)
}

async function readInTime({ address, read, clock, signal }: RelayInfoRequest): Promise<string> {
  const over = new AbortController()
  const late = new SyncError(
    'peer/unreachable',
    `${address.value} did not answer with its information document (NIP-11) within ${timeoutMs / 1000} s`,
    { fault: 'relay_info_timeout' },
  )
  const done = new AbortController()
  clock.sleep(timeoutMs, done.signal).then(
    () => over.abort(late),
    () => {},
  )
  try {
    const both = AbortSignal.any([signal, over.signal])
    return await read(address, { accept: 'application/nostr+json', maxBytes: maxBodyBytes, signal: both })
  } catch (error) {
    throw over.signal.aborted ? late : error
  } finally {
    done.abort()
  }
}

function parseRelayInfo(url: string, text: string): RelayInfo {
  let parsed: z.ZodSafeParseResult<z.infer<typeof document>> | undefined
  try {
    parsed = document.safeParse(JSON.parse(text))
  } catch {}
  if (parsed?.success !== true) {
    const message = `${url} answered something else than an information document (NIP-11)`
    throw new SyncError('peer/protocol', message, { fault: 'invalid_relay_info' })
  }
  const { self, pubkey, supported_nips: nips, limitation, sync_page: syncPage } = parsed.data
  return {
    self: self?.toLowerCase(),
    pubkey: pubkey?.toLowerCase(),
    supportedNips: nips && new Set(nips.filter((nip) => typeof nip === 'number')),
    maxLimit: limitation?.max_limit,
    maxMessageLength: limitation?.max_message_length,
    maxSubscriptions: limitation?.max_subscriptions,
    authRequired: limitation?.auth_required === true,
    syncPage: syncPage && { maxLimit: syncPage.max_limit },
  }
}

/** What failed by a name of its own (a pin, a certificate) keeps it; the pace of trying again is that of the cause. */
function infoFailure(url: string, error: unknown): SyncError {
  if (error instanceof SyncError && error.fault !== undefined) return error
  const why = error instanceof Error ? error.message : String(error)
  const options = { fault: 'relay_info_request_failed', cause: error }
  if (error instanceof SyncError) return new SyncError(error.code, why, { ...options, retry: error.retry })
  return new SyncError('peer/unreachable', `${url} could not be asked who it is (NIP-11): ${why}`, options)
}
