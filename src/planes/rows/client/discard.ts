import type { RowName } from './client-error.ts'
import { localKeyJson } from './incoming.ts'
import { keyValue } from './row-json.ts'
import type { SyncCore } from './sync-core.ts'
import { transactApplying } from './transaction.ts'

/**
 * Drops dirty rows. One that the server never had goes from its table too.
 *
 * @returns whether some of them have to be fetched from the server again
 */
export function discard({ db, catalog }: SyncCore, rows: readonly RowName[]): boolean {
  return transactApplying(db, () => {
    let mustRebuild = false
    for (const { table: name, key } of rows) {
      const table = catalog.byName.get(name.toLowerCase())
      if (table === undefined) continue
      const keyJson = localKeyJson(table, key)
      const dropped = db.run(
        'DELETE FROM _sync_dirty_rows WHERE table_name = ? AND key_json = ?',
        table.name,
        keyJson,
      )
      if (dropped === 0) continue
      const known = db.get(
        'SELECT 1 FROM _sync_row_state WHERE table_name = ? AND key_json = ?',
        table.name,
        keyJson,
      )
      if (known !== undefined) mustRebuild = true
      else db.run(`DELETE FROM ${table.sql} WHERE ${table.key.sql} = ${keyValue(table, '?')}`, keyJson)
    }
    return mustRebuild
  })
}
