import * as z from 'zod'
import type { Link } from '../../../kernel/link.ts'
import type { Peer } from '../../../kernel/peer.ts'
import type { SyncSource } from '../write-policy.ts'

/** What of a peer's definition matters to policies; anything else in it, or none at all, is fine. */
const metadata = z.object({
  definition: z
    .object({
      auth_pubkey: z.string().nullish().catch(undefined),
      accept_protected_from_peers: z.boolean().optional().catch(undefined),
      labels: z.record(z.string(), z.string()).optional().catch(undefined),
    })
    .optional()
    .catch(undefined),
})

/** Who an event of this link comes from, for the write policies and their plugins. */
export function syncSource(peer: Pick<Peer, 'id' | 'metadata'>, link: Pick<Link, 'id'>): SyncSource {
  const { definition } = metadata.parse(peer.metadata)
  return {
    id: peer.id,
    link: link.id,
    pubkey: definition?.auth_pubkey ?? undefined,
    labels: definition?.labels,
    acceptProtected: definition?.accept_protected_from_peers,
  }
}
