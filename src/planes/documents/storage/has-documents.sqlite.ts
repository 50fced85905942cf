import type { Store } from '../../../kernel/store.ts'
import type { SqliteTx } from '../../../stores/sqlite/sqlite-tx.ts'

/** Whether a store was ever opened for documents. Changes nothing, and loads nothing of them. */
export function hasDocuments(store: Store<SqliteTx>): Promise<boolean> {
  const sql = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'document_databases'"
  return store.read((tx) => tx.db.prepare(sql).get() !== undefined)
}
