import type { Config } from '../../config/schema.ts'
import type { Clock } from '../../kernel/clock.ts'
import type { Logger } from '../../kernel/logger.ts'
import { SyncError } from '../../kernel/sync-error.ts'
import {
  createSqliteDocumentStorage,
  DocumentError,
  httpTransport,
  Instance,
  irohTransport,
  Sync,
  type SyncAddress,
} from '../../planes/documents/index.ts'
import type { SqliteStore } from '../../stores/sqlite/sqlite-store.ts'
import { clientAddressOf } from '../../transports/client-address.ts'
import { AwaitedDatabases } from './awaited-databases.ts'
import { loadDeviceKey } from './device-key.ts'
import { PublicDoor } from './public-door.ts'
import { SyncTotals } from './sync-totals.ts'

export interface DocumentsOptions {
  readonly config: Config
  readonly directory: string
  readonly store: SqliteStore
  readonly clock: Clock
  readonly log: Logger
}

/** Names of transports, under which they keep what they have to remember. */
const names = { http: 'public', https: 'https', iroh: 'iroh' } as const

/** The documents of a node, opened: databases, sync, and the ways to peers. Nothing is served or done by itself yet. */
export class OpenDocuments implements AsyncDisposable {
  readonly instance: Instance
  readonly sync: Sync
  readonly awaited: AwaitedDatabases
  readonly totals: SyncTotals
  readonly door: PublicDoor
  readonly clock: Clock
  readonly #hasIroh: boolean
  readonly #resources: AsyncDisposableStack
  #draining: Promise<void> | undefined

  private constructor(
    parts: Pick<OpenDocuments, 'instance' | 'sync' | 'awaited' | 'totals' | 'door' | 'clock'>,
    hasIroh: boolean,
    resources: AsyncDisposableStack,
  ) {
    this.instance = parts.instance
    this.sync = parts.sync
    this.awaited = parts.awaited
    this.totals = parts.totals
    this.door = parts.door
    this.clock = parts.clock
    this.#hasIroh = hasIroh
    this.#resources = resources
  }

  /** @throws SyncError `config/invalid` when the key is gone, or Iroh is wanted and cannot be had */
  static async open({ config, directory, store, clock, log }: DocumentsOptions): Promise<OpenDocuments> {
    const { documents } = config
    await using resources = new AsyncDisposableStack()
    const storage = await createSqliteDocumentStorage({ store })
    const device = await loadDeviceKey(directory, await Instance.deviceOf(storage))
    const instance = resources.use((await Instance.open({ storage, device, clock, log })) as Instance)
    const totals = new SyncTotals()
    const intervalMs = documents.intervalSeconds * 1_000
    const sync = resources.use(await Sync.open(instance, { clock, log, intervalMs, observer: totals }))
    const door = new PublicDoor(log, clientAddressOf(config.trustedProxies))
    await sync.registerTransport(names.http, door.transport())
    await sync.registerTransport(names.https, httpTransport({ scheme: 'https' }))
    if (documents.iroh) await useIroh(sync, config)
    const awaited = await AwaitedDatabases.open(instance)
    const parts = { instance, sync, awaited, totals, door, clock }
    return new OpenDocuments(parts, documents.iroh, resources.move())
  }

  /** Lets others connect: at the public listener, and by Iroh where that is on. */
  async accept(addresses: readonly SyncAddress[]): Promise<void> {
    this.door.tellAddresses(addresses)
    await this.sync.acceptConnections(names.http)
    if (this.#hasIroh) await this.sync.acceptConnections(names.iroh)
  }

  /** Stops serving and syncing; what is stored can still be read and written. */
  drain(): Promise<void> {
    this.#draining ??= this.sync[Symbol.asyncDispose]()
    return this.#draining
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain()
    await this.#resources.disposeAsync()
  }
}

async function useIroh(sync: Sync, { documents: { irohBind, irohRelays } }: Config): Promise<void> {
  const bind = irohBind === undefined ? {} : { bind: irohBind }
  await sync
    .registerTransport(names.iroh, irohTransport({ relays: irohRelays, ...bind }))
    .catch((cause: unknown) => {
      const why = cause instanceof Error ? cause.message : String(cause)
      const message =
        cause instanceof DocumentError
          ? why
          : `documents.iroh: the socket cannot be used: ${why}; see documents.irohBind`
      throw new SyncError('config/invalid', message, { cause })
    })
}
