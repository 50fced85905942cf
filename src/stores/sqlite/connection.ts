import type { DatabaseSync, StatementSync } from 'node:sqlite'

/** Statements kept prepared per connection; the least recently used goes first. Bounds memory where SQL text varies. */
const maxStatements = 256

/** One open database with its prepared statements. */
export class Connection implements Disposable {
  readonly db: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()
  readonly #unfinished = new Map<StatementSync, Iterator<unknown>>()

  constructor(db: DatabaseSync) {
    this.db = db
  }

  /** The statement of this text, shared by all who ask: two loops over one text at the same time are one too many. */
  prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql)
    if (statement === undefined) {
      statement = this.#tracked(this.db.prepare(sql))
      const oldest = this.#statements.size < maxStatements ? undefined : this.#statements.keys().next().value
      if (oldest !== undefined) this.#statements.delete(oldest)
    } else this.#statements.delete(sql)
    this.#statements.set(sql, statement)
    return statement
  }

  /**
   * Ends the loops that were left half way. An iterator that is neither drained nor returned keeps its snapshot past
   * COMMIT, and every later transaction of the connection would read that old state.
   */
  finishLoops(): void {
    if (this.#unfinished.size === 0) return
    for (const rows of this.#unfinished.values()) rows.return?.()
    this.#unfinished.clear()
  }

  /** Finalizes every statement too: whoever still holds one gets an error instead of access. */
  close(): void {
    this.#unfinished.clear()
    this.#statements.clear()
    if (this.db.isOpen) this.db.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #tracked(statement: StatementSync): StatementSync {
    const iterate = statement.iterate.bind(statement) as StatementSync['iterate']
    statement.iterate = ((...parameters: Parameters<StatementSync['iterate']>) => {
      const rows = iterate(...parameters)
      // Running a statement again invalidates its former loop, so the newest is the only one to keep.
      this.#unfinished.set(statement, rows)
      return rows
    }) as StatementSync['iterate']
    return statement
  }
}
