import { randomBytes } from 'node:crypto'
import { type Clock, systemClock } from '../../../kernel/clock.ts'
import { silentLogger } from '../../../kernel/logger.ts'
import { defaultRetryPolicy } from '../../../kernel/retry.ts'
import { DocumentError } from '../document-error.ts'
import type { DatabaseId, EntryId } from '../entry/entry-id.ts'
import type { KeyPair, PublicKey } from '../entry/key-pair.ts'
import type { Instance } from '../instance.ts'
import { docStore } from '../stores/doc-store.ts'
import type { SyncSettings } from '../users/sync-settings.ts'
import { Background } from './background.ts'
import { PeerClient } from './client/peer-client.ts'
import { type Transfer, TreeSync } from './client/tree-sync.ts'
import type { SyncAttempt } from './records/link-states.ts'
import type { PeerRecords } from './records/peer-records.ts'
import type { AccessDesk } from './responder/access-desk.ts'
import type { SyncAddress } from './sync-address.ts'
import { SyncHandle, type SyncStatus } from './sync-handle.ts'
import type { AccessAnswer, AccessWish, PlannedSync, SyncOptions, SyncPeerInfo } from './sync-options.ts'
import { openSyncParts, type SyncParts } from './sync-parts.ts'
import type { DatabaseTicket } from './ticket.ts'
import type { MessageHandler, TransportBuilder } from './transport/sync-transport.ts'

/**
 * Keeps databases in step with peers. Nothing is served before `acceptConnections`, and nothing happens by itself before
 * `start`. Dispose it: it may hold sockets and timers. The instance is the caller's.
 */
export class Sync implements AsyncDisposable {
  readonly #instance: Instance
  readonly #parts: SyncParts
  readonly #client: PeerClient
  readonly #background: Background
  readonly #options: SyncOptions
  readonly #clock: Clock
  readonly #accessKeys = new Map<DatabaseId, KeyPair>()
  readonly #running = new Map<string, Promise<unknown>>()
  readonly #resources = new AsyncDisposableStack()

  private constructor(instance: Instance, parts: SyncParts, options: SyncOptions) {
    this.#instance = instance
    this.#parts = parts
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#client = new PeerClient({
      device: instance.device,
      clock: this.#clock,
      random: options.randomBytes ?? randomBytes,
      transports: (type) => parts.transports.dialling(type),
      timeoutMs: options.timeoutMs ?? 30_000,
    })
    this.#background = new Background({
      clock: this.#clock,
      random: options.random ?? Math.random,
      log: options.log ?? silentLogger,
      retry: options.retry ?? defaultRetryPolicy,
      sync: (peer, tree, signal) => this.syncTree(peer, tree, signal),
      links: () => this.#links(),
      isBehind: async (peer, tree) => !(await this.status(peer, tree)).inStep,
    })
    this.#resources.use(parts.wishes)
    this.#resources.use(parts.transports)
    this.#resources.use(this.#background)
    this.#resources.use(instance.onWrite(({ database }) => this.#changed(database)))
    this.#resources.use(parts.wishes.onChange(() => this.#background.linksChanged()))
    this.#resources.use(parts.peers.onChange(() => this.#background.linksChanged()))
  }

  /** Opens the sync of an instance, with what it knew before. */
  static async open(instance: Instance, options: SyncOptions = {}): Promise<Sync> {
    const parts = await openSyncParts(instance, {
      ...options,
      clock: options.clock ?? systemClock,
      log: options.log ?? silentLogger,
      randomBytes: options.randomBytes ?? randomBytes,
    })
    return new Sync(instance, parts, options)
  }

  /** Peers, their addresses, and which databases are synced with whom. */
  get peers(): PeerRecords {
    return this.#parts.peers
  }

  /** Requests for access, and their decisions. */
  get access(): AccessDesk {
    return this.#parts.desk
  }

  /** Answers one message of the protocol: for servers that bring their own transport. */
  get handler(): MessageHandler {
    return this.#parts.handler
  }

  /** Begins to keep in step what is registered. */
  start(): Promise<void> {
    return this.#background.start()
  }

  registerTransport(name: string, builder: TransportBuilder): Promise<void> {
    return this.#parts.transports.register(name, builder)
  }

  /** Lets others dial this node, over all transports or one. Has to be said at every start. */
  async acceptConnections(name?: string): Promise<void> {
    await (name === undefined ? this.#parts.transports.listenAll() : this.#parts.transports.listen(name))
  }

  async stopAccepting(name?: string): Promise<void> {
    await (name === undefined ? this.#parts.transports.stopAll() : this.#parts.transports.stop(name))
  }

  /** Where others can dial this node. */
  addresses(name?: string): readonly SyncAddress[] {
    return this.#parts.transports.addresses(name)
  }

  /** What the node itself wants of the sync of a database, besides its users; undefined: nothing. */
  async setSyncSettings(tree: DatabaseId, settings: SyncSettings | undefined): Promise<void> {
    await this.#parts.wishes.setOwn(tree, settings)
  }

  /** What the node and its users want together. */
  syncSettings(tree: DatabaseId): Promise<SyncSettings> {
    return this.#parts.wishes.of(tree)
  }

  /** A setting of the application; not interpreted. */
  async setSetting(name: string, value: string): Promise<void> {
    await this.#parts.database.transact(async (tx) =>
      (await tx.getStore('settings', docStore)).set(name, value),
    )
  }

  getSetting(name: string): Promise<string | undefined> {
    return this.#parts.database.read(async (view) => {
      const value = (await view.getStore('settings', docStore)).get(name)
      return typeof value === 'string' ? value : undefined
    })
  }

  /** A ticket with every address of this node; without any when it does not accept connections. */
  createTicket(database: DatabaseId): DatabaseTicket {
    return { database, addresses: this.addresses(), peer: this.#instance.id }
  }

  /** Which key is shown for a database, where that is not the device's. Kept in memory only. */
  setAccessKey(tree: DatabaseId, key: KeyPair | undefined): void {
    if (key === undefined) this.#accessKeys.delete(tree)
    else this.#accessKeys.set(tree, key)
  }

  /** Finds out who is at an address and makes the peer known. */
  async connect(address: SyncAddress, signal?: AbortSignal): Promise<PublicKey> {
    const peer = await this.#client.greet(address, { signal })
    await this.peers.register(peer)
    await this.peers.addAddresses(peer, [address])
    return peer
  }

  /**
   * Brings a database in step with whoever is at an address, or all that both share; from nothing where nothing is here.
   *
   * @throws DocumentError as `syncTree`
   */
  async syncWithPeer(address: SyncAddress, tree?: DatabaseId, signal?: AbortSignal): Promise<PublicKey> {
    const peer = await this.connect(address, signal)
    const trees = tree === undefined ? await this.#common(peer, signal) : [tree]
    for (const each of trees) await this.syncTree(peer, each, signal)
    return peer
  }

  /** The databases that the device may read at a peer. */
  async discoverTrees(peer: PublicKey, signal?: AbortSignal): Promise<readonly DatabaseId[]> {
    const { trees } = await this.#client.ask(this.#target(peer), { type: 'trees' }, { signal })
    return trees.map(({ tree }) => tree)
  }

  /**
   * Brings a database in step with a peer, both ways, and remembers that the two belong together.
   *
   * @throws DocumentError `document/unknown-peer`, `document/unreachable`, `document/peer-…`, `document/sync-incomplete`
   */
  async syncTree(peer: PublicKey, tree: DatabaseId, signal?: AbortSignal): Promise<void> {
    if (this.peers.peer(peer) === undefined)
      throw new DocumentError('document/unknown-peer', `the peer ${peer} is not known, or was removed`)
    // One at a time for each: two would send the same twice.
    const name = `${peer}|${tree}`
    const before = this.#running.get(name) ?? Promise.resolve()
    const run = before.catch(() => {}).then(() => this.#syncTree(peer, tree, signal))
    this.#running.set(name, run)
    try {
      await run
    } finally {
      if (this.#running.get(name) === run) this.#running.delete(name)
    }
  }

  /** Notes whom to keep a database in step with. Contacts nobody: the background does, once started. */
  async registerSyncPeer(info: SyncPeerInfo): Promise<SyncHandle> {
    const { peer, tree, addresses = [], displayName, accessKey } = info
    await this.peers.register(peer, displayName)
    await this.peers.addAddresses(peer, addresses)
    await this.peers.relate(peer, tree)
    if (accessKey !== undefined) this.setAccessKey(tree, accessKey)
    return new SyncHandle(this, peer, tree)
  }

  /** Brings the database of a ticket here, from the first address that answers. Throws as `syncTree`. */
  async syncWithTicket(ticket: DatabaseTicket, signal?: AbortSignal): Promise<SyncHandle> {
    const peer = await this.#meet(ticket, signal)
    await this.syncTree(peer, ticket.database, signal)
    return new SyncHandle(this, peer, ticket.database)
  }

  /**
   * Asks to be let into the database of a ticket. The key is shown for it from then on.
   *
   * @throws DocumentError `document/bad-ticket` for one without addresses, `document/peer-not-found`, `document/unreachable`
   */
  async requestAccess(ticket: DatabaseTicket, wish: AccessWish, signal?: AbortSignal): Promise<AccessAnswer> {
    const peer = await this.#meet(ticket, signal)
    const { key, name, permission, metadata } = wish
    const answer = await this.#client.ask(
      this.#target(peer),
      {
        type: 'access',
        tree: ticket.database,
        name,
        permission,
        ...(metadata === undefined ? {} : { metadata }),
      },
      { access: key, signal },
    )
    this.setAccessKey(ticket.database, key)
    return answer.status === 'granted'
      ? { peer, status: 'granted', permission: answer.permission }
      : { peer, status: 'pending', request: answer.request }
  }

  /** As `requestAccess`, and the database itself when access is granted at once. */
  async bootstrapWithTicket(
    ticket: DatabaseTicket,
    wish: AccessWish,
    signal?: AbortSignal,
  ): Promise<SyncHandle> {
    const answer = await this.requestAccess(ticket, wish, signal)
    if (answer.status === 'granted') return await this.syncWithTicket(ticket, signal)
    const message = `the request for access ${answer.request} waits for a decision; sync the ticket once it is made`
    throw new DocumentError('document/access-pending', message)
  }

  async status(peer: PublicKey, tree: DatabaseId): Promise<SyncStatus> {
    const state = await this.#parts.states.get(peer, tree)
    const tips = await this.#instance.read((view) => view.tips(tree))
    const hasLocalData = tips.length > 0
    return { ...state, hasLocalData, inStep: hasLocalData && tips.join() === state.agreed.join() }
  }

  /** What is synced by itself and when next, in no particular order; empty before `start`. */
  planned(): readonly PlannedSync[] {
    return this.#background.planned()
  }

  /** Attempts with a peer, newest first. */
  history(peer: PublicKey, limit?: number): Promise<readonly SyncAttempt[]> {
    return this.#parts.states.history(peer, limit)
  }

  /**
   * Sends at once whatever peers still lack, pauses or not.
   *
   * @throws DocumentError `document/sync-incomplete` when some could not be reached
   */
  async flush(): Promise<void> {
    await this.#background.refresh()
    const failed = await this.#background.flush()
    if (failed === 0) return
    const message = `${failed} databases are not in step with their peers; the log says why`
    throw new DocumentError('document/sync-incomplete', message)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync()
    await Promise.allSettled(this.#running.values())
  }

  async #syncTree(peer: PublicKey, tree: DatabaseId, signal: AbortSignal | undefined): Promise<void> {
    const { states } = this.#parts
    const transfer: Transfer = { received: 0, sent: 0, requests: 0, bytes: 0 }
    const startedAt = this.#clock.now()
    const began = this.#clock.monotonic()
    const record = (ended: { readonly agreed: readonly EntryId[] } | { readonly error: unknown }) => {
      const durationMs = Math.round(this.#clock.monotonic() - began)
      const outcome = 'error' in ended ? failureOf(ended.error) : {}
      const attempt = { tree, startedAt, durationMs, ...transfer, ...outcome }
      this.#options.observer?.attempted?.(peer, attempt)
      return states.record(peer, attempt, 'agreed' in ended ? ended.agreed : undefined)
    }
    const { client, parts } = { client: this.#client, parts: this.#parts }
    const options = {
      tree,
      target: this.#target(peer),
      access: this.#accessKeys.get(tree),
      addresses: this.addresses(),
      signal,
    }
    const { pages } = this.#options
    const run = { instance: this.#instance, client, states: parts.states, pages }
    let agreed: readonly EntryId[]
    try {
      agreed = await new TreeSync(run, options, transfer).run()
    } catch (error) {
      await record({ error })
      throw error
    }
    await record({ agreed })
    if (!this.peers.isRelated(peer, tree)) await this.peers.relate(peer, tree)
  }

  /** Whoever answers first at the addresses of a ticket, in their order. */
  async #meet({ addresses, peer: expected }: DatabaseTicket, signal?: AbortSignal): Promise<PublicKey> {
    let last: unknown = new DocumentError('document/bad-ticket', 'the ticket has no addresses')
    for (const address of addresses) {
      signal?.throwIfAborted()
      try {
        const peer = await this.#client.greet(address, { signal })
        if (expected !== undefined && peer !== expected)
          throw new DocumentError(
            'document/peer-protocol',
            `${peer} answers, and the ticket is of ${expected}`,
          )
        await this.peers.register(peer)
        await this.peers.addAddresses(peer, [address])
        return peer
      } catch (error) {
        last = error
      }
    }
    throw last
  }

  async #common(peer: PublicKey, signal: AbortSignal | undefined): Promise<readonly DatabaseId[]> {
    const theirs = await this.discoverTrees(peer, signal)
    const wishes = await this.#parts.wishes.all()
    return theirs.filter((tree) => wishes.get(tree)?.syncEnabled)
  }

  #target(peer: PublicKey) {
    return { peer, addresses: this.peers.addresses(peer) }
  }

  async #links() {
    const wishes = await this.#parts.wishes.all()
    const { intervalMs = 300_000 } = this.#options
    return this.peers.relationships().flatMap(({ peer, tree }) => {
      const settings = wishes.get(tree)
      // A peer nobody can dial comes by itself.
      if (!settings?.syncEnabled || this.peers.addresses(peer).length === 0) return []
      const { intervalSeconds } = settings
      return [{ peer, tree, everyMs: intervalSeconds === undefined ? intervalMs : intervalSeconds * 1_000 }]
    })
  }

  /** Also what another peer sent: that is how it reaches those whom only we know. */
  async #changed(tree: DatabaseId): Promise<void> {
    if (tree === this.#parts.database.id) return
    const { syncEnabled, syncOnCommit } = await this.syncSettings(tree)
    if (syncEnabled && syncOnCommit) this.#background.mark(tree)
  }
}

function failureOf(error: unknown): Pick<SyncAttempt, 'error' | 'errorCode'> {
  const message = error instanceof Error ? error.message : String(error)
  return error instanceof DocumentError ? { error: message, errorCode: error.code } : { error: message }
}
