import { z } from 'zod'
import type { Database } from '../../database.ts'
import { DocumentError } from '../../document-error.ts'
import { type DatabaseId, parseId } from '../../entry/entry-id.ts'
import { type PublicKey, parsePublicKey } from '../../entry/key-pair.ts'
import { type SyncAddress, sameAddress, syncAddressSchema } from '../sync-address.ts'
import { RecordTable } from './record-table.ts'

const peerSchema = z.object({
  key: z.string().transform((text) => parsePublicKey(text)),
  display_name: z.string().optional(),
  /** A blocked peer is not served, not dialled and not shown. */
  status: z.enum(['active', 'blocked']),
  /** Tried in this order. */
  addresses: z.array(syncAddressSchema),
  /** Milliseconds since 1970. */
  first_seen: z.number(),
})

export type PeerInfo = z.infer<typeof peerSchema>

const relationshipSchema = z.object({
  peer: z.string().transform((text) => parsePublicKey(text)),
  tree: z.string().transform((text) => parseId(text)),
})

/** A database that is kept in step with a peer. */
export type Relationship = z.infer<typeof relationshipSchema>

/** A peer may name new addresses as often as it likes; the oldest it named give way. */
const maxAddresses = 16

/** Peers, and which databases are synced with whom: what is meant to be, as opposed to how it is going. */
export class PeerRecords {
  readonly #peers: RecordTable<PeerInfo>
  readonly #relationships: RecordTable<Relationship>
  readonly #now: () => number
  readonly #listeners = new Set<() => void>()

  private constructor(
    peers: RecordTable<PeerInfo>,
    relationships: RecordTable<Relationship>,
    now: () => number,
  ) {
    this.#peers = peers
    this.#relationships = relationships
    this.#now = now
  }

  static async open(database: Database, now: () => number): Promise<PeerRecords> {
    const peers = await RecordTable.open(database, 'peers', peerSchema)
    const relationships = await RecordTable.open(database, 'relationships', relationshipSchema)
    return new PeerRecords(peers, relationships, now)
  }

  /** Calls the listener after every change. Dispose what it answers to stop. */
  onChange(listener: () => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }

  /** Undefined when it is unknown or blocked. */
  peer(key: PublicKey): PeerInfo | undefined {
    const peer = this.#peers.get(key)
    return peer?.status === 'active' ? peer : undefined
  }

  isBlocked(key: PublicKey): boolean {
    return this.#peers.get(key)?.status === 'blocked'
  }

  /** Records of all peers, blocked ones too. */
  get count(): number {
    return this.#peers.size
  }

  /** All that are not blocked, in no particular order. */
  peers(): readonly PeerInfo[] {
    return [...this.#peers.values()].filter(({ status }) => status === 'active')
  }

  /** Makes the peer known, or known again after it was removed; one that is known stays as it is. */
  async register(key: PublicKey, displayName?: string): Promise<PeerInfo> {
    const name = displayName === undefined ? {} : { display_name: displayName }
    const peer = await this.#changed<PeerInfo>(this.#peers, key, (peer) => {
      if (peer?.status === 'active') return peer
      const fresh = { key, addresses: [], first_seen: this.#now(), ...name }
      return { ...(peer ?? fresh), ...name, status: 'active' }
    })
    return peer!
  }

  /** Blocks the peer and ends its relationships. Throws `document/unknown-peer`. */
  async remove(key: PublicKey): Promise<void> {
    await this.#change(key, (peer) => ({ ...peer, status: 'blocked', addresses: [] }))
    for (const { tree } of this.#of(({ peer }) => peer === key)) await this.unrelate(key, tree)
  }

  /** Adds addresses at the end that are not there yet. Throws `document/unknown-peer`. */
  async addAddresses(key: PublicKey, addresses: readonly SyncAddress[]): Promise<void> {
    await this.#change(key, (peer) => {
      const added = addresses.filter((a, i) => {
        return ![...peer.addresses, ...addresses.slice(0, i)].some((b) => sameAddress(a, b))
      })
      if (added.length === 0) return peer
      return { ...peer, addresses: [...peer.addresses, ...added].slice(-maxAddresses) }
    })
  }

  /** Whether it was there. Throws `document/unknown-peer`. */
  async removeAddress(key: PublicKey, address: SyncAddress): Promise<boolean> {
    let was = false
    await this.#change(key, (peer) => {
      const addresses = peer.addresses.filter((other) => !sameAddress(other, address))
      was = addresses.length < peer.addresses.length
      return was ? { ...peer, addresses } : peer
    })
    return was
  }

  /** Empty for a peer that is not known. */
  addresses(key: PublicKey, type?: string): readonly SyncAddress[] {
    const addresses = this.peer(key)?.addresses ?? []
    return type === undefined ? addresses : addresses.filter((address) => address.type === type)
  }

  /** Throws `document/unknown-peer`. */
  async relate(peer: PublicKey, tree: DatabaseId): Promise<void> {
    if (this.peer(peer) === undefined) throw unknown(peer)
    await this.#changed(this.#relationships, nameOf(peer, tree), (known) => known ?? { peer, tree })
  }

  async unrelate(peer: PublicKey, tree: DatabaseId): Promise<void> {
    await this.#changed(this.#relationships, nameOf(peer, tree), () => undefined)
  }

  isRelated(peer: PublicKey, tree: DatabaseId): boolean {
    return this.#relationships.get(nameOf(peer, tree)) !== undefined
  }

  peersOf(tree: DatabaseId): readonly PublicKey[] {
    return this.#of((relationship) => relationship.tree === tree).map(({ peer }) => peer)
  }

  treesOf(peer: PublicKey): readonly DatabaseId[] {
    return this.#of((relationship) => relationship.peer === peer).map(({ tree }) => tree)
  }

  relationships(): readonly Relationship[] {
    return [...this.#relationships.values()]
  }

  async #changed<Row>(
    records: RecordTable<Row>,
    key: string,
    change: (row: Row | undefined) => Row | undefined,
  ): Promise<Row | undefined> {
    let before: Row | undefined
    const after = await records.update(key, (row) => {
      before = row
      return change(row)
    })
    if (after !== before) for (const listener of this.#listeners) listener()
    return after
  }

  #of(matches: (relationship: Relationship) => boolean): readonly Relationship[] {
    return this.relationships().filter(matches)
  }

  async #change(key: PublicKey, change: (peer: PeerInfo) => PeerInfo): Promise<void> {
    if (this.peer(key) === undefined) throw unknown(key)
    await this.#changed(this.#peers, key, (peer) => (peer?.status === 'active' ? change(peer) : peer))
  }
}

function nameOf(peer: PublicKey, tree: DatabaseId): string {
  return `${peer}|${tree}`
}

function unknown(key: PublicKey): DocumentError {
  return new DocumentError('document/unknown-peer', `the peer ${key} is not known, or was removed`)
}
