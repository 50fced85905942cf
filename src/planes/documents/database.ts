import type { AuthSettings } from './auth/auth-settings.ts'
import { type FoundClaim, findClaims } from './auth/find-claims.ts'
import { covers, type Permission } from './auth/permission.ts'
import type { DatabaseCore, WriterIdentity } from './database-core.ts'
import { DocumentError } from './document-error.ts'
import { type SealedEntry, settingsStore } from './entry/entry.ts'
import { type DatabaseId, type EntryId, sortedIds } from './entry/entry-id.ts'
import type { PublicKey } from './entry/key-pair.ts'
import { treeDag } from './history/dag.ts'
import { assertInDatabase } from './history/reachability.ts'
import { difference } from './history/walk.ts'
import type { IngestResult } from './ingest/ingest-result.ts'
import type { CanonicalKey, DocumentView } from './storage/document-storage.ts'
import { Transaction, type TransactionStart } from './transaction.ts'
import type { WriteListener } from './write-events.ts'

export interface BeginOptions {
  /** The entries to build on; default: the verified frontier. */
  readonly tips?: readonly EntryId[]
  /** Who signs; default: who the database was opened as. */
  readonly identity?: WriterIdentity
}

/** One database, as this node has verified it. Entries that are merely held are never seen through it. */
export class Database {
  readonly id: DatabaseId
  readonly #core: DatabaseCore
  readonly #identity: WriterIdentity | undefined

  constructor(core: DatabaseCore, id: DatabaseId, identity?: WriterIdentity) {
    this.#core = core
    this.id = id
    this.#identity = identity
  }

  /** The key it was opened with. */
  get publicKey(): PublicKey | undefined {
    return this.#identity?.key.publicKey
  }

  /** The verified frontier, sorted. What was held and can be judged by now is judged first, as before every read. */
  async tips(): Promise<readonly EntryId[]> {
    await this.#core.settle(this.id)
    return await this.#core.read((view) => view.tips(this.id))
  }

  /**
   * What was received and cannot be judged yet, in canonical order: neither read nor served nor built on, and nothing of it
   * is known to be true. What was found bad is not among it.
   */
  held(): Promise<readonly SealedEntry[]> {
    return this.#core.read((view) => view.listByStatus(this.id, 'unverified'))
  }

  /** Number of verified entries. */
  count(): Promise<number> {
    return this.#core.read((view) => view.count(this.id))
  }

  /** A verified entry of this database. Throws `document/unknown-entry`, `document/foreign`. */
  async entry(id: EntryId): Promise<SealedEntry> {
    return await this.#core.read((view) => {
      assertInDatabase(view, this.id, [id])
      return view.entry(id)!
    })
  }

  /** Verified entries in canonical order, parents before children, a page at a time. */
  async *entries(after?: CanonicalKey): AsyncGenerator<SealedEntry> {
    for (let last = after; ; ) {
      const page = await this.#core.read((view) => view.list(this.id, { after: last, limit: 500 }))
      yield* page
      const end = page.at(-1)
      if (end === undefined) return
      last = { height: end.entry.height, id: end.id }
    }
  }

  /**
   * Begins a transaction. Dispose it, or commit it.
   *
   * @throws DocumentError `document/unknown-entry`, `document/foreign`, `document/bad-parents` for tips that cannot be
   *   built on
   */
  async begin({ tips, identity = this.#identity }: BeginOptions = {}): Promise<Transaction> {
    const start = await this.#start(tips)
    return new Transaction({ core: this.#core, start, identity, writable: true })
  }

  /** Commits what `work` did, or nothing when it throws. Answers the id of the entry. */
  async transact(work: (transaction: Transaction) => unknown, options?: BeginOptions): Promise<EntryId> {
    using transaction = await this.begin(options)
    await work(transaction)
    return await transaction.commit()
  }

  /** Reads stores as of some tips, by default the frontier. Dispose it: what it reads is kept while it is open. */
  async view(tips?: readonly EntryId[]): Promise<Transaction> {
    const start = await this.#start(tips)
    return new Transaction({ core: this.#core, start, identity: undefined, writable: false })
  }

  /** Reads in a view and closes it. */
  async read<T>(work: (view: Transaction) => T | Promise<T>, tips?: readonly EntryId[]): Promise<T> {
    using view = await this.view(tips)
    return await work(view)
  }

  /** Who may do what, as of the frontier. */
  async auth(): Promise<AuthSettings> {
    return (await this.#start()).settings.auth
  }

  /** How a key can act here: directly, under the global grant, through a database it is known in; strongest first. */
  findClaims(key: PublicKey): Promise<readonly FoundClaim[]> {
    return this.#core.read((view) => {
      const { settings } = this.#at(view, view.tips(this.id))
      return findClaims(view, this.#core.history, settings.auth, key)
    })
  }

  /** Whether a key may do this here, in whatever way. */
  async canAccess(key: PublicKey, needed: Permission): Promise<boolean> {
    const [strongest] = await this.findClaims(key)
    return strongest !== undefined && covers(strongest.permission, needed)
  }

  /**
   * Entries reachable from `post` and not from `previous`, parents first: what a write event is about. Empty when the
   * bracket runs backwards, instead of the whole history.
   */
  async idsAdded(previous: readonly EntryId[], post: readonly EntryId[]): Promise<readonly EntryId[]> {
    return await this.#core.read((view) => {
      const dag = treeDag(view, this.id)
      return difference(dag, post, previous).map(({ id }) => id)
    })
  }

  /**
   * Calls the listener after each durable write that moved the frontier. The first event starts at `since`, by default
   * the frontier as it is now; each later one where the one before ended. Dispose the registration to stop.
   */
  onWrite(listener: WriteListener, since?: readonly EntryId[]): Promise<Disposable> {
    return this.#core.write((batch) => {
      // In the queue of writes, so that none falls between reading the frontier and being registered.
      const cursor = since ?? batch.tips(this.id)
      return this.#core.events.on(this.id, cursor, listener)
    })
  }

  /** Judges again what is held. It happens by itself whenever something arrives that was waited for. */
  verify(): Promise<IngestResult> {
    return this.#core.write((batch) => this.#core.recheck(batch, this.id))
  }

  async #start(tips?: readonly EntryId[]): Promise<TransactionStart> {
    if (tips === undefined) await this.#core.settle(this.id)
    return await this.#core.read((view) => {
      const frontier = view.tips(this.id)
      if (frontier.length === 0)
        throw new DocumentError('document/unknown-database', `the database ${this.id} is not here`)
      if (tips === undefined) return this.#at(view, frontier.slice(0, this.#core.limits.maxParents))
      if (tips.length === 0)
        throw new DocumentError('document/bad-parents', 'a transaction builds on something')
      assertInDatabase(view, this.id, tips)
      return this.#at(view, sortedIds(tips))
    })
  }

  #at(view: DocumentView, tips: readonly EntryId[]): TransactionStart {
    const { lineages, auth } = this.#core.history
    const lineage = lineages.at(view, this.id, tips)
    const settings = auth.at(view, this.id, lineage.tips(settingsStore))
    return { database: this.id, tips, lineage, settings }
  }
}
