import { type PushConflict, pushConflictResponseSchema } from '../wire/error.ts'
import { formatJson, parseJson } from '../wire/json-text.ts'
import { isJsonObject, type JsonObject } from '../wire/json-value.ts'
import type { Operation } from '../wire/operation.ts'
import { type ApplyMode, applyTransaction, writeBesideEdits } from './apply.ts'
import type { TableChange } from './change-feed.ts'
import { isRowsClientError, RowsClientError } from './client-error.ts'
import type { Conflict, Resolution } from './conflict-resolver.ts'
import {
  incomingRow,
  incomingTable,
  keyText,
  loadIncoming,
  localKeyJson,
  prepareIncoming,
} from './incoming.ts'
import type { LocalTable } from './local-table.ts'
import { readOutboxRow, thaw } from './outbox.ts'
import { keyValue, localJson, wireJson } from './row-json.ts'
import { sqlNow } from './sql-text.ts'
import type { SqliteDriver } from './sqlite-driver.ts'
import type { SyncCore } from './sync-core.ts'
import { transact } from './transaction.ts'

/** What became of the row on the server: it is there, it was deleted, or it never was (§8.9). */
type Shape = 'live' | 'tomb' | 'none'

/** The edit as it is now: what was pushed, or what was done to the row since. */
interface Intent {
  readonly op: Operation
  readonly baseRowVersion: number
  readonly localPayload: string | null
}

/** A resolver that keeps being overtaken by edits of the row is asked so often, and then next time. */
const maxQuestions = 5

/**
 * Resolves the conflict that refused a push and returns all its other rows to the dirty rows, in one transaction. The next
 * freeze sends what is left.
 *
 * @returns the row it was about
 * @throws RowsClientError `rows/invalid-resolution`, after returning all rows; the refusal itself if it is about no row of ours
 */
export async function resolveConflict(
  core: SyncCore,
  refusal: RowsClientError<'rows/server-refused'>,
): Promise<string> {
  const response = pushConflictResponseSchema.safeParse(refusal.details.body)
  if (!response.success) throw refusal
  const { conflict } = response.data
  const table = core.catalog.byName.get(conflict.table)
  const key = table === undefined ? undefined : conflict.key[table.key.name]
  if (table === undefined || key === undefined || conflict.schema !== core.catalog.schema)
    throw aboutNothing(refusal, response.data)
  const keyJson = localKeyJson(table, key)
  for (let i = 0; i < maxQuestions; i++) {
    const intent = readIntent(core.db, table, keyJson)
    if (intent === undefined) throw aboutNothing(refusal, response.data)
    const resolution = await ask(core, table, keyJson, conflict, intent)
    if (settle(core, table, keyJson, conflict, intent, resolution)) return `${table.name} ${keyJson}`
  }
  transact(core.db, () => thaw(core.db))
  return `${table.name} ${keyJson}`
}

function aboutNothing(
  refusal: RowsClientError<'rows/server-refused'>,
  response: RowsClientError<'rows/push-conflict'>['details']['response'],
): RowsClientError<'rows/push-conflict'> {
  return new RowsClientError(
    'rows/push-conflict',
    `the server reports a conflict on a row that was not pushed: ${refusal.message}`,
    { status: refusal.details.status, response },
    refusal,
  )
}

function readIntent(db: SqliteDriver, table: LocalTable, keyJson: string): Intent | undefined {
  const pushed = readOutboxRow(db, table.name, keyJson)
  if (pushed === undefined) return undefined
  const newer = db.get(
    'SELECT payload FROM _sync_dirty_rows WHERE table_name = ? AND key_json = ?',
    table.name,
    keyJson,
  )
  if (newer === undefined) return pushed
  if (newer.payload === null) return { ...pushed, op: 'DELETE', localPayload: null }
  return { ...pushed, op: pushed.op === 'DELETE' ? 'INSERT' : pushed.op, localPayload: String(newer.payload) }
}

/** Undefined where there is no usable answer. */
async function ask(
  { db, settings, catalog }: SyncCore,
  table: LocalTable,
  keyJson: string,
  conflict: PushConflict,
  intent: Intent,
): Promise<Resolution | undefined> {
  const question: Conflict = {
    schema: catalog.schema,
    table: table.name,
    key: conflict.key[table.key.name]!,
    localOp: intent.op,
    localPayload: toWire(db, table, intent.localPayload),
    baseRowVersion: intent.baseRowVersion,
    serverRowVersion: conflict.server_row_version,
    serverRowDeleted: conflict.server_row_deleted,
    serverRowPayload: conflict.server_row,
  }
  try {
    const resolution = await settings.resolver(question)
    return isValid(table, keyText(table, keyJson), question, resolution) ? resolution : undefined
  } catch (error) {
    settings.log.warn('the conflict resolver failed', { error, table: table.name })
    return undefined
  }
}

function toWire(db: SqliteDriver, table: LocalTable, localPayload: string | null): JsonObject | null {
  if (localPayload === null) return null
  const row = db.get(`SELECT ${wireJson(table, 'p')} AS json FROM (SELECT ? AS p)`, localPayload)
  return parseJson(String(row!.json)) as JsonObject
}

/** The table of §8.9. */
function isValid(
  table: LocalTable,
  key: string,
  conflict: Conflict,
  resolution: unknown,
): resolution is Resolution {
  if (typeof resolution !== 'object' || resolution === null) return false
  const { kind, payload } = resolution as { readonly kind?: unknown; readonly payload?: unknown }
  const shape = shapeOf(conflict.serverRowPayload !== null, conflict.serverRowDeleted)
  if (kind === 'accept-server') return true
  if (kind !== 'keep-local' && kind !== 'keep-merged') return false
  if (conflict.localOp === 'INSERT' && shape === 'none') return false
  if (conflict.localOp === 'UPDATE' && shape !== 'live') return false
  if (kind === 'keep-local') return true
  return conflict.localOp !== 'DELETE' && isWholeRow(table, key, payload)
}

function isWholeRow(table: LocalTable, key: string, payload: unknown): boolean {
  if (!isJsonObject(payload)) return false
  const isWhole = table.columns.every(({ name }) => Object.hasOwn(payload, name))
  return isWhole && Object.keys(payload).length === table.columns.length && payload[table.key.name] === key
}

function shapeOf(exists: boolean, deleted: boolean): Shape {
  return exists ? 'live' : deleted ? 'tomb' : 'none'
}

/** @returns false if the row was edited while the resolver thought: it has to be asked again */
function settle(
  core: SyncCore,
  table: LocalTable,
  keyJson: string,
  conflict: PushConflict,
  asked: Intent,
  resolution: Resolution | undefined,
): boolean {
  const { db } = core
  const unchanged = () => readIntent(db, table, keyJson)?.localPayload === asked.localPayload
  if (resolution === undefined) {
    transact(db, () => thaw(db))
    throw new RowsClientError(
      'rows/invalid-resolution',
      `the conflict resolver gave no usable answer for ${table.name} ${keyText(table, keyJson)}; the edits are kept and wait for the next push`,
    )
  }
  let changes: readonly TableChange[] = []
  const work = (mode: ApplyMode, write: boolean): boolean => {
    if (!unchanged()) return false
    prepareIncoming(db)
    dropIntent(db, table, keyJson)
    thaw(db)
    if (resolution.kind === 'accept-server') {
      if (write) acceptServer(core, table, keyJson, conflict, mode)
    } else keep(core, table, keyJson, conflict, asked, resolution, mode)
    changes = core.changes.collect(db, core.catalog)
    return true
  }
  let done: boolean
  try {
    done = applyTransaction(db, (mode) => work(mode, true))
  } catch (error) {
    const unfit = isRowsClientError(error, 'rows/cannot-apply', 'rows/dirty-rows')
    if (!unfit || resolution.kind !== 'accept-server') throw error
    // The row may refer to one that comes with a bundle not pulled yet: the pull will bring both.
    done = applyTransaction(db, (mode) => work(mode, false))
  }
  core.changes.publish('conflict', changes)
  return done
}

function dropIntent(db: SqliteDriver, table: LocalTable, keyJson: string): void {
  for (const name of ['_sync_outbox_rows', '_sync_dirty_rows'])
    db.run(`DELETE FROM ${name} WHERE table_name = ? AND key_json = ?`, table.name, keyJson)
}

function acceptServer(
  core: SyncCore,
  table: LocalTable,
  keyJson: string,
  conflict: PushConflict,
  mode: ApplyMode,
): void {
  const { db, catalog } = core
  const shape = shapeOf(conflict.server_row !== null, conflict.server_row_deleted)
  if (shape === 'none') {
    db.run(`DELETE FROM ${table.sql} WHERE ${table.key.sql} = ${keyValue(table, '?')}`, keyJson)
    db.run('DELETE FROM _sync_row_state WHERE table_name = ? AND key_json = ?', table.name, keyJson)
    return
  }
  loadIncoming(db, [
    incomingRow(catalog, {
      schema: catalog.schema,
      table: table.name,
      key: conflict.key,
      op: shape === 'live' ? 'UPDATE' : 'DELETE',
      row_version: conflict.server_row_version,
      payload: conflict.server_row,
    }),
  ])
  writeBesideEdits(db, catalog, mode)
}

function keep(
  core: SyncCore,
  table: LocalTable,
  keyJson: string,
  conflict: PushConflict,
  intent: Intent,
  resolution: Resolution,
  mode: ApplyMode,
): void {
  const { db, catalog } = core
  const shape = shapeOf(conflict.server_row !== null, conflict.server_row_deleted)
  if (intent.op === 'DELETE') {
    db.run(`DELETE FROM ${table.sql} WHERE ${table.key.sql} = ${keyValue(table, '?')}`, keyJson)
    if (shape === 'none')
      db.run('DELETE FROM _sync_row_state WHERE table_name = ? AND key_json = ?', table.name, keyJson)
    else setState(db, catalog.schema, table, keyJson, conflict.server_row_version, shape === 'tomb')
    if (shape === 'live')
      requeue(db, catalog.schema, table, keyJson, 'DELETE', conflict.server_row_version, null)
    return
  }
  let payload = intent.localPayload
  if (resolution.kind === 'keep-merged')
    payload = writeMerged(core, table, keyJson, conflict, resolution.payload, mode)
  setState(db, catalog.schema, table, keyJson, conflict.server_row_version, shape === 'tomb')
  requeue(
    db,
    catalog.schema,
    table,
    keyJson,
    shape === 'tomb' ? 'INSERT' : 'UPDATE',
    conflict.server_row_version,
    payload,
  )
}

/** @returns the local JSON of what was written */
function writeMerged(
  { db, catalog }: SyncCore,
  table: LocalTable,
  keyJson: string,
  conflict: PushConflict,
  payload: JsonObject,
  mode: ApplyMode,
): string {
  db.run(
    `INSERT INTO ${incomingTable} (row_ordinal, table_name, key_json, op, row_version, payload) VALUES (0, ?, ?, 'UPDATE', ?, ?)`,
    table.name,
    keyJson,
    conflict.server_row_version,
    formatJson(payload),
  )
  writeBesideEdits(db, catalog, mode)
  const written = db.get(
    `SELECT ${localJson(table, 't')} AS json FROM ${table.sql} t WHERE t.${table.key.sql} = ${keyValue(table, '?')}`,
    keyJson,
  )
  return String(written!.json)
}

function setState(
  db: SqliteDriver,
  schema: string,
  table: LocalTable,
  keyJson: string,
  version: number,
  deleted: boolean,
): void {
  db.run(
    `INSERT INTO _sync_row_state (schema_name, table_name, key_json, row_version, deleted) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (schema_name, table_name, key_json) DO UPDATE SET row_version = excluded.row_version,
       deleted = excluded.deleted, updated_at = ${sqlNow}`,
    schema,
    table.name,
    keyJson,
    version,
    Number(deleted),
  )
}

function requeue(
  db: SqliteDriver,
  schema: string,
  table: LocalTable,
  keyJson: string,
  op: Operation,
  base: number,
  payload: string | null,
): void {
  db.run(
    `INSERT INTO _sync_dirty_rows (schema_name, table_name, key_json, op, base_row_version, payload, dirty_ordinal)
     VALUES (?, ?, ?, ?, ?, ?, coalesce((SELECT max(dirty_ordinal) FROM _sync_dirty_rows), 0) + 1)`,
    schema,
    table.name,
    keyJson,
    op,
    base,
    payload,
  )
}
