import { realpathSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import { Connection } from '../../../stores/sqlite/connection.ts'
import type { SqliteDriver, SqlRow } from './sqlite-driver.ts'

/**
 * The rows client on `node:sqlite`. The application keeps the database: it may use the same connection, and closes it after
 * the client.
 */
export function nodeDriver(db: DatabaseSync): SqliteDriver {
  const connection = new Connection(db)
  const location = db.location()
  return {
    identity: location === null ? db : realpathSync(location),
    get inTransaction() {
      return db.isTransaction
    },
    exec: (sql) => db.exec(sql),
    run: (sql, ...parameters) => Number(connection.prepare(sql).run(...parameters).changes),
    get: (sql, ...parameters) => connection.prepare(sql).get(...parameters) as SqlRow | undefined,
    all: (sql, ...parameters) => connection.prepare(sql).all(...parameters) as SqlRow[],
    iterate: (sql, ...parameters) => connection.prepare(sql).iterate(...parameters) as Iterable<SqlRow>,
    define: (name, run) => db.function(name, { deterministic: true }, run),
  }
}
