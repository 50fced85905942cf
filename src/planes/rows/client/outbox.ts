import { BundleHasher } from '../wire/bundle-hash.ts'
import { canonicalText } from '../wire/canonical-pattern.ts'
import type { Operation } from '../wire/operation.ts'
import { RequestHasher } from '../wire/request-hash.ts'
import type { Sha256 } from '../wire/sha256.ts'
import type { LocalTable } from './local-table.ts'
import { wireJson, wireKey } from './row-json.ts'
import { sqlNow, sqlText } from './sql-text.ts'
import type { SqliteDriver, SqlRow } from './sqlite-driver.ts'
import { countDirty, nextSourceBundleId, readAttachment } from './sync-state.ts'
import { transact } from './transaction.ts'

/** The one push this database is trying to get committed (`_sync_outbox_bundle`). Its rows never change while it is there. */
export interface Outbox {
  /** `committed_remote`: the server has it, and its rows wait to be replayed. */
  readonly state: 'prepared' | 'committed_remote'
  readonly sourceId: string
  readonly sourceBundleId: number
  readonly requestHash: string
  readonly rowCount: number
  readonly initializationId: string
  /** Of a committed bundle; empty and 0 before. */
  readonly remoteHash: string
  readonly remoteSeq: number
  /** Known only to the process that froze it. */
  readonly asSent?: AsSent | undefined
}

/** The hash of the bundle that the outbox becomes if nobody else commits before, and the server stores it as it is sent. */
export interface AsSent {
  readonly bundleSeq: number
  /** Undefined where that cannot be told: an integer of many digits may be rounded by a 0.2.x server, which hashes alike. */
  readonly hash: string | undefined
}

export interface OutboxRow {
  readonly ordinal: number
  readonly table: string
  readonly keyJson: string
  readonly op: Operation
  readonly baseRowVersion: number
  readonly localPayload: string | null
}

export function readOutbox(db: SqliteDriver): Outbox | undefined {
  const row = db.get('SELECT * FROM _sync_outbox_bundle')!
  if (row.state !== 'prepared' && row.state !== 'committed_remote') return undefined
  return {
    state: row.state,
    sourceId: String(row.source_id),
    sourceBundleId: Number(row.source_bundle_id),
    requestHash: String(row.canonical_request_hash),
    rowCount: Number(row.row_count),
    initializationId: String(row.initialization_id),
    remoteHash: String(row.remote_bundle_hash),
    remoteSeq: Number(row.remote_bundle_seq),
  }
}

export interface FreezeOptions {
  readonly schema: string
  /** Parents first. */
  readonly tables: readonly LocalTable[]
  /** What the server takes in one bundle; what is over stays dirty for the next. */
  readonly maxRows: number
  readonly sha256: () => Sha256
}

/**
 * Moves the dirty rows into the outbox (§8.6), unless there is one already: upserts parents first, then deletions children
 * first, each in the order of the edits. Rows that say nothing (created and deleted before any sync) are dropped for good.
 */
export function freeze(
  db: SqliteDriver,
  { schema, tables, maxRows, sha256 }: FreezeOptions,
): Outbox | undefined {
  return transact(db, () => {
    const existing = readOutbox(db)
    if (existing !== undefined) return existing
    dropVoidEdits(db)
    const { sourceId, initializationId, lastBundleSeqSeen } = readAttachment(db)
    const sourceBundleId = nextSourceBundleId(db, sourceId)
    const rowCount = insertRows(db, schema, tables, sourceBundleId, maxRows)
    if (rowCount === 0) return undefined
    // All of them, as a rule: emptying the table costs next to nothing.
    if (rowCount === countDirty(db)) db.exec('DELETE FROM _sync_dirty_rows')
    else
      db.run(
        `DELETE FROM _sync_dirty_rows WHERE (schema_name, table_name, key_json) IN
           (SELECT schema_name, table_name, key_json FROM _sync_outbox_rows)`,
      )
    const { requestHash, asSent } = hashOutbox(db, tables, sourceBundleId, lastBundleSeqSeen + 1, sha256)
    db.run(
      `UPDATE _sync_outbox_bundle SET state = 'prepared', source_id = ?, source_bundle_id = ?, canonical_request_hash = ?,
         row_count = ?, initialization_id = ?, remote_bundle_hash = '', remote_bundle_seq = 0`,
      sourceId,
      sourceBundleId,
      requestHash,
      rowCount,
      initializationId,
    )
    return { ...readOutbox(db)!, asSent }
  })
}

/** Deletions of rows the server does not have. */
function dropVoidEdits(db: SqliteDriver): void {
  db.run(
    `DELETE FROM _sync_dirty_rows AS d WHERE payload IS NULL AND NOT EXISTS
       (SELECT 1 FROM _sync_row_state s WHERE s.schema_name = d.schema_name AND s.table_name = d.table_name
          AND s.key_json = d.key_json AND s.deleted = 0)`,
  )
}

function insertRows(
  db: SqliteDriver,
  schema: string,
  tables: readonly LocalTable[],
  sourceBundleId: number,
  maxRows: number,
): number {
  const byTable = (of: (table: LocalTable, i: number) => string, otherwise: string) =>
    `CASE d.table_name ${tables.map((table, i) => `WHEN ${sqlText(table.name)} THEN ${of(table, i)}`).join(' ')} ELSE ${otherwise} END`
  // Sorted without the payloads, which would be copied with every move.
  const order = `SELECT d.rowid AS id, row_number() OVER (ORDER BY d.payload IS NULL,
        iif(d.payload IS NULL, -1, 1) * ${byTable((_, i) => String(i), '0')}, d.dirty_ordinal, d.table_name, d.key_json) - 1 AS ordinal,
      CASE WHEN d.payload IS NULL THEN 'DELETE' WHEN s.deleted = 0 THEN 'UPDATE' ELSE 'INSERT' END AS op
    FROM _sync_dirty_rows d LEFT JOIN _sync_row_state s
      ON s.schema_name = d.schema_name AND s.table_name = d.table_name AND s.key_json = d.key_json
    WHERE d.schema_name = ? AND d.table_name IN (${tables.map(({ name }) => sqlText(name)).join(', ')})`
  return db.run(
    `INSERT INTO _sync_outbox_rows (source_bundle_id, row_ordinal, schema_name, table_name, key_json, wire_key_json, op,
       base_row_version, local_payload, wire_payload)
     SELECT ?, o.ordinal, d.schema_name, d.table_name, d.key_json, ${byTable((table) => wireKey(table, 'd.key_json'), 'd.key_json')},
       o.op, d.base_row_version, d.payload, ${byTable((table) => wireJson(table, 'd.payload'), 'd.payload')}
     FROM (${order}) o JOIN _sync_dirty_rows d ON d.rowid = o.id WHERE o.ordinal < ? ORDER BY o.ordinal`,
    sourceBundleId,
    schema,
    maxRows,
  )
}

/** Rows that are read at a time. */
const rowsPerRead = 2_000

/** The rows of a bundle as they are sent, in their order, from one ordinal to below another. */
const outboxInWireForm = `SELECT schema_name, table_name, wire_key_json, op, base_row_version, wire_payload
  FROM _sync_outbox_rows WHERE source_bundle_id = ? AND row_ordinal >= ? AND row_ordinal < ? ORDER BY row_ordinal`

interface Hashes {
  readonly requestHash: string
  readonly asSent: AsSent
}

/** Both hashes of one reading. */
function hashOutbox(
  db: SqliteDriver,
  tables: readonly LocalTable[],
  sourceBundleId: number,
  bundleSeq: number,
  sha256: () => Sha256,
): Hashes {
  const request = new RequestHasher(sha256)
  const bundle = new BundleHasher(sha256)
  const byName = new Map(tables.map((table) => [table.name, table]))
  let rounds = false
  for (let start = 0; ; start += rowsPerRead) {
    const rows = db.all(outboxInWireForm, sourceBundleId, start, start + rowsPerRead)
    for (const row of rows) {
      const { schema_name, table_name, wire_key_json, wire_payload } = row
      const [schema, table, op] = [String(schema_name), String(table_name), row.op as Operation]
      const local = byName.get(table)
      const key = canonicalText(String(wire_key_json), local?.canonicalKey)
      const payload = wire_payload === null ? undefined : String(wire_payload)
      const canonical = payload === undefined ? undefined : canonicalText(payload, local?.canonicalPayload)
      request.addCanonical(
        { schema, table, op, base_row_version: Number(row.base_row_version) },
        key,
        canonical,
      )
      bundle.addCanonical({ schema, table, op, row_version: bundleSeq }, key, canonical ?? 'null')
      rounds ||= payload !== undefined && mayRound.test(payload)
    }
    if (rows.length < rowsPerRead) break
  }
  return {
    requestHash: request.finish(),
    asSent: { bundleSeq, hash: rounds ? undefined : bundle.finish().hex },
  }
}

const mayRound = /\d{16}/

/** The hash the rows of the outbox have as the bundle `bundleSeq`, stored as they are. */
export function hashAsSent(
  db: SqliteDriver,
  tables: readonly LocalTable[],
  sourceBundleId: number,
  bundleSeq: number,
  sha256: () => Sha256,
): string | undefined {
  return hashOutbox(db, tables, sourceBundleId, bundleSeq, sha256).asSent.hash
}

export interface PushChunk {
  /** The rows as a JSON list, in wire form. */
  readonly rows: string
  readonly count: number
}

/** Rows from `start` on, as many as fit; at least one. */
export function readChunk(
  db: SqliteDriver,
  { sourceBundleId }: Outbox,
  start: number,
  maxRows: number,
  maxChars: number,
): PushChunk {
  const texts: string[] = []
  let length = 0
  while (texts.length < maxRows) {
    const first = start + texts.length
    const wanted = Math.min(rowsPerRead, maxRows - texts.length)
    const rows = db.all(outboxInWireForm, sourceBundleId, first, first + wanted)
    for (const row of rows) {
      const text = pushedRowText(row)
      if (texts.length > 0 && length + text.length > maxChars)
        return { rows: `[${texts.join(',')}]`, count: texts.length }
      texts.push(text)
      length += text.length
    }
    if (rows.length < wanted) break
  }
  return { rows: `[${texts.join(',')}]`, count: texts.length }
}

function pushedRowText({
  schema_name,
  table_name,
  wire_key_json,
  op,
  base_row_version,
  wire_payload,
}: SqlRow) {
  const payload = wire_payload === null ? '' : `,"payload":${wire_payload}`
  return `{"schema":${JSON.stringify(schema_name)},"table":${JSON.stringify(table_name)},"key":${wire_key_json},"op":"${op}","base_row_version":${base_row_version}${payload}}`
}

export function readOutboxRow(db: SqliteDriver, table: string, keyJson: string): OutboxRow | undefined {
  const row = db.get('SELECT * FROM _sync_outbox_rows WHERE table_name = ? AND key_json = ?', table, keyJson)
  if (row === undefined) return undefined
  return {
    ordinal: Number(row.row_ordinal),
    table,
    keyJson,
    op: row.op as Operation,
    baseRowVersion: Number(row.base_row_version),
    localPayload: row.local_payload === null ? null : String(row.local_payload),
  }
}

export function markCommitted(db: SqliteDriver, remoteSeq: number, remoteHash: string): void {
  db.run(
    `UPDATE _sync_outbox_bundle SET state = 'committed_remote', remote_bundle_seq = ?, remote_bundle_hash = ?`,
    remoteSeq,
    remoteHash,
  )
}

/**
 * Makes the rows of the outbox dirty again, before those edited since, and clears it. An edit made since keeps its payload:
 * it is the newer one, and was made on the same base. Call it in a transaction, and only when the server certainly did not
 * commit them: the tuple may then be used again, with other rows.
 */
export function thaw(db: SqliteDriver): void {
  db.run(
    `INSERT INTO _sync_dirty_rows (schema_name, table_name, key_json, op, base_row_version, payload, dirty_ordinal, updated_at)
     SELECT schema_name, table_name, key_json, op, base_row_version, local_payload,
       row_ordinal + (SELECT coalesce(min(dirty_ordinal), 1) FROM _sync_dirty_rows) - (SELECT count(*) FROM _sync_outbox_rows),
       ${sqlNow} FROM _sync_outbox_rows WHERE true
     ON CONFLICT (schema_name, table_name, key_json) DO UPDATE SET dirty_ordinal = excluded.dirty_ordinal`,
  )
  clearOutbox(db)
}

export function clearOutbox(db: SqliteDriver): void {
  db.exec(`DELETE FROM _sync_outbox_rows; UPDATE _sync_outbox_bundle SET state = 'none', source_id = '', source_bundle_id = 0,
    canonical_request_hash = '', row_count = 0, initialization_id = '', remote_bundle_hash = '', remote_bundle_seq = 0;
    DELETE FROM _sync_push_stage`)
}
