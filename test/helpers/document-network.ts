import type { Clock } from '../../src/kernel/clock.ts'
import type { KeyPair } from '../../src/planes/documents/entry/key-pair.ts'
import { createInlineSignatureVerifier } from '../../src/planes/documents/ingest/signature-verifier.ts'
import { Instance } from '../../src/planes/documents/instance.ts'
import { MemoryDocumentStorage } from '../../src/planes/documents/storage/document-storage.memory.ts'
import type { DocumentBatch } from '../../src/planes/documents/storage/document-storage.ts'
import { Sync } from '../../src/planes/documents/sync/sync.ts'
import type { SyncAddress } from '../../src/planes/documents/sync/sync-address.ts'
import type { SyncOptions } from '../../src/planes/documents/sync/sync-options.ts'
import {
  MemoryNetwork,
  type NetworkFaults,
} from '../../src/planes/documents/sync/transport/memory-network.ts'
import { FakeClock } from './fake-clock.ts'

export interface SyncPeerOptions extends SyncOptions {
  readonly name: string
  /** The networks it is on; of each it has the address that is its name. */
  readonly networks: readonly MemoryNetwork[]
  readonly clock?: Clock
  readonly storage?: MemoryDocumentStorage
  readonly key?: KeyPair
  /** Default: everybody can dial it. */
  readonly listens?: boolean
}

/** A node in memory, on a network in memory, that can be stopped and started on what it had stored. */
export class SyncPeer implements AsyncDisposable {
  readonly name: string
  readonly storage: MemoryDocumentStorage
  readonly #options: SyncPeerOptions
  #running: { readonly instance: Instance; readonly sync: Sync } | undefined

  private constructor(options: SyncPeerOptions) {
    this.#options = options
    this.name = options.name
    this.storage = options.storage ?? new MemoryDocumentStorage()
  }

  static async start(options: SyncPeerOptions): Promise<SyncPeer> {
    const peer = new SyncPeer(options)
    await peer.#start()
    return peer
  }

  get instance(): Instance {
    return this.#running!.instance
  }

  get sync(): Sync {
    return this.#running!.sync
  }

  get address(): SyncAddress {
    return { type: 'memory', address: this.name }
  }

  /** Everything that was not durable is gone. */
  async restart(): Promise<void> {
    await this[Symbol.asyncDispose]()
    await this.#start()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const running = this.#running
    this.#running = undefined
    await running?.sync[Symbol.asyncDispose]()
    await running?.instance[Symbol.asyncDispose]()
  }

  async #start(): Promise<void> {
    const { networks, listens = true, clock = new FakeClock(), ...options } = this.#options
    const verifier = createInlineSignatureVerifier()
    const instance: Instance<DocumentBatch> = await Instance.open({ storage: this.storage, verifier, clock })
    const sync = await Sync.open(instance as Instance, { ...options, clock })
    this.#running = { instance: instance as Instance, sync }
    for (const [i, network] of networks.entries()) {
      const transport = network.transport(this.name)
      await sync.registerTransport(`memory-${i}`, { type: 'memory', build: () => ({ transport }) })
    }
    if (listens) await sync.acceptConnections()
  }
}

/** Nodes `a`, `b`, … on one network; dispose all of it. */
export async function syncWorld(
  count: number,
  options: Partial<SyncPeerOptions> = {},
  faults?: Partial<NetworkFaults>,
) {
  const stack = new AsyncDisposableStack()
  const network = new MemoryNetwork(faults)
  const peers: SyncPeer[] = []
  for (let i = 0; i < count; i++) {
    const name = String.fromCharCode(97 + i)
    peers.push(stack.use(await SyncPeer.start({ ...options, networks: [network], name })))
  }
  return { network, peers, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}
