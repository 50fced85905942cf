import type { LocalTable } from './local-table.ts'
import { keyJson, localJson } from './row-json.ts'
import { sqlName, sqlNow, sqlText } from './sql-text.ts'
import type { SqliteDriver } from './sqlite-driver.ts'

/** What a write of the application fails with while a rebuild or the recovery of the source is pending (§8.4). */
const transitionPendingMessage = 'SYNC_TRANSITION_PENDING'
/** What a write of NaN or an infinity fails with: JSON, and so the wire, has no number for it. */
const notFiniteMessage = 'SYNC_VALUE_NOT_FINITE'

const applying = '(SELECT apply_mode FROM _sync_apply_state WHERE singleton_key = 1)'
const transition = `(SELECT kind FROM _sync_operation_state WHERE singleton_key = 1) <> 'none'`

interface Trigger {
  readonly name: string
  readonly sql: string
}

/**
 * Guards and capture (§8.4). Capture coalesces into one dirty row per key that keeps its first base version and ordinal.
 * The AFTER triggers see cascades and writes of the application's own triggers too. They do not see the rows that `INSERT OR
 * REPLACE` removes unless `PRAGMA recursive_triggers` is on.
 */
export function installTriggers(db: SqliteDriver, schema: string, tables: readonly LocalTable[]): void {
  for (const table of tables)
    for (const trigger of triggersOf(schema, table)) {
      const found = db.get(`SELECT sql FROM sqlite_schema WHERE type = 'trigger' AND name = ?`, trigger.name)
      if (found !== undefined && normalized(String(found.sql)) === normalized(trigger.sql)) continue
      db.exec(`DROP TRIGGER IF EXISTS ${sqlName(trigger.name)}; ${trigger.sql}`)
    }
}

/** The names of all triggers that the client may have put on a table, by the table's name. */
function triggerNames(table: string): readonly string[] {
  return ['bi_guard', 'bu_guard', 'bd_guard', 'ai', 'au', 'ad'].map((suffix) => `trg_${table}_${suffix}`)
}

function normalized(sql: string): string {
  return sql.replace(/\s+/g, ' ').trim().replace(/;$/, '')
}

function triggersOf(schema: string, table: LocalTable): readonly Trigger[] {
  const [guardInsert, guardUpdate, guardDelete, insert, update, remove] = triggerNames(table.name)
  const create = (name: string, event: string, when: string, body: readonly string[]): Trigger => ({
    name,
    sql: `CREATE TRIGGER ${sqlName(name)} ${event} ON ${table.sql} WHEN ${when} BEGIN ${body.join('; ')}; END`,
  })
  const blocked = `${transition} AND ${applying} <> 1`
  const abort = (message: string) => `SELECT RAISE(ABORT, ${sqlText(message)})`
  const oldKey = keyJson(table, 'OLD')
  const newKey = keyJson(table, 'NEW')
  const finite = refuseNotFinite(table)
  const upsert = capture(schema, table.name, newKey, localJson(table, 'NEW'))
  return [
    create(guardInsert!, 'BEFORE INSERT', blocked, [abort(transitionPendingMessage)]),
    create(guardUpdate!, 'BEFORE UPDATE', blocked, [abort(transitionPendingMessage)]),
    create(guardDelete!, 'BEFORE DELETE', blocked, [abort(transitionPendingMessage)]),
    create(insert!, 'AFTER INSERT', `${applying} = 0`, [...finite, upsert]),
    create(update!, 'AFTER UPDATE', `${applying} = 0`, [
      ...finite,
      capture(schema, table.name, oldKey, null, `WHERE ${oldKey} <> ${newKey}`),
      upsert,
    ]),
    create(remove!, 'AFTER DELETE', `${applying} = 0`, [capture(schema, table.name, oldKey, null)]),
  ]
}

/** A REAL that is not finite would become text of no JSON number; refusing the write says so where it can be mended. */
function refuseNotFinite(table: LocalTable): readonly string[] {
  const numeric = table.columns.filter(({ kind }) => kind === 'plain')
  if (numeric.length === 0) return []
  const infinite = numeric.map(({ sql }) => `(typeof(NEW.${sql}) = 'real' AND abs(NEW.${sql}) = 9e999)`)
  return [`SELECT RAISE(ABORT, ${sqlText(notFiniteMessage)}) WHERE ${infinite.join(' OR ')}`]
}

/** One dirty row, new or coalesced. `payload` null is a deletion. */
function capture(
  schema: string,
  table: string,
  key: string,
  payload: string | null,
  where = 'WHERE true',
): string {
  const state = `FROM _sync_row_state WHERE schema_name = ${sqlText(schema)} AND table_name = ${sqlText(table)} AND key_json = ${key}`
  const op =
    payload === null
      ? `'DELETE'`
      : `CASE WHEN EXISTS (SELECT 1 ${state} AND deleted = 0) THEN 'UPDATE' ELSE 'INSERT' END`
  return `INSERT INTO _sync_dirty_rows (schema_name, table_name, key_json, op, base_row_version, payload, dirty_ordinal, updated_at)
    SELECT ${sqlText(schema)}, ${sqlText(table)}, ${key}, ${op}, coalesce((SELECT row_version ${state}), 0), ${payload ?? 'NULL'},
      coalesce((SELECT max(dirty_ordinal) FROM _sync_dirty_rows), 0) + 1, ${sqlNow} ${where}
    ON CONFLICT (schema_name, table_name, key_json) DO UPDATE SET op = excluded.op, payload = excluded.payload, updated_at = excluded.updated_at`
}

/** Captures the rows that were there before sync was: INSERTs in the order of the tables, then of their keys (§8.5 Open). */
export function captureExisting(db: SqliteDriver, schema: string, tables: readonly LocalTable[]): void {
  for (const table of tables)
    db.run(
      `INSERT INTO _sync_dirty_rows (schema_name, table_name, key_json, op, base_row_version, payload, dirty_ordinal, updated_at)
       SELECT ?, ?, ${keyJson(table, 't')}, 'INSERT', 0, ${localJson(table, 't')},
         (SELECT coalesce(max(dirty_ordinal), 0) FROM _sync_dirty_rows) + row_number() OVER (ORDER BY t.${table.key.sql}), ${sqlNow}
       FROM ${table.sql} t WHERE true
       ON CONFLICT (schema_name, table_name, key_json) DO NOTHING`,
      schema,
      table.name,
    )
}

/** Removes the client's triggers from a table, which may be gone itself. */
export function dropTriggers(db: SqliteDriver, table: string): void {
  for (const name of triggerNames(table)) db.exec(`DROP TRIGGER IF EXISTS ${sqlName(name)}`)
}
