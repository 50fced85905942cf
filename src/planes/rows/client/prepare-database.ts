import { installTriggers } from './capture-triggers.ts'
import type { RowsClientSettings } from './client-config.ts'
import { RowsClientError } from './client-error.ts'
import type { Catalog } from './incoming.ts'
import { orderTables, readTables } from './local-table.ts'
import { createMetadata } from './metadata-schema.ts'
import { defineRowFunctions } from './row-json.ts'
import type { SqliteDriver } from './sqlite-driver.ts'
import { readAttachment, updateAttachment } from './sync-state.ts'
import { transact } from './transaction.ts'

/** Makes a database ready for sync, all of it or nothing: settings, metadata, checked tables, triggers (§8.1). */
export function prepareDatabase({ db, schema, tables: configs }: RowsClientSettings): Catalog {
  if (db.inTransaction)
    throw new RowsClientError('rows/database-busy', 'the database has a transaction open; end it first')
  db.exec('PRAGMA foreign_keys = ON')
  // Not every file system offers it; nothing but speed depends on it.
  db.get('PRAGMA journal_mode = WAL')
  defineRowFunctions(db)
  return transact(db, () => {
    createMetadata(db)
    // A process that died while it applied rows cannot have left this on: it is part of that transaction. A tool may have.
    db.exec('UPDATE _sync_apply_state SET apply_mode = 0')
    claimSchema(db, schema)
    const tables = readTables(db, configs)
    installTriggers(db, schema, tables)
    for (const { name } of tables)
      db.run(
        'INSERT INTO _sync_managed_tables (schema_name, table_name) VALUES (?, ?) ON CONFLICT DO NOTHING',
        schema,
        name,
      )
    return {
      schema,
      tables: orderTables(tables),
      byName: new Map(tables.map((table) => [table.name, table])),
    }
  })
}

/** One schema of the server per database. */
function claimSchema(db: SqliteDriver, schema: string): void {
  const stored = readAttachment(db).schema
  if (stored !== '' && stored !== schema)
    throw new RowsClientError(
      'rows/other-schema',
      `this database syncs with schema ${stored} of the server, not with ${schema}; use one database per schema`,
      { stored, configured: schema },
    )
  if (stored === '') updateAttachment(db, { schema })
}
