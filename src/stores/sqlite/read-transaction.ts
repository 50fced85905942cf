import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { SyncError } from '../../kernel/sync-error.ts'
import type { Connection } from './connection.ts'
import type { SqliteTx } from './sqlite-tx.ts'

/** A snapshot for reading. It has no commit, so a hook on it would never run. */
export class ReadTransaction implements SqliteTx {
  readonly #connection: Connection
  #over = false

  constructor(connection: Connection) {
    this.#connection = connection
  }

  get db(): DatabaseSync {
    this.#assertOpen()
    return this.#connection.db
  }

  prepare(sql: string): StatementSync {
    this.#assertOpen()
    return this.#connection.prepare(sql)
  }

  beforeCommit(): void {
    throw readOnly()
  }

  afterCommit(): void {
    throw readOnly()
  }

  onRollback(): void {
    throw readOnly()
  }

  end(): void {
    this.#over = true
  }

  #assertOpen(): void {
    if (this.#over)
      throw new SyncError('internal/bug', 'a read was used after its work had ended or timed out')
  }
}

function readOnly(): SyncError {
  return new SyncError('internal/bug', 'a read was used for writing; use a transaction')
}
