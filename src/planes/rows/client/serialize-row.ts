import { localKeyJson } from './incoming.ts'
import { keyValue, localJson } from './row-json.ts'
import type { SyncCore } from './sync-core.ts'

/** Local JSON of a row (§8.16); undefined if it is not there. */
export function serializeRow({ db, catalog }: SyncCore, tableName: string, key: string): string | undefined {
  const table = catalog.byName.get(tableName.toLowerCase())
  if (table === undefined) return undefined
  const row = db.get(
    `SELECT ${localJson(table, 't')} AS json FROM ${table.sql} t WHERE t.${table.key.sql} = ${keyValue(table, '?')}`,
    localKeyJson(table, key),
  )
  return row === undefined ? undefined : String(row.json)
}
