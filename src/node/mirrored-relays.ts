import { randomUUID } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { type Link, linkId } from '../kernel/link.ts'
import { type Peer, type PeerId, peerId } from '../kernel/peer.ts'
import { defaultRetryPolicy, type RetryPolicy } from '../kernel/retry.ts'
import type { Store } from '../kernel/store.ts'
import type { Filter } from '../planes/events/filter.ts'
import { canonicalFilter } from '../planes/events/filter-hash.ts'
import type { PlannedChunk } from '../planes/events/proactive/chunk-plan.ts'
import type {
  MirrorChange,
  MirrorDirectory,
  MirroredChunk,
  MirrorRelay,
} from '../planes/events/proactive/mirror-directory.ts'
import type { Profile } from '../planes/events/proactive/profile.ts'
import { checkpointSchema, type EventsCheckpoint, type Learned } from '../planes/events/sync/checkpoint.ts'
import { sharedCheckpoint } from '../planes/events/sync/shared-checkpoint.ts'
import { filterBytes, liveBudget } from './relay-limits.ts'

/** What a link that a profile derived keeps with its filter. */
interface MirrorScope {
  readonly filter: Filter
  readonly mirror: {
    readonly profile: string
    readonly layer: string
    /** The same for all links of a chunk. */
    readonly chunk: string
    /** Which of the layer's filters it is. */
    readonly part: number
    readonly values: readonly string[]
  }
}

export interface MirroredRelaysOptions<Tx> {
  readonly store: Store<Tx>
  /** Relays that data names are reached at public addresses only, unless the operator's own network is meant. */
  readonly privateAddresses: boolean
  /** Ends the attempt of a link that is about to go. */
  readonly cancel: (link: Link) => Promise<void>
  /** Links of this peer changed. */
  readonly wake: (peer: PeerId) => void
}

/** Relays of strangers are asked less often than those an operator named (specs proactive §7.2). */
export const mirrorRetry: RetryPolicy = {
  ...defaultRetryPolicy,
  initialMs: 5_000,
  maxMs: 3_600_000,
  stableMs: 300_000,
  dead: { afterMs: 86_400_000, everyMs: 86_400_000 },
}

/** How often what no subscription is left for is asked again. */
const overflowSchedule = '10m'

/**
 * The relays that profiles mirror, as peers and links of the store. Each is a peer of its own, also where an operator added the
 * same relay: what he says about his, nobody else changes, and what data says ends with the data.
 */
export class MirroredRelays<Tx> implements MirrorDirectory {
  readonly #options: MirroredRelaysOptions<Tx>

  constructor(options: MirroredRelaysOptions<Tx>) {
    this.#options = options
  }

  async relays(profile: string): Promise<readonly MirrorRelay[]> {
    const { store } = this.#options
    return store.read(async (tx) => {
      const byPeer = Map.groupBy(await store.links.list(tx), ({ peer }) => peer)
      const relays: MirrorRelay[] = []
      for (const peer of await store.peers.list(tx)) {
        if (!isMirrored(peer)) continue
        const url = peer.addresses[0]?.value
        const links = (byPeer.get(peer.id) ?? []).filter((link) => mirrorOf(link)?.profile === profile)
        if (url !== undefined && (links.length > 0 || profilesOf(peer).includes(profile))) {
          // A chunk is up to three subscriptions: with more of them, some would only be asked by schedule, long after the event.
          const learned = await this.#learned(tx, byPeer.get(peer.id) ?? [])
          const maxChunks = Math.max(4, Math.floor(liveBudget(learned) / 3))
          relays.push({ url, chunks: chunksOf(links), maxChunks, maxFilterBytes: filterBytes(learned) })
        }
      }
      return relays
    })
  }

  async change(profile: Profile, { url, isBootstrap, add, drop }: MirrorChange): Promise<void> {
    const { store, cancel, wake } = this.#options
    const gone = new Set(drop.map(({ id }) => id))
    const links = await store.read(async (tx) => {
      return store.links.list(tx, mirroredId(url))
    })
    // An attempt still running would find its link gone; ending it first keeps what it has committed.
    for (const link of links) if (gone.has(mirrorOf(link)?.chunk ?? '')) await cancel(link)
    const shifted = await store.transaction(async (tx) => {
      const peer = await this.#peer(tx, url, profile.name, isBootstrap)
      const known = new Map<string, EventsCheckpoint>()
      for (const link of await store.links.list(tx, peer.id)) {
        const mirror = mirrorOf(link)
        if (mirror === undefined) continue
        const saved = checkpointSchema.safeParse(await store.links.checkpoint(tx, link.id))
        if (saved.success) known.set(`${mirror.chunk} ${mirror.part}`, saved.data)
        if (gone.has(mirror.chunk)) await store.links.remove(tx, link.id)
      }
      for (const chunk of add) await this.#add(tx, peer, profile, chunk, known)
      return this.#spendBudget(tx, peer, profile)
    })
    for (const link of shifted) await cancel(link)
    wake(mirroredId(url))
  }

  async remove(profile: string, url: string): Promise<void> {
    const { store } = this.#options
    await store.transaction(async (tx) => {
      const peer = await store.peers.get(tx, mirroredId(url))
      if (peer === undefined) return
      const profiles = profilesOf(peer).filter((name) => name !== profile)
      if (profiles.length === 0) await store.peers.remove(tx, peer.id)
      else await store.peers.put(tx, { ...peer, metadata: { mirrored: { profiles } } })
    })
  }

  async #peer(tx: Tx, url: string, profile: string, isBootstrap: boolean): Promise<Peer> {
    const { store, privateAddresses } = this.#options
    const known = await store.peers.get(tx, mirroredId(url))
    const profiles = known === undefined ? [] : profilesOf(known)
    const publicOnly = !privateAddresses && !isBootstrap
    const peer: Peer = {
      id: mirroredId(url),
      name: url,
      addresses: [{ transport: 'ws', value: url, ...(publicOnly && { publicOnly }) }],
      enabled: true,
      metadata: { mirrored: { profiles: [...new Set([...profiles, profile])] } },
    }
    if (!isDeepStrictEqual(peer, known)) await store.peers.put(tx, peer)
    return peer
  }

  /** The first layers stay open; what goes beyond the budget of the relay is asked by schedule, and no event of it is lost. */
  async #spendBudget(tx: Tx, peer: Peer, { layers }: Profile): Promise<readonly Link[]> {
    const { store } = this.#options
    const rank = (link: Link) => layers.findIndex(({ name }) => name === mirrorOf(link)?.layer)
    const links = (await store.links.list(tx, peer.id)).filter((link) => mirrorOf(link) !== undefined)
    const sorted = links.toSorted((a, b) => rank(a) - rank(b) || (a.id < b.id ? -1 : 1))
    const budget = liveBudget(await this.#learned(tx, sorted))
    const shifted = sorted.filter((link, at) => link.live !== at < budget)
    for (const link of shifted) {
      const live = !link.live
      await store.links.put(tx, { ...link, live, schedule: live ? undefined : overflowSchedule })
    }
    return shifted
  }

  /** What is known of the relay of these links: the first that was connected tells. */
  async #learned(tx: Tx, links: readonly Link[]): Promise<Learned | undefined> {
    for (const { id } of links) {
      const saved = checkpointSchema.safeParse(await this.#options.store.links.checkpoint(tx, id))
      if (saved.data?.learned !== undefined) return saved.data.learned
    }
    return undefined
  }

  async #add(
    tx: Tx,
    peer: Peer,
    profile: Profile,
    { layer, values, from }: PlannedChunk<MirroredChunk>,
    known: ReadonlyMap<string, EventsCheckpoint>,
  ): Promise<void> {
    const { links } = this.#options.store
    const chunk = randomUUID()
    const filters = profile.layers.find(({ name }) => name === layer)?.filters(values) ?? []
    for (const [part, filter] of filters.entries()) {
      // Two profiles may ask a relay the same, and each of them gives it up in its own time.
      const scopeKey = `${profile.name} ${canonicalFilter(filter)}`
      const scope: MirrorScope = { filter, mirror: { profile: profile.name, layer, chunk, part, values } }
      const link: Link = {
        id: linkId(randomUUID()),
        peer: peer.id,
        plane: 'events',
        scope,
        scopeKey,
        direction: 'down',
        live: true,
        enabled: true,
        schedule: undefined,
      }
      await links.put(tx, link)
      const inherited = sharedCheckpoint(from.map(({ id }) => known.get(`${id} ${part}`)))
      if (inherited !== undefined) await links.saveCheckpoint(tx, link.id, inherited)
    }
  }
}

function mirrorOf({ scope }: Link): MirrorScope['mirror'] | undefined {
  return (scope as Partial<MirrorScope> | undefined)?.mirror
}

/** No slash is in the id of a server that an operator defines. */
function mirroredId(url: string): PeerId {
  return peerId(`mirrored/${url}`)
}

export function isMirrored({ metadata }: Peer): boolean {
  return 'mirrored' in metadata
}

function profilesOf({ metadata }: Peer): readonly string[] {
  return (metadata.mirrored as { readonly profiles?: readonly string[] } | undefined)?.profiles ?? []
}

function chunksOf(links: readonly Link[]): readonly MirroredChunk[] {
  const chunks = new Map<string, MirroredChunk>()
  for (const link of links) {
    const { chunk: id, layer, values } = mirrorOf(link)!
    chunks.set(id, { id, layer, values })
  }
  return [...chunks.values()]
}
