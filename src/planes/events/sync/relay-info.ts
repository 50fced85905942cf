import * as z from 'zod'
import type { Address } from '../../../kernel/peer.ts'

const limit = z.int().positive().optional().catch(undefined)

/** What a NIP-11 document says that matters here; all of it hints, observed behaviour counts. */
const document = z.object({
  self: z.string().optional().catch(undefined),
  pubkey: z.string().optional().catch(undefined),
  supported_nips: z.array(z.unknown()).optional().catch(undefined),
  limitation: z
    .object({ max_limit: limit, max_message_length: limit, max_subscriptions: limit })
    .optional()
    .catch(undefined),
})

export interface RelayInfo {
  readonly supportedNips: ReadonlySet<number> | undefined
  readonly maxLimit: number | undefined
  readonly maxMessageLength: number | undefined
  readonly maxSubscriptions: number | undefined
}

const unknownRelayInfo: RelayInfo = {
  supportedNips: undefined,
  maxLimit: undefined,
  maxMessageLength: undefined,
  maxSubscriptions: undefined,
}

const maxBodyBytes = 256 * 1024
const timeoutMs = 5_000

/** Reads the document a relay serves over HTTP at its address, checking the relay as the address asks; throws if it cannot. */
export type ReadDocument = (
  address: Address,
  options: { readonly accept: string; readonly maxBytes: number; readonly signal: AbortSignal },
) => Promise<string>

/** Reads a relay's NIP-11 document. A relay without one is a relay of which nothing is known: never an error. */
export async function fetchRelayInfo(
  address: Address,
  read: ReadDocument,
  signal: AbortSignal,
): Promise<RelayInfo> {
  try {
    const text = await read(address, {
      accept: 'application/nostr+json',
      maxBytes: maxBodyBytes,
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    })
    const parsed = document.safeParse(JSON.parse(text))
    if (!parsed.success) return unknownRelayInfo
    const { supported_nips: nips, limitation } = parsed.data
    return {
      supportedNips: nips && new Set(nips.filter((nip) => typeof nip === 'number')),
      maxLimit: limitation?.max_limit,
      maxMessageLength: limitation?.max_message_length,
      maxSubscriptions: limitation?.max_subscriptions,
    }
  } catch {
    signal.throwIfAborted()
    return unknownRelayInfo
  }
}
