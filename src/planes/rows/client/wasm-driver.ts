import type { Database, PreparedStatement, Sqlite3Static } from '@sqlite.org/sqlite-wasm'
import type { SqliteDriver, SqlRow, SqlValue } from './sqlite-driver.ts'

/** Statements kept prepared; the least recently used goes first. */
const maxStatements = 128

/**
 * The rows client on `@sqlite.org/sqlite-wasm`, whose synchronous interface lives in a worker. The application keeps the
 * database and closes it after the client.
 */
export function wasmDriver(sqlite3: Sqlite3Static, db: Database): SqliteDriver {
  const statements = new StatementCache(db)
  const autocommit = () => sqlite3.capi.sqlite3_get_autocommit(db.pointer!) !== 0
  const name = db.filename
  return {
    // Databases of the origin private file system belong to one connection; only its name tells two of them apart.
    identity: name === '' || name === ':memory:' ? db : `${db.dbVfsName() ?? ''}:${name}`,
    get inTransaction() {
      return !autocommit()
    },
    exec: (sql) => {
      db.exec(sql)
    },
    run: (sql, ...parameters) => {
      statements.use(sql, parameters, (statement) => {
        while (statement.step());
      })
      return db.changes()
    },
    get: (sql, ...parameters) =>
      statements.use(sql, parameters, (statement) => (statement.step() ? row(statement) : undefined)),
    all: (sql, ...parameters) =>
      statements.use(sql, parameters, (statement) => {
        const rows: SqlRow[] = []
        while (statement.step()) rows.push(row(statement))
        return rows
      }),
    iterate: (sql, ...parameters) => statements.iterate(sql, parameters),
    define: (functionName, run) => {
      db.createFunction({
        name: functionName,
        xFunc: (_context, ...values) => run(...(values as SqlValue[])),
        arity: run.length,
        deterministic: true,
      })
    },
  }
}

function row(statement: PreparedStatement): SqlRow {
  return statement.get({}) as SqlRow
}

class StatementCache {
  readonly #db: Database
  readonly #idle = new Map<string, PreparedStatement>()

  constructor(db: Database) {
    this.#db = db
  }

  use<T>(sql: string, parameters: readonly SqlValue[], work: (statement: PreparedStatement) => T): T {
    const statement = this.#take(sql)
    try {
      if (parameters.length > 0) statement.bind([...parameters])
      return work(statement)
    } finally {
      this.#giveBack(sql, statement)
    }
  }

  *iterate(sql: string, parameters: readonly SqlValue[]): Iterable<SqlRow> {
    const statement = this.#take(sql)
    try {
      if (parameters.length > 0) statement.bind([...parameters])
      while (statement.step()) yield row(statement)
    } finally {
      this.#giveBack(sql, statement)
    }
  }

  /** A statement in use is in no map, so that a loop and another user of the same text get one each. */
  #take(sql: string): PreparedStatement {
    const statement = this.#idle.get(sql)
    if (statement === undefined) return this.#db.prepare(sql)
    this.#idle.delete(sql)
    return statement
  }

  #giveBack(sql: string, statement: PreparedStatement): void {
    // After a failed step the reset reports that failure once more; it was thrown already.
    statement.resetNoThrow(true)
    this.#idle.get(sql)?.finalize()
    this.#idle.delete(sql)
    this.#idle.set(sql, statement)
    if (this.#idle.size <= maxStatements) return
    const [oldest] = this.#idle
    oldest![1].finalize()
    this.#idle.delete(oldest![0])
  }
}
