import type { Clock } from '../../kernel/clock.ts'
import type { Logger } from '../../kernel/logger.ts'
import { isProtected, readAuth } from './auth/auth-settings.ts'
import type { Doc } from './crdt/doc.ts'
import { DocumentError } from './document-error.ts'
import type { DocumentLimits } from './document-limits.ts'
import type { SealedEntry } from './entry/entry.ts'
import type { DatabaseId, EntryId } from './entry/entry-id.ts'
import type { KeyPair, PublicKey } from './entry/key-pair.ts'
import type { SigKey } from './entry/sig-key.ts'
import { EntryIndexes } from './history/entry-index.ts'
import { History } from './history/history.ts'
import { Admission, RefusedIds } from './ingest/admission.ts'
import { type CheckedEntry, EntryChecker } from './ingest/entry-checker.ts'
import type { IngestResult } from './ingest/ingest-result.ts'
import { Judge } from './ingest/judge.ts'
import type { SignatureVerifier } from './ingest/signature-verifier.ts'
import type { StateLease, StorePoint } from './state/store-states.ts'
import type { StateType } from './state/store-type.ts'
import type {
  BatchOptions,
  DocumentBatch,
  DocumentStorage,
  DocumentView,
} from './storage/document-storage.ts'
import { WriteEvents } from './write-events.ts'

/** Who writes: a key, and how the database knows it. */
export interface WriterIdentity {
  readonly key: KeyPair
  /** Default: by the public key. */
  readonly claim?: SigKey | undefined
}

export interface DatabaseCoreOptions<Tx> {
  readonly storage: DocumentStorage<Tx>
  readonly verifier: SignatureVerifier
  readonly clock: Clock
  readonly log: Logger
  readonly limits: DocumentLimits
}

/** How long work may keep the thread before others get a turn, milliseconds. */
const sliceMs = 8

const settleEveryMs = 1_000

/** What all databases of an instance share: storage, what is known of histories, the way in, and the events. */
export class DatabaseCore<Tx = unknown> implements AsyncDisposable {
  readonly history = new History()
  readonly events: WriteEvents
  readonly indexes: EntryIndexes
  readonly limits: DocumentLimits
  readonly #options: DatabaseCoreOptions<Tx>
  readonly #judge: Judge
  readonly #checker: EntryChecker
  readonly #refused = new RefusedIds()
  /** When what is held was last judged on behalf of a reader; by database, monotonic milliseconds. */
  readonly #settled = new Map<DatabaseId, number>()
  #saving: Promise<void> | undefined

  constructor(options: DatabaseCoreOptions<Tx>) {
    const { clock, limits, verifier, log } = options
    this.#options = options
    this.limits = limits
    this.events = new WriteEvents(log)
    this.indexes = new EntryIndexes((work) => this.read(work))
    this.#judge = new Judge(this.history, limits, () => clock.now())
    this.#checker = new EntryChecker(verifier, limits)
  }

  now(): number {
    return this.#options.clock.now()
  }

  read<T>(work: (view: DocumentView) => T | Promise<T>): Promise<T> {
    return this.#options.storage.read(work)
  }

  write<T>(work: (batch: DocumentBatch, tx: Tx) => T | Promise<T>, options?: BatchOptions): Promise<T> {
    return this.#options.storage.write(work, options)
  }

  batchIn(tx: Tx): DocumentBatch {
    return this.#options.storage.batchIn(tx)
  }

  /** Whether a database with these settings takes only signed entries. */
  protects(settings: Doc): boolean {
    return isProtected(readAuth(settings))
  }

  /** Decodes entries as received and checks their signatures, off the main thread. Nothing is stored. */
  check(entries: readonly Uint8Array[], signal?: AbortSignal): Promise<CheckedEntry[]> {
    const known = (ids: readonly EntryId[]) => this.read((view) => view.present(ids))
    return this.#checker.check(entries, { known, signal })
  }

  /** Takes checked entries into a batch; tells listeners once it is durable. */
  admit(batch: DocumentBatch, entries: readonly CheckedEntry[], only?: DatabaseId): IngestResult {
    return this.#admit(batch, entries, only, 'remote')
  }

  /** Judges again what is held: time has passed, or a database has arrived by another way. */
  recheck(batch: DocumentBatch, database: DatabaseId): IngestResult {
    const result = this.#admission(batch).recheck(database)
    this.#tell(batch, result, 'remote')
    return result
  }

  /**
   * Before something is read: judges what could be judged by now. An entry that lies in the future stays so, and must not
   * make every read of its database a write.
   */
  async settle(database: DatabaseId): Promise<void> {
    if (!(await this.read((view) => view.isReady(database)))) return
    const now = this.#options.clock.monotonic()
    if (now < (this.#settled.get(database) ?? Number.NEGATIVE_INFINITY) + settleEveryMs) return
    this.#settled.set(database, now)
    await this.write((batch) => this.recheck(batch, database))
  }

  /** An entry written here, signed by `signer`; it passes the same judge. Throws what it is refused with. */
  acceptLocal(batch: DocumentBatch, sealed: SealedEntry, signer: PublicKey | undefined): EntryId {
    const { outcomes } = this.#admit(batch, [{ kind: 'checked', sealed, signer }], undefined, 'local')
    const [outcome] = outcomes
    if (outcome?.kind === 'refused') throw new DocumentError(outcome.code, outcome.message)
    if (outcome?.kind === 'held') {
      const message = 'the delegation of the key cannot be followed yet: its database has to be synced first'
      throw new DocumentError('document/unsynced', message)
    }
    return sealed.id
  }

  async materialise<State>(type: StateType<State>, point: StorePoint): Promise<StateLease<State>> {
    const { clock } = this.#options
    const lease = await this.read((view) => {
      let end = clock.monotonic() + sliceMs
      return this.history.states.read(view, type, point, async () => {
        if (clock.monotonic() < end) return
        await new Promise((resolve) => setImmediate(resolve))
        end = clock.monotonic() + sliceMs
      })
    })
    this.#saveStates()
    return lease
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#saveStates()
    await this.#saving
  }

  /** In the background: it makes the next opening fast, and nobody waits for it. */
  #saveStates(): void {
    if (!this.history.states.unsaved || this.#saving !== undefined) return
    this.#saving = this.write((batch) => this.history.states.save(batch), { durable: false })
      .catch((error: unknown) => {
        this.#options.log.warn('a materialised state was not saved', { error: String(error) })
      })
      .finally(() => {
        this.#saving = undefined
      })
  }

  #admit(
    batch: DocumentBatch,
    entries: readonly CheckedEntry[],
    only: DatabaseId | undefined,
    source: 'local' | 'remote',
  ): IngestResult {
    const result = this.#admission(batch).admit(entries, only)
    this.#tell(batch, result, source)
    return result
  }

  #admission(batch: DocumentBatch): Admission {
    return new Admission(batch, {
      history: this.history,
      judge: this.#judge,
      limits: this.limits,
      refused: this.#refused,
    })
  }

  #tell(batch: DocumentBatch, { advances }: IngestResult, source: 'local' | 'remote'): void {
    if (advances.length === 0) return
    batch.afterCommit(() => {
      // All of them before anybody hears of one: a listener may reconcile at once.
      for (const { database, verified } of advances) this.indexes.note(database, verified)
      for (const advance of advances) this.events.emit(advance, source)
    })
  }
}
