import assert from 'node:assert/strict'
import type { Database } from '../../src/planes/documents/database.ts'
import type { DatabaseId, EntryId } from '../../src/planes/documents/entry/entry-id.ts'
import { MemoryNetwork, type MessageFate } from '../../src/planes/documents/sync/transport/memory-network.ts'
import { syncEnabled } from '../../src/planes/documents/users/sync-settings.ts'
import { alice } from './document-keys.ts'
import { SyncPeer } from './document-network.ts'
import { entriesOf, notes, put } from './document-world.ts'
import { settle } from './fake-clock.ts'

/** What a run did, so that a test can tell one that tested nothing. */
export interface SimulationReport {
  readonly writes: number
  readonly exchanges: number
  readonly failedExchanges: number
  readonly restarts: number
  readonly lost: number
  readonly twice: number
}

/** xorshift64*, so that a seed means the same everywhere. */
export function seededRandom(seed: number): () => number {
  const mask = (1n << 64n) - 1n
  let state = ((BigInt(seed) * 0x9e3779b97f4a7c15n) & mask) | 1n
  return () => {
    state ^= state >> 12n
    state ^= (state << 25n) & mask
    state ^= state >> 27n
    return Number(((state * 0x2545f4914f6cdd1dn) & mask) >> 11n) / 2 ** 53
  }
}

/**
 * Some peers write and sync over a network that loses, repeats, delays and is cut, and are restarted meanwhile. Then all is
 * well again, and everybody must have everything. Throws an AssertionError that says what was not so.
 */
export async function simulate(seed: number): Promise<SimulationReport> {
  await using world = await World.create(seed)
  const steps = 30 + world.below(40)
  for (let i = 0; i < steps; i++) await world.step()
  await world.heal()
  await world.assertEqual()
  return world.report
}

class World implements AsyncDisposable {
  readonly report = { writes: 0, exchanges: 0, failedExchanges: 0, restarts: 0, lost: 0, twice: 0 }
  readonly #random: () => number
  readonly #stack = new AsyncDisposableStack()
  readonly #written: EntryId[] = []
  readonly #values = new Set<string>()
  readonly #pending = new Set<Promise<void>>()
  readonly #network: MemoryNetwork
  #peers: SyncPeer[] = []
  #tree!: DatabaseId
  #faulty = true

  private constructor(seed: number) {
    this.#random = seededRandom(seed)
    this.#network = new MemoryNetwork({
      fate: () => this.#fate(),
      delay: async () => {
        for (let i = this.#faulty ? this.below(6) : 0; i > 0; i--) await settle()
      },
    })
  }

  static async create(seed: number): Promise<World> {
    const world = new World(seed)
    const count = 2 + world.below(4)
    // Pages of a few entries, so that every exchange of some size is cut into several.
    const pages = { bytes: 100_000, entries: 1 + world.below(8) }
    for (let i = 0; i < count; i++) {
      const peer = await SyncPeer.start({
        name: `peer-${i}`,
        networks: [world.#network],
        pages,
        random: world.#random,
      })
      world.#peers.push(world.#stack.use(peer))
    }
    const first = await world.#peers[0]!.instance.createDatabase({ key: alice, name: 'shared' })
    world.#tree = first.id
    for (const peer of world.#peers) await peer.sync.setSyncSettings(first.id, syncEnabled)
    // Everybody may read with the key that writes.
    for (const peer of world.#peers) peer.sync.setAccessKey(first.id, alice)
    return world
  }

  below(n: number): number {
    return Math.floor(this.#random() * n)
  }

  async step(): Promise<void> {
    const dice = this.#random()
    if (dice < 0.4) await this.#write()
    else if (dice < 0.75) this.#exchange()
    else if (dice < 0.85) this.#cut()
    else if (dice < 0.92) this.#mend()
    else if (dice < 0.96) await this.#restart()
    else await Promise.all(this.#pending)
  }

  /** All is well again: every pair syncs until nobody learns anything more. */
  async heal(): Promise<void> {
    await Promise.all(this.#pending)
    this.#faulty = false
    this.#network.healAll()
    for (let round = 0; round <= this.#peers.length; round++)
      for (const from of this.#peers)
        for (const to of this.#peers) if (from !== to) await this.#sync(from, to)
  }

  async assertEqual(): Promise<void> {
    const [first, ...others] = await Promise.all(this.#peers.map((peer) => this.#seen(peer)))
    for (const id of this.#written) assert.ok(first!.ids.includes(id), `the entry ${id} is lost`)
    for (const other of others) assert.deepEqual(other, first)
    // Each value was written under a key of its own, so none may be missing from the state.
    assert.deepEqual(new Set(Object.keys(first!.state)), this.#values)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync()
  }

  #fate(): MessageFate {
    if (!this.#faulty) return 'arrives'
    const dice = this.#random()
    if (dice < 0.12) {
      this.report.lost += 1
      return 'lost'
    }
    if (dice > 0.9) {
      this.report.twice += 1
      return 'twice'
    }
    return 'arrives'
  }

  async #write(): Promise<void> {
    const peer = this.#any()
    const database = await this.#database(peer)
    if (database === undefined) return
    const name = `k${this.#written.length}`
    this.#written.push(await put(database, name, `by ${peer.name}`))
    this.#values.add(name)
    this.report.writes += 1
  }

  /** Not waited for: others write, sync and are cut off meanwhile. */
  #exchange(): void {
    const [from, to] = [this.#any(), this.#any()]
    if (from === to) return
    this.report.exchanges += 1
    const running = this.#sync(from, to)
      .catch(() => {
        this.report.failedExchanges += 1
      })
      .finally(() => this.#pending.delete(running))
    this.#pending.add(running)
  }

  async #sync(from: SyncPeer, to: SyncPeer): Promise<void> {
    // Whoever has nothing of it yet has to ask, and cannot be asked.
    if ((await this.#database(to)) === undefined) return
    await from.sync.syncWithPeer(to.address, this.#tree)
  }

  #cut(): void {
    this.#network.partition(this.#any().name, this.#any().name)
  }

  #mend(): void {
    this.#network.heal(this.#any().name, this.#any().name)
  }

  async #restart(): Promise<void> {
    const peer = this.#any()
    await Promise.all(this.#pending)
    await peer.restart()
    peer.sync.setAccessKey(this.#tree, alice)
    this.report.restarts += 1
  }

  #any(): SyncPeer {
    return this.#peers[this.below(this.#peers.length)]!
  }

  async #database(peer: SyncPeer): Promise<Database | undefined> {
    const known = await peer.instance.databases()
    return known.includes(this.#tree) ? await peer.instance.database(this.#tree, { key: alice }) : undefined
  }

  async #seen(peer: SyncPeer) {
    const database = await this.#database(peer)
    assert.ok(database !== undefined, `${peer.name} has nothing of the database`)
    const entries = await entriesOf(database)
    return { ids: entries.map(({ id }) => id), tips: await database.tips(), state: await notes(database) }
  }
}
