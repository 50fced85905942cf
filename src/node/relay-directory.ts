import { randomUUID } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { HealthRecord } from '../kernel/health.ts'
import { unknownHealth } from '../kernel/health.ts'
import { type Direction, type Link, linkId } from '../kernel/link.ts'
import { type Peer, peerId, type TlsSettings } from '../kernel/peer.ts'
import { initialRun, type RunRecord } from '../kernel/run.ts'
import type { Store } from '../kernel/store.ts'
import { SyncError } from '../kernel/sync-error.ts'
import { toLinks } from '../planes/events/definition/definition-links.ts'
import { normalizeRelayUrl } from '../planes/events/definition/relay-url.ts'
import type { ServerDefinition } from '../planes/events/definition/server-definition.ts'
import type { Filter } from '../planes/events/filter.ts'
import { canonicalFilter } from '../planes/events/filter-hash.ts'
import { definitionTls } from './definition-tls.ts'

/** What an operator says about one relay; everything but the URL has a default. */
export interface RelayDefinition {
  readonly url: string
  readonly name?: string | undefined
  readonly direction?: Direction | undefined
  /** Several filters are several links, each with its own checkpoint. Default: everything. */
  readonly filters?: readonly Filter[] | undefined
  readonly live?: boolean | undefined
  /** Sync again when due after it caught up: `5m`, `03:00`, or five cron fields, UTC. */
  readonly schedule?: string | undefined
  readonly enabled?: boolean | undefined
  /** How to know the relay by its certificate. A change names the settings it changes; null goes back to the default. */
  readonly tls?: TlsSettings | null | undefined
}

export interface RelayEntry {
  readonly peer: Peer
  readonly health: HealthRecord
  readonly links: readonly LinkEntry[]
}

export interface LinkEntry {
  readonly link: Link
  readonly run: RunRecord
  readonly outbox: { readonly pending: number; readonly dead: number }
  readonly checkpoint: unknown
}

/** How often relay.rb polls (spec events §4.6); a definition has no field for it. */
const pollSchedule = '5m'

/** The relays of the events plane as peers and links of the store. */
export class RelayDirectory<Tx> {
  readonly #store: Store<Tx>

  constructor(store: Store<Tx>) {
    this.#store = store
  }

  /** Adds a relay. Throws `config/invalid` when its URL is known already. */
  async add(definition: RelayDefinition): Promise<RelayEntry> {
    const url = normalizeRelayUrl(definition.url)
    return this.#store.transaction(async (tx) => {
      if ((await this.#store.peers.findByAddress(tx, 'ws', url)) !== undefined) {
        throw new SyncError(
          'config/invalid',
          `${url} is configured already; change it with "syncline relay set"`,
        )
      }
      const peer = newPeer(url, definition)
      await this.#store.peers.put(tx, peer)
      await this.#putLinks(tx, peer, definition)
      return this.#entry(tx, peer)
    })
  }

  /**
   * Makes the relay what its definition says; an equal one changes nothing. The definition is kept with the peer. Links that
   * stay keep their checkpoints.
   *
   * @throws SyncError `config/invalid` when its URL belongs to another relay
   */
  async putDefinition(definition: ServerDefinition, name: string): Promise<RelayEntry> {
    const { peers, links } = this.#store
    const url = normalizeRelayUrl(definition.url)
    return this.#store.transaction(async (tx) => {
      const other = await peers.findByAddress(tx, 'ws', url)
      if (other !== undefined && other.id !== definition.id)
        throw new SyncError('config/invalid', `${url} is configured already, as ${other.name} (${other.id})`)
      const known = await peers.get(tx, peerId(definition.id))
      if (known !== undefined && isDeepStrictEqual(known.metadata.definition, definition))
        return this.#entry(tx, known)
      const moved = known?.addresses[0]?.value !== url
      const tls = definitionTls(definition)
      const previous = known?.metadata.definition as ServerDefinition | undefined
      // TLS settings made by hand, pins above all, outlive a definition that says nothing about TLS and never did.
      const governs = tls !== undefined || (previous !== undefined && definitionTls(previous) !== undefined)
      const peer: Peer = {
        id: peerId(definition.id),
        name,
        addresses: known === undefined || moved || governs ? addressesOf(url, tls) : known.addresses,
        enabled: definition['enabled?'],
        metadata: { ...known?.metadata, definition },
      }
      await peers.put(tx, peer)
      // What was found complete at the old address says nothing about the new one.
      if (known !== undefined && moved)
        for (const link of await links.list(tx, peer.id)) await links.remove(tx, link.id)
      const live = definition.mode !== 'poll'
      const schedule = live ? undefined : pollSchedule
      const kept = new Set<string>()
      for (const { direction, filter } of toLinks(definition))
        for (const id of await this.#putLinks(tx, peer, {
          url,
          direction,
          filters: [filter],
          live,
          schedule,
        }))
          kept.add(id)
      for (const link of await links.list(tx, peer.id))
        if (!kept.has(link.id)) await links.remove(tx, link.id)
      return this.#entry(tx, peer)
    })
  }

  /** Changes what `definition` names and leaves the rest; links that no longer belong to it are removed. */
  async set(definition: RelayDefinition): Promise<RelayEntry> {
    const url = normalizeRelayUrl(definition.url)
    return this.#store.transaction(async (tx) => {
      const peer = await this.#known(tx, url)
      const links = await this.#store.links.list(tx, peer.id)
      const first = links[0]
      const merged: RelayDefinition = {
        url,
        name: definition.name ?? peer.name,
        enabled: definition.enabled ?? peer.enabled,
        direction: definition.direction ?? first?.direction,
        filters: definition.filters ?? links.map((link) => (link.scope as { filter: Filter }).filter),
        live: definition.live ?? first?.live,
        schedule: definition.schedule ?? first?.schedule,
      }
      // What is changed by hand is no longer what its definition says; putting that again must not look like no change.
      const { definition: _, ...metadata } = peer.metadata
      const addresses = definition.tls === undefined ? peer.addresses : addressesOf(url, definition.tls)
      const changed: Peer = {
        ...peer,
        name: merged.name ?? url,
        enabled: merged.enabled ?? true,
        addresses,
        metadata,
      }
      await this.#store.peers.put(tx, changed)
      const kept = await this.#putLinks(tx, changed, merged)
      for (const link of links) if (!kept.has(link.id)) await this.#store.links.remove(tx, link.id)
      return this.#entry(tx, changed)
    })
  }

  /** Removes the relay with its links and checkpoints; events stay. */
  async remove(url: string): Promise<void> {
    const normal = normalizeRelayUrl(url)
    await this.#store.transaction(async (tx) => {
      await this.#store.peers.remove(tx, (await this.#known(tx, normal)).id)
    })
  }

  /** Undefined when neither this id nor this URL is known; the id comes first. */
  find({ id, url }: { readonly id: string; readonly url: string }): Promise<RelayEntry | undefined> {
    const { peers } = this.#store
    return this.#store.read(async (tx) => {
      const peer =
        (await peers.get(tx, peerId(id))) ?? (await peers.findByAddress(tx, 'ws', normalizeRelayUrl(url)))
      return peer && this.#entry(tx, peer)
    })
  }

  show(url: string): Promise<RelayEntry> {
    const normal = normalizeRelayUrl(url)
    return this.#store.read(async (tx) => this.#entry(tx, await this.#known(tx, normal)))
  }

  list(): Promise<readonly RelayEntry[]> {
    return this.#store.read(async (tx) => {
      const entries: RelayEntry[] = []
      for (const peer of await this.#store.peers.list(tx)) entries.push(await this.#entry(tx, peer))
      return entries
    })
  }

  /** Forgets checkpoint and history of the links given; what was synced stays. */
  async reset(links: readonly Link[]): Promise<void> {
    await this.#store.transaction(async (tx) => {
      for (const { id } of links) {
        await this.#store.links.saveCheckpoint(tx, id, undefined)
        await this.#store.links.saveRun(tx, id, initialRun)
      }
    })
  }

  /** The link for a sync on demand; made, with its relay, when there is none. It never runs by itself. */
  async onDemand(url: string, direction: Direction, filter: Filter): Promise<Link> {
    const normal = normalizeRelayUrl(url)
    return this.#store.transaction(async (tx) => {
      const { peers, links } = this.#store
      let peer = await peers.findByAddress(tx, 'ws', normal)
      if (peer === undefined) {
        peer = newPeer(normal, { url })
        await peers.put(tx, peer)
      }
      const known = await links.find(tx, peer.id, 'events', direction, canonicalFilter(filter))
      if (known !== undefined) return known
      const link = newLink(peer, direction, filter, false, undefined)
      await links.put(tx, link)
      return link
    })
  }

  async #known(tx: Tx, url: string): Promise<Peer> {
    const peer = await this.#store.peers.findByAddress(tx, 'ws', url)
    if (peer === undefined)
      throw new SyncError('config/invalid', `no relay ${url} is configured; "syncline relay list" shows all`)
    return peer
  }

  async #putLinks(tx: Tx, peer: Peer, definition: RelayDefinition): Promise<Set<string>> {
    const { links } = this.#store
    const kept = new Set<string>()
    const direction = definition.direction ?? 'both'
    for (const filter of definition.filters ?? [{}]) {
      const known = await links.find(tx, peer.id, 'events', direction, canonicalFilter(filter))
      const live = definition.live ?? definition.schedule === undefined
      const link = known ?? newLink(peer, direction, filter, live, definition.schedule)
      await links.put(tx, { ...link, live, schedule: definition.schedule })
      kept.add(link.id)
    }
    return kept
  }

  async #entry(tx: Tx, peer: Peer): Promise<RelayEntry> {
    const { peers, links, outbox } = this.#store
    const entries: LinkEntry[] = []
    for (const link of await links.list(tx, peer.id)) {
      entries.push({
        link,
        run: (await links.run(tx, link.id)) ?? initialRun,
        outbox: await outbox.count(tx, link.id),
        checkpoint: await links.checkpoint(tx, link.id),
      })
    }
    return { peer, health: (await peers.health(tx, peer.id)) ?? unknownHealth, links: entries }
  }
}

function addressesOf(url: string, tls: TlsSettings | null | undefined): Peer['addresses'] {
  return [{ transport: 'ws', value: url, ...(tls && { tls }) }]
}

function newPeer(url: string, { name, enabled, tls }: RelayDefinition): Peer {
  return {
    id: peerId(randomUUID()),
    name: name ?? url,
    addresses: addressesOf(url, tls),
    enabled: enabled ?? true,
    metadata: {},
  }
}

function newLink(
  peer: Peer,
  direction: Direction,
  filter: Filter,
  live: boolean,
  schedule: string | undefined,
): Link {
  return {
    id: linkId(randomUUID()),
    peer: peer.id,
    plane: 'events',
    scope: { filter },
    scopeKey: canonicalFilter(filter),
    direction,
    live,
    enabled: true,
    schedule,
  }
}
