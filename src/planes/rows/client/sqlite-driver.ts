/** An integer beyond ±2^53 is read as bigint or fails, and is never rounded: the client reads values of rows as JSON text. */
export type SqlValue = null | number | bigint | string | Uint8Array
export type SqlRow = Readonly<Record<string, SqlValue>>
/** A scalar SQL function; throwing fails the statement that called it. */
export type SqlFunction = (...values: readonly SqlValue[]) => SqlValue

/**
 * What the rows client needs from SQLite: one connection, used synchronously. Nothing of the application can come between
 * two calls of one transaction, also where the application shares the connection (§12 no. 18).
 *
 * Two implementations: `nodeDriver` (node:sqlite) and `wasmDriver` (@sqlite.org/sqlite-wasm, in a worker). Statements are
 * prepared once per text. SQLite 3.45 or later: the client relies on `->`, `unhex` and JSON of exact integers.
 */
export interface SqliteDriver {
  /**
   * Equal for two connections to one file, however its path is spelled; a private object for a database that nobody else
   * can open.
   */
  readonly identity: string | object
  /** Whether a transaction is open on the connection, by whomever it was begun. */
  readonly inTransaction: boolean
  /** Runs statements without parameters and without results. */
  exec(sql: string): void
  /** Answers how many rows the statement itself changed, those of triggers not counted. */
  run(sql: string, ...parameters: readonly SqlValue[]): number
  get(sql: string, ...parameters: readonly SqlValue[]): SqlRow | undefined
  all(sql: string, ...parameters: readonly SqlValue[]): readonly SqlRow[]
  /** One row at a time, for results that need not fit into memory. Must be drained or returned before the next call. */
  iterate(sql: string, ...parameters: readonly SqlValue[]): Iterable<SqlRow>
  /** Makes a deterministic function callable from SQL, with as many arguments as `run` names. */
  define(name: string, run: SqlFunction): void
}
