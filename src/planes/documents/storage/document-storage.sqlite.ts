import type { Store } from '../../../kernel/store.ts'
import type { SqliteTx } from '../../../stores/sqlite/sqlite-tx.ts'
import { type DocumentLimits, defaultDocumentLimits } from '../document-limits.ts'
import { SqliteDocumentBatch } from './document-batch.sqlite.ts'
import { documentMigrations } from './document-schema.sqlite.ts'
import type { BatchOptions, DocumentBatch, DocumentStorage, DocumentView } from './document-storage.ts'
import { createEntryCache } from './entry-cache.ts'

export interface SqliteDocumentStorageOptions {
  readonly store: Store<SqliteTx>
  readonly limits?: DocumentLimits
}

/** Opens the databases kept in a store, bringing its tables up to date first. */
export async function createSqliteDocumentStorage(
  options: SqliteDocumentStorageOptions,
): Promise<SqliteDocumentStorage> {
  await options.store.migrate(documentMigrations)
  return new SqliteDocumentStorage(options)
}

/** Databases in SQLite, in the same transactions as everything else of the store. */
export class SqliteDocumentStorage implements DocumentStorage<SqliteTx> {
  readonly #store: Store<SqliteTx>
  readonly #limits: DocumentLimits
  readonly #cache = createEntryCache()
  readonly #batches = new WeakMap<SqliteTx, SqliteDocumentBatch>()

  constructor({ store, limits = defaultDocumentLimits }: SqliteDocumentStorageOptions) {
    this.#store = store
    this.#limits = limits
  }

  write<T>(work: (batch: DocumentBatch, tx: SqliteTx) => T | Promise<T>, options?: BatchOptions): Promise<T> {
    return this.#store.transaction(async (tx) => {
      const batch = this.batchIn(tx)
      const result = await work(batch, tx)
      batch.flush()
      return result
    }, options)
  }

  read<T>(work: (view: DocumentView) => T | Promise<T>): Promise<T> {
    return this.#store.read((tx) => work(new SqliteDocumentBatch(tx, this.#cache, this.#limits)))
  }

  batchIn(tx: SqliteTx): DocumentBatch {
    let batch = this.#batches.get(tx)
    if (batch !== undefined) return batch
    batch = new SqliteDocumentBatch(tx, this.#cache, this.#limits)
    this.#batches.set(tx, batch)
    const { added, flush } = batch
    tx.beforeCommit(batch, flush)
    tx.afterCommit(() => {
      for (const sealed of added.values()) this.#cache.set(sealed.id, sealed)
    })
    // What was read back inside it may have gone with it.
    tx.onRollback(() => this.#cache.clear())
    return batch
  }
}
