import type { Logger } from '../../../kernel/logger.ts'
import { type Catalog, incomingTable, keyText } from './incoming.ts'
import type { SqliteDriver } from './sqlite-driver.ts'

/** Rows of one table that sync wrote. */
export interface TableChange {
  readonly table: string
  /** Texts of the sync keys, a BLOB key as dashed UUID; `all` where they are too many to name. */
  readonly keys: readonly string[] | 'all'
}

/** What one transaction of sync changed in the application's tables. Edits of the application itself are not in it. */
export interface RowsChange {
  readonly origin: 'push' | 'pull' | 'snapshot' | 'conflict' | 'detach'
  readonly tables: readonly TableChange[]
}

/** Beyond so many keys of one table a listener reads the table again anyway. */
const maxKeys = 1_000

/** Tells the application, after each commit, which of its rows sync wrote. */
export class ChangeFeed {
  readonly #listeners = new Set<(change: RowsChange) => void>()
  readonly #log: Logger

  constructor(log: Logger) {
    this.#log = log
  }

  /** @returns a function that ends the subscription */
  subscribe(listener: (change: RowsChange) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** A listener that throws keeps neither the others nor sync from going on. */
  publish(origin: RowsChange['origin'], tables: readonly TableChange[]): void {
    if (tables.length === 0) return
    for (const listener of this.#listeners)
      try {
        listener({ origin, tables })
      } catch (error) {
        this.#log.warn('a listener to changes of rows failed', { error })
      }
  }

  /** What a transaction wrote from the incoming rows; empty while nobody listens. */
  collect(db: SqliteDriver, { byName }: Catalog): readonly TableChange[] {
    if (this.#listeners.size === 0) return []
    const keys = new Map<string, string[]>()
    for (const row of db.iterate(
      `SELECT table_name, key_json FROM ${incomingTable} WHERE held = 0 ORDER BY row_ordinal`,
    )) {
      const table = String(row.table_name)
      const list = keys.get(table) ?? []
      keys.set(table, list)
      if (list.length <= maxKeys) list.push(keyText(byName.get(table)!, String(row.key_json)))
    }
    return [...keys].map(([table, list]) => ({ table, keys: list.length > maxKeys ? 'all' : list }))
  }
}
