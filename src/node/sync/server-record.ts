import type { Peer, PeerId } from '../../kernel/peer.ts'
import { peerId } from '../../kernel/peer.ts'
import { normalizeServer } from '../../planes/events/definition/normalize-server.ts'
import { normalizeRelayUrl } from '../../planes/events/definition/relay-url.ts'
import type { DefinitionProfile, ServerDefinition } from '../../planes/events/definition/server-definition.ts'
import { definitionTls } from '../definition-tls.ts'

export const defaultManager = 'default'

/** The newest event another program had seen when its servers were taken over. It proves nothing about older ones. */
export interface ForeignCursor {
  readonly created_at: number
  readonly event_id: string
}

/** One server as it is stored: a peer, and in its metadata what made it so. */
export interface ServerRecord {
  readonly manager: string
  readonly definition: ServerDefinition
  readonly profile: DefinitionProfile
  /** Whether it runs. The definition's `enabled?` decides it when it is new or changes; start and stop do since. */
  readonly state: 'running' | 'stopped'
  /** Wall ms. */
  readonly createdAt: number
  readonly updatedAt: number
  readonly cursor: ForeignCursor | null
  /** Made by a sync on demand; nobody configured it. */
  readonly adHoc: boolean
}

/** Server ids have no slash, so two managers can have the same one. */
export function serverPeerId(manager: string, id: string): PeerId {
  return peerId(manager === defaultManager ? id : `${manager}/${id}`)
}

export function toPeer(record: ServerRecord): Peer {
  const { definition, manager, state } = record
  const tls = definitionTls(definition)
  return {
    id: serverPeerId(manager, definition.id),
    name: nameOf(definition),
    addresses: [{ transport: 'ws', value: normalizeRelayUrl(definition.url), ...(tls && { tls }) }],
    enabled: state === 'running',
    metadata: { ...record },
  }
}

/** A relay without a name of its own is called by its URL; the id we gave it tells nobody anything. */
function nameOf({ id, url, labels }: ServerDefinition): string {
  const given = !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id)
  return labels.name ?? (given ? id : normalizeRelayUrl(url))
}

/**
 * The server a peer stands for; undefined for a peer that is none of ours (another plane's, or found in data), and why not
 * for one that was damaged.
 */
export function toRecord({ metadata }: Peer): ServerRecord | { readonly damage: string } | undefined {
  if (!('definition' in metadata)) return undefined
  const record = metadata as Partial<ServerRecord>
  const { definition, profile, manager, state, createdAt, updatedAt, cursor, adHoc } = record
  if (profile !== 'strict' && profile !== 'open') return { damage: 'its profile is neither strict nor open' }
  const checked = normalizeServer(definition, { profile })
  if (!checked.ok) {
    const what = checked.details.map(({ path, message }) => `${path} ${message}`.trim()).join('; ')
    return { damage: `its definition does not hold: ${what}` }
  }
  if (typeof manager !== 'string') return { damage: 'it does not say whose it is' }
  return {
    manager,
    definition: checked.value,
    profile,
    // What is not a state never started anything.
    state: state === 'running' ? 'running' : 'stopped',
    createdAt: Number.isSafeInteger(createdAt) ? (createdAt as number) : 0,
    updatedAt: Number.isSafeInteger(updatedAt) ? (updatedAt as number) : 0,
    cursor: cursor ?? null,
    adHoc: adHoc === true,
  }
}
