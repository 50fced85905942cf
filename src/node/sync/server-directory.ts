import { randomUUID } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { Clock } from '../../kernel/clock.ts'
import { type HealthRecord, observe, unknownHealth } from '../../kernel/health.ts'
import { type Direction, type Link, type LinkId, linkId } from '../../kernel/link.ts'
import type { Peer } from '../../kernel/peer.ts'
import { initialRun, type RunRecord, step } from '../../kernel/run.ts'
import type { Store, Unreadable } from '../../kernel/store.ts'
import { SyncError } from '../../kernel/sync-error.ts'
import { toLinks } from '../../planes/events/definition/definition-links.ts'
import { normalizeRelayUrl } from '../../planes/events/definition/relay-url.ts'
import type { ServerDefinition } from '../../planes/events/definition/server-definition.ts'
import type { Filter } from '../../planes/events/filter.ts'
import { canonicalFilter } from '../../planes/events/filter-hash.ts'
import type { EventsScope } from '../../planes/events/sync/attempt-state.ts'
import { checkpointSchema } from '../../planes/events/sync/checkpoint.ts'
import { type Interval, uncover } from '../../planes/events/sync/coverage.ts'
import { isRetired, planLinks, toLink } from './link-plan.ts'
import { defaultManager, type ServerRecord, serverPeerId, toPeer, toRecord } from './server-record.ts'

export interface LinkEntry {
  readonly link: Link
  readonly run: RunRecord
  readonly outbox: { readonly pending: number; readonly dead: number }
  readonly checkpoint: unknown
}

/** A server with everything that is known about it. */
export interface ServerEntry {
  readonly record: ServerRecord
  readonly peer: Peer
  readonly health: HealthRecord
  /** Without those that are retired. */
  readonly links: readonly LinkEntry[]
}

/** What a change came to. `interrupted`: links whose running attempt runs by an old wish. */
export interface Change {
  readonly before: ServerEntry | undefined
  readonly after: ServerEntry
  readonly interrupted: readonly LinkId[]
}

/** Without `state` it runs or not as the definition and what it did so far say. */
export type ServerWish = Omit<ServerRecord, 'createdAt' | 'updatedAt' | 'state'> & {
  readonly state?: ServerRecord['state'] | undefined
}

/** A link with how far it got, whatever the ids of here. */
export interface SavedLink {
  readonly direction: Direction
  readonly filter: Filter
  readonly checkpoint?: unknown
  readonly retiredAt?: number | undefined
}

/** The servers of all managers, as peers and links of the store. */
export class ServerDirectory<Tx> {
  readonly #store: Store<Tx>
  readonly #clock: Clock

  constructor(store: Store<Tx>, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  /**
   * Makes the server what the record says. An equal one changes nothing, not even the time it was changed. What fails or
   * waits of a changed link starts anew; events stay whatever happens.
   */
  put(wish: ServerWish): Promise<Change> {
    const { manager, definition } = wish
    return this.#store.transaction(async (tx) => {
      const before = await this.#entryOf(tx, await this.#peer(tx, manager, definition.id))
      const known = before?.record
      const after: ServerRecord = {
        ...wish,
        state: wish.state ?? stateAfter(known, definition),
        createdAt: known?.createdAt ?? this.#clock.now(),
        updatedAt: this.#clock.now(),
      }
      if (known !== undefined && isDeepStrictEqual({ ...after, updatedAt: known.updatedAt }, known))
        return { before, after: before!, interrupted: [] }
      return this.#save(tx, before, after)
    })
  }

  /** Starts or stops it, and says so in its definition where that said otherwise. */
  setState(manager: string, id: string, state: ServerRecord['state']): Promise<Change | undefined> {
    return this.#store.transaction(async (tx) => {
      const before = await this.#entryOf(tx, await this.#peer(tx, manager, id))
      if (before === undefined) return undefined
      const { record } = before
      const definition = state === 'running' ? { ...record.definition, 'enabled?': true } : record.definition
      const change = await this.#save(tx, before, { ...record, definition, state })
      if (state === 'running')
        await this.#forgive(
          tx,
          before,
          before.links.map(({ link }) => link.id),
        )
      return change
    })
  }

  /** Events stay. False when there is none. */
  remove(manager: string, id: string): Promise<boolean> {
    return this.#store.transaction((tx) => this.#store.peers.remove(tx, serverPeerId(manager, id)))
  }

  find(manager: string, id: string): Promise<ServerEntry | undefined> {
    return this.#store.read(async (tx) => this.#entryOf(tx, await this.#peer(tx, manager, id)))
  }

  /** By its id, else by its URL in any spelling. */
  resolve(idOrUrl: string): Promise<ServerEntry | undefined> {
    return this.#store.read(async (tx) => {
      const [entry] = await this.#atUrl(tx, idOrUrl)
      if (entry !== undefined) return entry
      return this.#entryOf(tx, await this.#peer(tx, defaultManager, idOrUrl))
    })
  }

  atUrl(url: string): Promise<readonly ServerEntry[]> {
    return this.#store.read((tx) => this.#atUrl(tx, url))
  }

  /** Undefined when it is gone, or none of ours. */
  ofLink({
    id,
    peer,
  }: Link): Promise<{ readonly record: ServerRecord; readonly entry: LinkEntry } | undefined> {
    return this.#store.read(async (tx) => {
      const found = await this.#entryOf(tx, await this.#store.peers.get(tx, peer))
      const entry = found?.links.find(({ link }) => link.id === id)
      return found && entry && { record: found.record, entry }
    })
  }

  /** Sorted by id; of all managers where none is named. */
  list(manager?: string): Promise<readonly ServerEntry[]> {
    return this.#store.read(async (tx) => {
      const entries: ServerEntry[] = []
      for (const peer of await this.#store.peers.list(tx)) {
        const entry = await this.#entryOf(tx, peer)
        if (entry !== undefined && (manager ?? entry.record.manager) === entry.record.manager)
          entries.push(entry)
      }
      return entries.toSorted((a, b) => (a.record.definition.id < b.record.definition.id ? -1 : 1))
    })
  }

  /** Stored servers that cannot be used as they are, by id. */
  quarantined(): Promise<readonly Unreadable[]> {
    return this.#store.read(async (tx) => {
      const damaged = (await this.#store.peers.list(tx)).flatMap((peer) => {
        const record = toRecord(peer)
        return record !== undefined && 'damage' in record
          ? [{ id: String(peer.id), reason: record.damage }]
          : []
      })
      return [...damaged, ...(await this.#store.peers.unreadable(tx))].toSorted((a, b) =>
        a.id < b.id ? -1 : 1,
      )
    })
  }

  /** Forgets checkpoints and counts of the servers, also of links that retired; their run history stays. */
  reset(entries: readonly ServerEntry[]): Promise<void> {
    return this.#store.transaction(async (tx) => {
      for (const { peer } of entries)
        for (const { id } of await this.#store.links.list(tx, peer.id)) {
          await this.#store.links.saveCheckpoint(tx, id, undefined)
          await this.#store.links.saveRun(tx, id, initialRun)
        }
    })
  }

  /** All links of a server with their progress, also those that retired. */
  savedLinks({ peer }: ServerEntry): Promise<readonly SavedLink[]> {
    const { links } = this.#store
    return this.#store.read(async (tx) => {
      const saved: SavedLink[] = []
      for (const { id, direction, scope, retiredAt } of await links.list(tx, peer.id)) {
        const { filter } = scope as EventsScope
        saved.push({ direction, filter, retiredAt, checkpoint: await links.checkpoint(tx, id) })
      }
      return saved
    })
  }

  /** Gives the links of a server back how far they got. Those it has no more come back as retired. */
  restoreLinks({ peer }: ServerEntry, saved: readonly SavedLink[]): Promise<void> {
    const { links } = this.#store
    return this.#store.transaction(async (tx) => {
      for (const { direction, filter, checkpoint, retiredAt = this.#clock.now() } of saved) {
        const key = canonicalFilter(filter)
        const known = await links.find(tx, peer.id, 'events', direction, key)
        const wish = { direction, filter, live: false, schedule: undefined }
        const link = known ?? {
          ...toLink(wish, key, peer.id, linkId(randomUUID())),
          enabled: false,
          retiredAt,
        }
        if (known === undefined) await links.put(tx, link)
        await links.saveCheckpoint(tx, link.id, checkpoint)
      }
    })
  }

  /** Takes seconds out of what links have covered; nothing may run for them. */
  uncover(ids: readonly LinkId[], range: Interval): Promise<void> {
    const { links } = this.#store
    return this.#store.transaction(async (tx) => {
      for (const id of ids) {
        const checkpoint = checkpointSchema.safeParse(await links.checkpoint(tx, id)).data
        if (checkpoint === undefined) continue
        const coverage = uncover(checkpoint.coverage, range)
        await links.saveCheckpoint(tx, id, { ...checkpoint, coverage })
      }
    })
  }

  /** Drops what retired before that time. Answers how many links. */
  dropRetired(before: number): Promise<number> {
    return this.#store.transaction(async (tx) => {
      const old = (await this.#store.links.list(tx)).filter(({ retiredAt }) => (retiredAt ?? before) < before)
      for (const { id } of old) await this.#store.links.remove(tx, id)
      return old.length
    })
  }

  /** The link for a sync on demand; made, with its server, when there is none. It never runs by itself. */
  onDemand(definition: ServerDefinition, direction: Direction, filter: Filter): Promise<Link> {
    const { peers, links } = this.#store
    return this.#store.transaction(async (tx) => {
      let [peer] = (await this.#atUrl(tx, definition.url)).map((entry) => entry.peer)
      if (peer === undefined) {
        const now = this.#clock.now()
        const times = { createdAt: now, updatedAt: now, cursor: null }
        const record = { manager: defaultManager, definition, profile: 'open', state: 'stopped' } as const
        peer = toPeer({ ...record, ...times, adHoc: true })
        await peers.put(tx, peer)
      }
      const key = canonicalFilter(filter)
      const known = await links.find(tx, peer.id, 'events', direction, key)
      if (known !== undefined && !isRetired(known)) return known
      const wish = { direction, filter, live: false, schedule: undefined }
      const link = toLink(wish, key, peer.id, known?.id ?? linkId(randomUUID()))
      await links.put(tx, link)
      return link
    })
  }

  async #save(tx: Tx, before: ServerEntry | undefined, record: ServerRecord): Promise<Change> {
    const { peers, links } = this.#store
    const peer = toPeer(record)
    await peers.put(tx, peer)
    const moved = before !== undefined && before.peer.addresses[0]?.value !== peer.addresses[0]?.value
    // What was found complete at the old address says nothing about the new one.
    if (moved) for (const { id } of await links.list(tx, peer.id)) await links.remove(tx, id)
    const plan = planLinks({
      existing: await links.list(tx, peer.id),
      defined: toLinks(record.definition),
      peer: peer.id,
      now: this.#clock.now(),
      newId: () => linkId(randomUUID()),
    })
    for (const link of plan.put) await links.put(tx, link)
    const old = before?.links.map(({ link }) => link.id) ?? []
    const everything = before !== undefined && (moved || !peer.enabled || interrupts(before.record, record))
    const interrupted = everything ? old : old.filter((id) => plan.changed.has(id))
    if (before !== undefined && !moved) await this.#forgive(tx, before, interrupted)
    return { before, after: await this.#entry(tx, peer, record), interrupted }
  }

  /** Failures so far were another wish's: what waits because of them is due at once. */
  async #forgive(tx: Tx, { peer, health }: ServerEntry, ids: readonly LinkId[]): Promise<void> {
    const { links, peers } = this.#store
    if (ids.length === 0) return
    await peers.saveHealth(tx, peer.id, observe(health, { kind: 'forgiven' }))
    for (const id of ids) {
      const run = await links.run(tx, id)
      if (run?.state === 'waiting' || run?.state === 'blocked')
        await links.saveRun(tx, id, step(run, { kind: 'resume', at: this.#clock.now() }))
    }
  }

  /** Undefined also when it cannot be read. */
  async #peer(tx: Tx, manager: string, id: string): Promise<Peer | undefined> {
    try {
      return await this.#store.peers.get(tx, serverPeerId(manager, id))
    } catch (error) {
      if (error instanceof SyncError && error.code === 'store/corrupt') return undefined
      throw error
    }
  }

  async #atUrl(tx: Tx, text: string): Promise<readonly ServerEntry[]> {
    if (!URL.canParse(text)) return []
    const { protocol } = new URL(text)
    if (protocol !== 'ws:' && protocol !== 'wss:') return []
    const entries: ServerEntry[] = []
    for (const peer of await this.#store.peers.findByAddress(tx, 'ws', normalizeRelayUrl(text))) {
      const entry = await this.#entryOf(tx, peer)
      if (entry?.record.manager === defaultManager) entries.push(entry)
    }
    return entries
  }

  async #entryOf(tx: Tx, peer: Peer | undefined): Promise<ServerEntry | undefined> {
    const record = peer && toRecord(peer)
    if (peer === undefined || record === undefined || 'damage' in record) return undefined
    return this.#entry(tx, peer, record)
  }

  async #entry(tx: Tx, peer: Peer, record: ServerRecord): Promise<ServerEntry> {
    const { peers, links, outbox } = this.#store
    const entries: LinkEntry[] = []
    for (const link of await links.list(tx, peer.id)) {
      if (isRetired(link)) continue
      entries.push({
        link,
        run: (await links.run(tx, link.id)) ?? initialRun,
        outbox: await outbox.count(tx, link.id),
        checkpoint: await links.checkpoint(tx, link.id),
      })
    }
    return { record, peer, health: (await peers.health(tx, peer.id)) ?? unknownHealth, links: entries }
  }
}

function stateAfter(known: ServerRecord | undefined, definition: ServerDefinition): ServerRecord['state'] {
  const wish = definition['enabled?']
  if (known !== undefined && known.definition['enabled?'] === wish) return known.state
  return wish ? 'running' : 'stopped'
}

/** Whether every link has to start anew. What its links follow from is compared link by link; the rest is only shown. */
function interrupts(before: ServerRecord, after: ServerRecord): boolean {
  const essence = ({ definition, profile }: ServerRecord) => {
    const { metadata, notes, labels, 'enabled?': enabled, ...shown } = definition
    const { filters, upload_filters, direction, schedule, ...essential } = shown
    return { profile, ...essential }
  }
  return !isDeepStrictEqual(essence(before), essence(after))
}
