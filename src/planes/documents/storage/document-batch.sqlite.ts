import { SyncError } from '../../../kernel/sync-error.ts'
import type { ItemColumns, Key } from '../../../negentropy/index.ts'
import type { SqliteTx } from '../../../stores/sqlite/sqlite-tx.ts'
import type { DocumentLimits } from '../document-limits.ts'
import { databaseOf, type SealedEntry } from '../entry/entry.ts'
import { openEntry } from '../entry/entry-decoder.ts'
import {
  type DatabaseId,
  digestOf,
  type EntryId,
  entryIdOf,
  entryIdOfDigest,
  isEntryId,
  sortedIds,
} from '../entry/entry-id.ts'
import type {
  DocumentBatch,
  HeldEntry,
  ListedBytes,
  ListOptions,
  SavedState,
  Verification,
  Want,
} from './document-storage.ts'
import type { EntryCache } from './entry-cache.ts'

const codes: Readonly<Record<Verification, number>> = { verified: 0, failed: 1, unverified: 2 }
const names: readonly Verification[] = ['verified', 'failed', 'unverified']

interface EntryRow {
  readonly db: number
  readonly status: number
  readonly bytes: Uint8Array
}

interface MovedFrontier {
  readonly stored: ReadonlySet<EntryId>
  readonly tips: Set<EntryId>
  /** Entries verified since. */
  verified: number
}

/** One transaction's view of the documents in SQLite. In a read it can change nothing: the connection refuses. */
export class SqliteDocumentBatch implements DocumentBatch {
  readonly #tx: SqliteTx
  readonly #cache: EntryCache
  readonly #limits: DocumentLimits
  /** Verified in this transaction: nobody else may see them yet. */
  readonly added = new Map<EntryId, SealedEntry>()
  /** Numbers of databases, once they are known. */
  readonly #dbs = new Map<DatabaseId, number>()
  /** Frontiers this batch has moved and not written yet. */
  readonly #moved = new Map<number, MovedFrontier>()

  constructor(tx: SqliteTx, cache: EntryCache, limits: DocumentLimits) {
    this.#tx = tx
    this.#cache = cache
    this.#limits = limits
  }

  databases(): readonly DatabaseId[] {
    this.flush()
    const rows = this.#tx.prepare('SELECT id FROM document_databases WHERE verified > 0 ORDER BY id').all()
    return rows.map(({ id }) => entryIdOfDigest(id as Uint8Array))
  }

  status(id: EntryId): Verification | undefined {
    const row = this.#tx.prepare('SELECT status FROM document_entries WHERE id = ?').get(digestOf(id))
    return row === undefined ? undefined : nameOf(row.status)
  }

  present(ids: readonly EntryId[]): ReadonlySet<EntryId> {
    const sql = `SELECT entry.id FROM json_each(?) AS wanted
      JOIN document_entries AS entry ON entry.id = unhex(wanted.value)`
    return new Set(this.#ids(sql, JSON.stringify(ids.filter(isEntryId).map(hexOf))))
  }

  held(id: EntryId): HeldEntry | undefined {
    const row = this.#row(id)
    if (row === undefined) return undefined
    const sealed = this.#open(id, row.bytes)
    return { sealed, database: databaseOf(sealed), status: nameOf(row.status) }
  }

  entry(id: EntryId): SealedEntry | undefined {
    const cached = this.added.get(id) ?? this.#cache.get(id)
    if (cached !== undefined) return cached
    const row = this.#row(id)
    if (row === undefined || row.status !== codes.verified) return undefined
    const sealed = this.#open(id, row.bytes)
    this.#cache.set(id, sealed)
    return sealed
  }

  tips(database: DatabaseId): readonly EntryId[] {
    const db = this.#db(database)
    const moved = this.#moved.get(db)
    return moved === undefined ? this.#storedTips(db) : sortedIds(moved.tips)
  }

  count(database: DatabaseId): number {
    this.flush()
    const sql = 'SELECT verified FROM document_databases WHERE id = ?'
    return Number(this.#tx.prepare(sql).get(digestOf(database))?.verified ?? 0)
  }

  list(database: DatabaseId, { after, fromHeight = 0, limit }: ListOptions): readonly SealedEntry[] {
    const sql = `SELECT id, bytes FROM document_entries
      WHERE status = 0 AND db = ? AND (height, id) > (?, ?) ORDER BY height, id LIMIT ?`
    const id = after === undefined ? new Uint8Array(0) : digestOf(after.id)
    const rows = this.#tx.prepare(sql).all(this.#db(database), after?.height ?? fromHeight, id, limit)
    return rows.map((row) => this.#open(entryIdOfDigest(row.id as Uint8Array), row.bytes as Uint8Array))
  }

  listBytes(database: DatabaseId, { after, fromHeight = 0, limit }: ListOptions): readonly ListedBytes[] {
    const sql = `SELECT height, id, bytes FROM document_entries
      WHERE status = 0 AND db = ? AND (height, id) > (?, ?) ORDER BY height, id LIMIT ?`
    const from = after === undefined ? new Uint8Array(0) : digestOf(after.id)
    const rows = this.#tx.prepare(sql).all(this.#db(database), after?.height ?? fromHeight, from, limit)
    return rows.map((row) => {
      const [id, bytes] = [entryIdOfDigest(row.id as Uint8Array), row.bytes as Uint8Array]
      if (entryIdOf(bytes) !== id) throw damaged(id)
      return { key: { height: Number(row.height), id }, bytes }
    })
  }

  columns(database: DatabaseId, from: Key, to: Key | undefined): ItemColumns {
    const upper = to === undefined ? '' : 'AND (height, id) < (?, ?)'
    const sql = `SELECT height, id FROM document_entries
      WHERE status = 0 AND db = ? AND (height, id) >= (?, ?) ${upper} ORDER BY height, id`
    const bounds = [from, ...(to === undefined ? [] : [to])].flatMap(({ timestamp, id }) => {
      return [timestamp, Buffer.from(id, 'hex')]
    })
    const rows = this.#tx.prepare(sql).all(this.#db(database), ...bounds)
    const timestamps = new Float64Array(rows.length)
    const ids = new Uint8Array(rows.length * 32)
    for (const [i, { height, id }] of rows.entries()) {
      timestamps[i] = Number(height)
      ids.set(id as Uint8Array, i * 32)
    }
    return { timestamps, ids }
  }

  listByStatus(database: DatabaseId, status: 'unverified' | 'failed'): readonly SealedEntry[] {
    const sql = `SELECT id, bytes FROM document_entries
      WHERE status <> 0 AND db = ? AND status = ? ORDER BY height, id`
    const rows = this.#tx.prepare(sql).all(this.#db(database), codes[status])
    return rows.map((row) => this.#open(entryIdOfDigest(row.id as Uint8Array), row.bytes as Uint8Array))
  }

  isReady(database: DatabaseId): boolean {
    const missing = `SELECT 1 FROM document_wants AS want WHERE want.child = held.id AND NOT EXISTS (
      SELECT 1 FROM document_entries AS entry WHERE entry.id = want.id AND entry.status = 0)`
    const sql = `SELECT 1 FROM document_entries AS held
      WHERE status <> 0 AND db = ? AND status = 2 AND NOT EXISTS (${missing}) LIMIT 1`
    return this.#tx.prepare(sql).get(this.#db(database)) !== undefined
  }

  heldCount(database: DatabaseId, status: 'unverified' | 'failed' = 'unverified'): number {
    const sql = 'SELECT count(*) AS count FROM document_entries WHERE status <> 0 AND db = ? AND status = ?'
    return Number(this.#tx.prepare(sql).get(this.#db(database), codes[status])?.count)
  }

  wanted(database: DatabaseId, limit: number): readonly EntryId[] {
    const sql = `SELECT DISTINCT id FROM document_wants AS want WHERE db = ? AND ${notHeld} ORDER BY id LIMIT ?`
    return this.#ids(sql, this.#db(database), limit)
  }

  wantedDatabases(): readonly DatabaseId[] {
    const sql =
      'SELECT id FROM document_databases WHERE db IN (SELECT DISTINCT db FROM document_wants) ORDER BY id'
    return this.#ids(sql)
  }

  waitingFor(id: EntryId): readonly EntryId[] {
    return this.#ids('SELECT child AS id FROM document_wants WHERE id = ?', digestOf(id))
  }

  lineage(id: EntryId): Uint8Array | undefined {
    const row = this.#tx.prepare('SELECT body FROM document_lineages WHERE id = ?').get(digestOf(id))
    return row?.body as Uint8Array | undefined
  }

  states(database: DatabaseId, store: string): readonly SavedState[] {
    const sql = 'SELECT tips, count FROM document_states WHERE db = ? AND store = ? ORDER BY count DESC'
    const rows = this.#tx.prepare(sql).all(this.#db(database), store)
    return rows.map(({ tips, count }) => ({ tips: splitIds(tips as Uint8Array), count: Number(count) }))
  }

  state(database: DatabaseId, store: string, tips: readonly EntryId[]): Uint8Array | undefined {
    const sql = 'SELECT body FROM document_states WHERE db = ? AND store = ? AND tips = ?'
    return this.#tx.prepare(sql).get(this.#db(database), store, joinIds(tips))?.body as Uint8Array | undefined
  }

  value(key: string): string | undefined {
    const row = this.#tx.prepare('SELECT value FROM document_values WHERE key = ?').get(key)
    return row?.value as string | undefined
  }

  add(sealed: SealedEntry, status: 'verified' | 'unverified'): void {
    const db = this.#makeDb(databaseOf(sealed))
    const digest = digestOf(sealed.id)
    const sql = `INSERT INTO document_entries (id, db, height, status, bytes) VALUES (?, ?, ?, ?, ?)
      ON CONFLICT DO NOTHING`
    const { changes } = this.#tx
      .prepare(sql)
      .run(digest, db, sealed.entry.height, codes[status], sealed.bytes)
    if (changes === 0) return
    if (status !== 'verified') return
    this.added.set(sealed.id, sealed)
    this.#advance(db, sealed)
  }

  decide(id: EntryId, status: 'verified' | 'failed'): void {
    const digest = digestOf(id)
    const sql =
      'UPDATE document_entries SET status = ? WHERE id = ? AND status = 2 RETURNING db, status, bytes'
    const row = this.#tx.prepare(sql).get(codes[status], digest) as EntryRow | undefined
    if (row === undefined) return
    this.#tx.prepare('DELETE FROM document_wants WHERE child = ?').run(digest)
    if (status === 'verified') this.#advance(row.db, this.#open(id, row.bytes))
  }

  setWants(id: EntryId, wants: readonly Want[]): void {
    const child = digestOf(id)
    this.#tx.prepare('DELETE FROM document_wants WHERE child = ?').run(child)
    const sql = 'INSERT INTO document_wants (db, id, child) VALUES (?, ?, ?) ON CONFLICT DO NOTHING'
    for (const want of wants) this.#tx.prepare(sql).run(this.#makeDb(want.database), digestOf(want.id), child)
  }

  drop(id: EntryId): void {
    const digest = digestOf(id)
    this.#tx.prepare('DELETE FROM document_entries WHERE id = ? AND status <> 0').run(digest)
    this.#tx.prepare('DELETE FROM document_wants WHERE child = ?').run(digest)
  }

  saveLineage(id: EntryId, body: Uint8Array): void {
    const sql = 'INSERT INTO document_lineages (id, body) VALUES (?, ?) ON CONFLICT DO NOTHING'
    this.#tx.prepare(sql).run(digestOf(id), body)
  }

  saveState(
    database: DatabaseId,
    store: string,
    { tips, count }: SavedState,
    body: Uint8Array,
    keep: number,
  ): void {
    const db = this.#makeDb(database)
    const sql = `INSERT INTO document_states (db, store, tips, count, body) VALUES (?, ?, ?, ?, ?)
      ON CONFLICT DO UPDATE SET count = excluded.count, body = excluded.body`
    const key = joinIds(tips)
    this.#tx.prepare(sql).run(db, store, key, count, body)
    const prune = `DELETE FROM document_states WHERE db = ? AND store = ? AND tips NOT IN (
      SELECT tips FROM document_states WHERE db = ? AND store = ? ORDER BY tips = ? DESC, count DESC LIMIT ?)`
    this.#tx.prepare(prune).run(db, store, db, store, key, keep + 1)
  }

  clearStates(database?: DatabaseId): void {
    if (database === undefined) this.#tx.prepare('DELETE FROM document_states').run()
    else this.#tx.prepare('DELETE FROM document_states WHERE db = ?').run(this.#db(database))
  }

  setValue(key: string, value: string | undefined): void {
    const sql =
      'INSERT INTO document_values (key, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value'
    if (value === undefined) this.#tx.prepare('DELETE FROM document_values WHERE key = ?').run(key)
    else this.#tx.prepare(sql).run(key, value)
  }

  afterCommit(work: () => void): void {
    this.#tx.afterCommit(work)
  }

  onRollback(work: () => void): void {
    this.#tx.onRollback(work)
  }

  /** Bound: it is handed on as a hook. */
  readonly flush = (): void => {
    for (const [db, { stored, tips, verified }] of this.#moved) {
      const remove = this.#tx.prepare('DELETE FROM document_tips WHERE db = ? AND id = ?')
      for (const id of stored) if (!tips.has(id)) remove.run(db, digestOf(id))
      const insert = this.#tx.prepare('INSERT INTO document_tips (db, id) VALUES (?, ?)')
      for (const id of tips) if (!stored.has(id)) insert.run(db, digestOf(id))
      const sql = 'UPDATE document_databases SET verified = verified + ? WHERE db = ?'
      this.#tx.prepare(sql).run(verified, db)
    }
    this.#moved.clear()
  }

  /** A verified entry takes the place of its parents among the tips. It has no verified children yet. */
  #advance(db: number, { id, entry }: SealedEntry): void {
    let moved = this.#moved.get(db)
    if (moved === undefined) {
      const stored = new Set(this.#storedTips(db))
      moved = { stored, tips: new Set(stored), verified: 0 }
      this.#moved.set(db, moved)
    }
    for (const parent of entry.parents) moved.tips.delete(parent)
    moved.tips.add(id)
    moved.verified += 1
  }

  #storedTips(db: number): EntryId[] {
    return this.#ids('SELECT id FROM document_tips WHERE db = ? ORDER BY id', db)
  }

  #row(id: EntryId): EntryRow | undefined {
    const sql = 'SELECT db, status, bytes FROM document_entries WHERE id = ?'
    return this.#tx.prepare(sql).get(digestOf(id)) as EntryRow | undefined
  }

  /** What was stored was checked when it came in; if it no longer reads, the disk has changed it. */
  #open(id: EntryId, bytes: Uint8Array): SealedEntry {
    try {
      const sealed = openEntry(bytes, { ...this.#limits, maxEntryBytes: Number.MAX_SAFE_INTEGER })
      if (sealed.id === id) return sealed
    } catch (cause) {
      throw damaged(id, cause)
    }
    throw damaged(id)
  }

  /** 0 for a database nothing is known of: no row has it. */
  #db(database: DatabaseId): number {
    const known = this.#dbs.get(database)
    if (known !== undefined) return known
    const sql = 'SELECT db FROM document_databases WHERE id = ?'
    const db = Number(this.#tx.prepare(sql).get(digestOf(database))?.db ?? 0)
    if (db !== 0) this.#dbs.set(database, db)
    return db
  }

  #makeDb(database: DatabaseId): number {
    const known = this.#db(database)
    if (known !== 0) return known
    const sql = 'INSERT INTO document_databases (id, verified) VALUES (?, 0)'
    return Number(this.#tx.prepare(sql).run(digestOf(database)).lastInsertRowid)
  }

  #ids(sql: string, ...parameters: (number | string | Uint8Array)[]): EntryId[] {
    const rows = this.#tx.prepare(sql).all(...parameters)
    return rows.map(({ id }) => entryIdOfDigest(id as Uint8Array))
  }
}

/** An entry that is wanted and held already waits for something itself. */
const notHeld = 'NOT EXISTS (SELECT 1 FROM document_entries AS entry WHERE entry.id = want.id)'

function nameOf(code: unknown): Verification {
  const name = names[Number(code)]
  if (name === undefined)
    throw new SyncError('store/corrupt', `the store holds an unknown verification status (${code})`)
  return name
}

function joinIds(ids: readonly EntryId[]): Uint8Array {
  return Buffer.concat(sortedIds(ids).map(digestOf))
}

function splitIds(bytes: Uint8Array): EntryId[] {
  const ids: EntryId[] = []
  for (let at = 0; at < bytes.length; at += 32) ids.push(entryIdOfDigest(bytes.subarray(at, at + 32)))
  return ids
}

function hexOf(id: EntryId): string {
  return Buffer.from(digestOf(id)).toString('hex')
}

function damaged(id: EntryId, cause?: unknown): SyncError {
  return new SyncError('store/corrupt', `the stored entry ${id} is damaged; restore a backup`, { cause })
}
