import { randomBytes } from 'node:crypto'
import { type Clock, systemClock } from '../../kernel/clock.ts'
import { type Logger, silentLogger } from '../../kernel/logger.ts'
import { grantDoc } from './auth/auth-settings.ts'
import { owner } from './auth/permission.ts'
import { Doc, type PlainValue } from './crdt/doc.ts'
import { Database } from './database.ts'
import { DatabaseCore, type WriterIdentity } from './database-core.ts'
import { DocumentError } from './document-error.ts'
import { type DocumentLimits, defaultDocumentLimits } from './document-limits.ts'
import { type DatabaseId, type EntryId, parseId } from './entry/entry-id.ts'
import { KeyPair, type PublicKey } from './entry/key-pair.ts'
import type { EntrySet } from './history/entry-index.ts'
import { Lineage } from './history/lineage.ts'
import type { CheckedEntry } from './ingest/entry-checker.ts'
import type { IngestResult } from './ingest/ingest-result.ts'
import type { SignatureVerifier } from './ingest/signature-verifier.ts'
import { createWorkerSignatureVerifier } from './ingest/signature-verifier.workers.ts'
import type {
  BatchOptions,
  DocumentBatch,
  DocumentStorage,
  DocumentView,
} from './storage/document-storage.ts'
import { Transaction } from './transaction.ts'
import type { WriteListener } from './write-events.ts'

export interface InstanceOptions<Tx> {
  readonly storage: DocumentStorage<Tx>
  /** `create` refuses a storage that has an instance, `open` one that has none; by default either is fine. */
  readonly mode?: 'create' | 'open'
  /** Who this device is. Default: a key that is made once and kept in the storage. */
  readonly device?: KeyPair
  readonly clock?: Clock
  readonly log?: Logger
  readonly limits?: DocumentLimits
  /** Disposed of with the instance. Default: worker threads. */
  readonly verifier?: SignatureVerifier
  /** Random bytes of a length. */
  readonly random?: (length: number) => Uint8Array
}

export interface CreateDatabaseOptions {
  /** Becomes admin of the database with priority 0. Without one, the database is unprotected: anybody writes. */
  readonly key?: KeyPair
  readonly name?: string
  /** Further settings. `auth` is not among them. */
  readonly settings?: Readonly<Record<string, PlainValue>>
  /** Opens and fills the first stores, in the same entry. When it throws, nothing is created. */
  readonly init?: (transaction: Transaction) => Promise<unknown>
}

const secretKey = 'instance-secret'
const metadataKey = 'instance'

/** Notes can never reach the secrets. */
const noteKey = (name: string) => `note/${name}`

/** Names of the databases of the system, as `instance.system` remembers them. */
export type SystemDatabase = '_users' | '_sync'

/** What is remembered of an instance beside its databases. Its presence means that the instance is complete. */
interface InstanceMetadata {
  readonly device: PublicKey
  readonly system: Readonly<Partial<Record<SystemDatabase, DatabaseId>>>
}

/** A device with its databases. Dispose it: it holds threads. The storage is the caller's. */
export class Instance<Tx = unknown> implements AsyncDisposable {
  /** Identifies this device to others. */
  readonly device: KeyPair
  readonly #core: DatabaseCore<Tx>
  readonly #random: (length: number) => Uint8Array
  readonly #resources: AsyncDisposableStack
  #metadata: InstanceMetadata

  private constructor(
    core: DatabaseCore<Tx>,
    device: KeyPair,
    metadata: InstanceMetadata,
    random: (length: number) => Uint8Array,
    resources: AsyncDisposableStack,
  ) {
    this.device = device
    this.#core = core
    this.#metadata = metadata
    this.#random = random
    this.#resources = resources
  }

  /**
   * Opens the instance in a storage, or makes one with a new device key.
   *
   * @throws DocumentError `document/instance` when `mode` says otherwise, or when key and metadata do not fit
   */
  static async open<Tx>(options: InstanceOptions<Tx>): Promise<Instance<Tx>> {
    const { storage, mode, clock = systemClock, log = silentLogger, limits = defaultDocumentLimits } = options
    await using resources = new AsyncDisposableStack()
    const { device, metadata } = await storage.write((batch) => load(batch, mode, options.device))
    const verifier = resources.use(options.verifier ?? createWorkerSignatureVerifier())
    const core = resources.use(new DatabaseCore({ storage, verifier, clock, log, limits }))
    return new Instance(core, device, metadata, options.random ?? randomBytes, resources.move())
  }

  /** The device a storage belongs to; undefined: it has no instance yet. */
  static deviceOf(storage: DocumentStorage): Promise<PublicKey | undefined> {
    return storage.read((view) => readMetadata(view)?.device)
  }

  /** The device's public key. */
  get id(): PublicKey {
    return this.device.publicKey
  }

  /** Databases of which at least the root is here, sorted. */
  databases(): Promise<readonly DatabaseId[]> {
    return this.#core.read((view) => view.databases())
  }

  /** Opens a database; what it is opened as is not checked before something is written. */
  async database(id: DatabaseId, identity?: WriterIdentity): Promise<Database> {
    const known = await this.#core.read((view) => view.tips(id).length > 0)
    if (!known) throw new DocumentError('document/unknown-database', `the database ${id} is not here`)
    return new Database(this.#core as DatabaseCore, id, identity)
  }

  /**
   * Makes a database.
   *
   * @throws DocumentError `document/bad-settings` when the settings bring their own `auth`, and what `init` throws
   */
  async createDatabase({ key, name, settings = {}, init }: CreateDatabaseOptions = {}): Promise<Database> {
    if ('auth' in settings)
      throw new DocumentError('document/bad-settings', 'auth is made from the key that creates the database')
    const identity = key === undefined ? undefined : { key }
    using transaction = new Transaction({
      core: this.#core as DatabaseCore,
      start: {
        database: undefined,
        tips: [],
        lineage: Lineage.empty,
        settings: this.#core.history.auth.none,
      },
      identity,
      writable: true,
      // Two databases with equal settings by one key are still two.
      entropy: Buffer.from(this.#random(8)).readBigUInt64BE(),
    })
    const store = await transaction.settings()
    store.initialise(
      { ...settings, ...(name === undefined ? {} : { name }) },
      key && firstKeys(key.publicKey),
    )
    if (init !== undefined) await transaction.locked(init)
    const id = await transaction.commit()
    return new Database(this.#core as DatabaseCore, id, identity)
  }

  /**
   * Takes entries as received, in any order: checks, judges and stores them in one transaction.
   *
   * @param only the database they have to belong to
   */
  async ingest(
    entries: readonly Uint8Array[],
    only?: DatabaseId,
    signal?: AbortSignal,
  ): Promise<IngestResult> {
    return await this.admit(await this.check(entries, signal), only, signal)
  }

  /** The first half of `ingest`: everything that can be checked without the databases. */
  check(entries: readonly Uint8Array[], signal?: AbortSignal): Promise<readonly CheckedEntry[]> {
    return this.#core.check(entries, signal)
  }

  /** The second half: judges and stores. */
  async admit(
    entries: readonly CheckedEntry[],
    only?: DatabaseId,
    signal?: AbortSignal,
  ): Promise<IngestResult> {
    const options = { weight: entries.length, ...(signal === undefined ? {} : { signal }) }
    return await this.#core.write((batch) => this.#core.admit(batch, entries, only), options)
  }

  /** The same inside the caller's own transaction. */
  admitIn(tx: Tx, entries: readonly CheckedEntry[], only?: DatabaseId): IngestResult {
    return this.#core.admit(this.#core.batchIn(tx), entries, only)
  }

  /** Reads what is stored, in one snapshot. */
  read<T>(work: (view: DocumentView) => T | Promise<T>): Promise<T> {
    return this.#core.read(work)
  }

  /**
   * The verified entries of a database at this moment, as a set for range reconciliation by (height, id digest); see
   * `src/negentropy`. Dispose it.
   */
  entrySet(database: DatabaseId): Promise<EntrySet> {
    return this.#core.indexes.open(database)
  }

  /** Calls the listener after every durable write to any database. */
  onWrite(listener: WriteListener): Disposable {
    return this.#core.events.onAny(listener)
  }

  /** What was noted beside the databases: not versioned, never synced. Undefined: nothing. */
  note(name: string): Promise<string | undefined> {
    return this.#core.read((view) => view.value(noteKey(name)))
  }

  /** Undefined forgets it. */
  async setNote(name: string, text: string | undefined): Promise<void> {
    await this.setNotes([[name, text]])
  }

  /** All of them, or none. */
  async setNotes(
    notes: readonly (readonly [name: string, text: string | undefined])[],
    options?: Pick<BatchOptions, 'durable'>,
  ): Promise<void> {
    await this.#core.write((batch) => {
      for (const [name, text] of notes) batch.setValue(noteKey(name), text)
    }, options)
  }

  /** The id of a database of the system; undefined: there is none yet. */
  system(name: SystemDatabase): DatabaseId | undefined {
    return this.#metadata.system[name]
  }

  /** The database of the system, made when there is none. Only the device may write it. */
  async systemDatabase(name: SystemDatabase, type = 'system'): Promise<Database> {
    const identity = { key: this.device }
    const known = this.system(name)
    if (known !== undefined) return await this.database(known, identity)
    const made = await this.createDatabase({ key: this.device, name, settings: { type } })
    const id = await this.#core.write((batch) => {
      const metadata = readMetadata(batch)!
      // Somebody else may have been faster; what was made here is then one database more that nobody knows.
      const first = metadata.system[name] ?? made.id
      this.#metadata = { ...metadata, system: { ...metadata.system, [name]: first } }
      batch.setValue(metadataKey, JSON.stringify(this.#metadata))
      return first
    })
    return await this.database(id, identity)
  }

  /** Forgets every materialised state; the next reads compute them anew. */
  async clearStates(): Promise<void> {
    await this.#core.write((batch) => batch.clearStates())
    this.#core.history.states.clear()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#resources.disposeAsync()
  }
}

function firstKeys(key: PublicKey): Doc {
  const grant = grantDoc({ permission: owner, status: 'active' })
  return new Doc([['keys', new Doc([[key, grant]])]])
}

/** Secrets first: metadata without them would be an instance that can never sign. */
function load(batch: DocumentBatch, mode: InstanceOptions<unknown>['mode'], given: KeyPair | undefined) {
  const known = readMetadata(batch)
  if (known !== undefined && mode === 'create') throw wrong('the storage has an instance already')
  if (known === undefined && mode === 'open') throw wrong('the storage has no instance')
  const secret = batch.value(secretKey)
  const device = given ?? (secret === undefined ? KeyPair.generate() : KeyPair.fromSecret(secret))
  if (known !== undefined) {
    if (known.device !== device.publicKey)
      throw wrong('the device key is missing, or not the one the storage was made with')
    return { device, metadata: known }
  }
  const metadata: InstanceMetadata = { device: device.publicKey, system: {} }
  // Whoever brings a key keeps it.
  if (given === undefined) batch.setValue(secretKey, device.exportSecret())
  batch.setValue(metadataKey, JSON.stringify(metadata))
  return { device, metadata }
}

function readMetadata(batch: DocumentView): InstanceMetadata | undefined {
  const text = batch.value(metadataKey)
  if (text === undefined) return undefined
  const { device, system } = JSON.parse(text) as { device: PublicKey; system: Record<string, string> }
  const parsed = Object.entries(system).map(([name, id]): [string, EntryId] => [name, parseId(id)])
  return { device, system: Object.fromEntries(parsed) }
}

function wrong(why: string): DocumentError {
  return new DocumentError('document/instance', why)
}
