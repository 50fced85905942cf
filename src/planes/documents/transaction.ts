import { isProtected } from './auth/auth-settings.ts'
import type { AuthState } from './auth/auth-state.ts'
import { nextHeight, readStrategy, storeStrategy } from './auth/height-strategy.ts'
import { Doc, mergeDocs } from './crdt/doc.ts'
import { decodeDoc } from './crdt/doc-json.ts'
import type { DatabaseCore, WriterIdentity } from './database-core.ts'
import { DocumentError } from './document-error.ts'
import {
  type Entry,
  indexStore,
  rootStore,
  type SealedEntry,
  type StoreNode,
  settingsStore,
} from './entry/entry.ts'
import { sealEntry } from './entry/entry-encoder.ts'
import type { DatabaseId, EntryId } from './entry/entry-id.ts'
import { encodeMetadata } from './entry/entry-metadata.ts'
import { keyClaim, noKey } from './entry/sig-key.ts'
import type { Lineage } from './history/lineage.ts'
import type { StateLease } from './state/store-states.ts'
import type { StateType } from './state/store-type.ts'
import { docState } from './state/store-type.ts'
import type { DocumentBatch } from './storage/document-storage.ts'
import { Registry } from './stores/registry.ts'
import { SettingsStore } from './stores/settings-store.ts'
import { StagedDoc } from './stores/staged-doc.ts'
import type { StoreAccess, StoreKind } from './stores/store-kind.ts'

/** Where a transaction or a view stands. */
export interface TransactionStart {
  /** Undefined while the database is being made. */
  readonly database: DatabaseId | undefined
  readonly tips: readonly EntryId[]
  readonly lineage: Lineage
  readonly settings: AuthState
}

export interface TransactionOptions {
  readonly core: DatabaseCore
  readonly start: TransactionStart
  /** Who signs; undefined: nobody, which only an unprotected database takes. */
  readonly identity: WriterIdentity | undefined
  /** A view reads, registers nothing and has no commit. */
  readonly writable: boolean
  readonly entropy?: bigint
}

/**
 * Changes to several stores that become one entry, all of them or none. Reads see the history up to the transaction's
 * tips and what it has staged itself, and nothing that others write meanwhile.
 */
export class Transaction implements Disposable {
  readonly #options: TransactionOptions
  readonly #payloads = new Map<string, () => Uint8Array | undefined>()
  readonly #handles = new Map<string, { readonly type: string; readonly handle: Promise<unknown> }>()
  readonly #leases: StateLease<unknown>[] = []
  #registry: Promise<Registry> | undefined
  #settings: Promise<SettingsStore> | undefined
  #over = false
  #locked = false

  constructor(options: TransactionOptions) {
    this.#options = options
  }

  /** The entries this one builds on. */
  get tips(): readonly EntryId[] {
    return this.#options.start.tips
  }

  /**
   * Opens a store, registering it when the database has none of that name.
   *
   * @throws DocumentError `document/store-type` when it is of another type, `document/store-reserved` for a name of the
   *   system
   */
  async getStore<Handle>(name: string, kind: StoreKind<Handle>): Promise<Handle> {
    this.#assertOpen(false)
    if (name === '' || name.startsWith('_'))
      throw new DocumentError('document/store-reserved', `${JSON.stringify(name)} is no name for a store`)
    const opened = this.#handles.get(name)
    if (opened !== undefined) {
      if (opened.type !== kind.type) throw wrongType(name, opened.type, kind.type)
      return (await opened.handle) as Handle
    }
    const handle = this.#open(name, kind)
    this.#handles.set(name, { type: kind.type, handle })
    // A failed opening must not stand in the way of a right one.
    handle.catch(() => this.#handles.delete(name))
    return await handle
  }

  /** The settings. Writing them needs an admin. */
  async settings(): Promise<SettingsStore> {
    this.#assertUnlocked(settingsStore)
    this.#settings ??= StagedDoc.open(this.#access(settingsStore, new Doc())).then(
      (doc) => new SettingsStore(doc),
    )
    return await this.#settings
  }

  /** The index of stores. */
  async index(): Promise<Registry> {
    this.#assertUnlocked(indexStore)
    return await this.#index()
  }

  /** @internal While a database is being made, its settings and index are set up by the system alone. */
  async locked(work: (transaction: Transaction) => Promise<unknown>): Promise<void> {
    this.#locked = true
    try {
      await work(this)
    } finally {
      this.#locked = false
    }
  }

  /**
   * Makes the entry, checks it as if it came from a stranger, and stores it. Answers its id once it is durable.
   *
   * @throws DocumentError `document/transaction-over`, `document/no-key`, `document/permission-denied`,
   *   `document/bad-settings` and whatever else an entry is refused with; nothing is stored then
   */
  async commit(): Promise<EntryId> {
    this.#assertOpen(true)
    const registry = await this.#index()
    const payloads = new Map<string, Uint8Array | undefined>()
    for (const [name, payload] of this.#payloads) {
      const bytes = payload()
      if (bytes !== undefined) payloads.set(name, bytes)
    }
    // A store's type travels with the store's own history.
    for (const name of registry.staged) if (!payloads.has(name)) payloads.set(name, undefined)
    this[Symbol.dispose]()
    const { core } = this.#options
    return await core.write((batch) => {
      const sealed = this.#seal(batch, payloads)
      return core.acceptLocal(batch, sealed, this.#options.identity?.key.publicKey)
    })
  }

  /** Gives it up; without a commit nothing is written. */
  [Symbol.dispose](): void {
    this.#over = true
    for (const lease of this.#leases.splice(0)) lease[Symbol.dispose]()
  }

  async #open<Handle>(name: string, kind: StoreKind<Handle>): Promise<Handle> {
    const registry = await this.#index()
    const record = registry.get(name)
    if (record !== undefined && record.type !== kind.type) throw wrongType(name, record.type, kind.type)
    const config = record?.config ?? kind.defaultConfig()
    if (record === undefined && this.#options.writable) registry.set(name, { type: kind.type, config })
    return await kind.open(this.#access(name, config))
  }

  #index(): Promise<Registry> {
    this.#registry ??= StagedDoc.open(this.#access(indexStore, new Doc())).then((doc) => new Registry(doc))
    return this.#registry
  }

  #access(name: string, config: Doc): StoreAccess {
    return {
      name,
      config,
      history: (type) => this.#history(name, type),
      provide: (payload) => void this.#payloads.set(name, payload),
      assertOpen: (writing) => this.#assertOpen(writing),
      configure: (next) => this.#configure(name, next),
    }
  }

  async #configure(name: string, config: Doc): Promise<void> {
    this.#assertOpen(true)
    const registry = await this.#index()
    const record = registry.get(name)
    if (record !== undefined) registry.set(name, { ...record, config })
  }

  async #history<State>(name: string, type: StateType<State>): Promise<State> {
    const { core, start } = this.#options
    if (start.database === undefined) return type.empty()
    const point = {
      database: start.database,
      store: name,
      tips: start.lineage.tips(name),
      settingsTips: start.settings.tips,
    }
    const lease = await core.materialise(type, point)
    this.#leases.push(lease)
    if (this.#over) lease[Symbol.dispose]()
    return lease.value
  }

  #seal(batch: DocumentBatch, payloads: ReadonlyMap<string, Uint8Array | undefined>): SealedEntry {
    const { core, start, identity, entropy } = this.#options
    const { database, tips, lineage, settings } = start
    const settingsData = payloads.get(settingsStore)
    const settingsDoc =
      settingsData === undefined ? settings.doc : mergeDocs(settings.doc, decodeDoc(settingsData))
    const strategy = readStrategy(settingsDoc, 'height_strategy') ?? 'incremental'
    const heights = tips.map((tip) => batch.entry(tip)!.entry.height)
    const now = core.now()
    const height = nextHeight(strategy, heights.length === 0 ? undefined : Math.max(...heights), now)
    const index = this.#indexDoc(batch, payloads)
    const stores = [...payloads].map(([name, data]): StoreNode => {
      const own = name.startsWith('_') ? undefined : storeStrategy(index, name)
      const head = lineage.head(name)
      const storeHeight = own === undefined ? undefined : nextHeight(own, head?.height, now)
      return { name, parents: head?.tips ?? [], data, height: storeHeight }
    })
    if (database === undefined)
      stores.push({ name: rootStore, parents: [], data: Buffer.from('""'), height: undefined })
    const draft: Entry = {
      root: database,
      parents: tips,
      metadata: encodeMetadata({ settingsTips: settings.tips }, entropy),
      height,
      stores,
      sig: { signature: undefined, key: noKey },
    }
    // An unprotected database takes no signatures; the entry that protects it is signed.
    if (!isProtected(settings.auth) && !core.protects(settingsDoc)) return sealEntry(draft)
    if (identity === undefined)
      throw new DocumentError('document/no-key', 'the database is protected; open it with a key to write')
    const key = identity.claim ?? keyClaim(identity.key.publicKey)
    return sealEntry({ ...draft, sig: { signature: undefined, key } }, identity.key)
  }

  #indexDoc(batch: DocumentBatch, payloads: ReadonlyMap<string, Uint8Array | undefined>): Doc {
    const { core, start } = this.#options
    const data = payloads.get(indexStore)
    const staged = data === undefined ? new Doc() : decodeDoc(data)
    if (start.database === undefined) return staged
    const point = {
      database: start.database,
      store: indexStore,
      tips: start.lineage.tips(indexStore),
      settingsTips: start.settings.tips,
    }
    using lease = core.history.states.now(batch, docState, point)
    return mergeDocs(lease.value, staged)
  }

  #assertOpen(writing: boolean): void {
    if (this.#over)
      throw new DocumentError('document/transaction-over', 'the transaction is over; begin another one')
    if (writing && !this.#options.writable)
      throw new DocumentError('document/read-only', 'this is a view; write in a transaction')
  }

  #assertUnlocked(name: string): void {
    this.#assertOpen(false)
    if (this.#locked)
      throw new DocumentError(
        'document/store-reserved',
        `${name} cannot be opened while the database is being made`,
      )
  }
}

function wrongType(name: string, actual: string, expected: string): DocumentError {
  return new DocumentError('document/store-type', `the store ${name} is a ${actual}, not a ${expected}`)
}
