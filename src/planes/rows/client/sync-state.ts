import type { ReplacementReason } from '../wire/snapshot.ts'
import type { SqliteDriver } from './sqlite-driver.ts'

/** The binding of the database to a user, and how far it got (`_sync_attachment_state`). */
export interface Attachment {
  /** Empty before the first open. */
  readonly sourceId: string
  readonly binding: 'anonymous' | 'attached'
  readonly userId: string
  readonly schema: string
  readonly lastBundleSeqSeen: number
  readonly rebuildRequired: boolean
  /** Empty unless this database is to seed the scope. */
  readonly initializationId: string
}

/** The one durable operation that may be under way (`_sync_operation_state`). */
export type Operation =
  | { readonly kind: 'none' }
  | { readonly kind: 'remote_replace'; readonly userId: string; readonly staged: StagedSnapshot | undefined }
  | {
      readonly kind: 'source_recovery'
      readonly reason: ReplacementReason
      readonly replacementSourceId: string
    }

export interface StagedSnapshot {
  readonly id: string
  readonly bundleSeq: number
  readonly rowCount: number
}

export function readAttachment(db: SqliteDriver): Attachment {
  const row = db.get('SELECT * FROM _sync_attachment_state')!
  return {
    sourceId: String(row.current_source_id),
    binding: row.binding_state === 'attached' ? 'attached' : 'anonymous',
    userId: String(row.attached_user_id),
    schema: String(row.schema_name),
    lastBundleSeqSeen: Number(row.last_bundle_seq_seen),
    rebuildRequired: row.rebuild_required === 1,
    initializationId: String(row.pending_initialization_id),
  }
}

const attachmentColumns = {
  sourceId: 'current_source_id',
  binding: 'binding_state',
  userId: 'attached_user_id',
  schema: 'schema_name',
  lastBundleSeqSeen: 'last_bundle_seq_seen',
  rebuildRequired: 'rebuild_required',
  initializationId: 'pending_initialization_id',
} as const satisfies Record<keyof Attachment, string>

export function updateAttachment(db: SqliteDriver, changes: Partial<Attachment>): void {
  const entries = Object.entries(changes) as [keyof Attachment, string | number | boolean][]
  const sets = entries.map(([name]) => `${attachmentColumns[name]} = ?`)
  const values = entries.map(([, value]) => (typeof value === 'boolean' ? Number(value) : value))
  db.run(`UPDATE _sync_attachment_state SET ${sets.join(', ')}`, ...values)
}

export function readOperation(db: SqliteDriver): Operation {
  const row = db.get('SELECT * FROM _sync_operation_state')!
  const stagedId = String(row.staged_snapshot_id)
  switch (row.kind) {
    case 'remote_replace':
      return {
        kind: 'remote_replace',
        userId: String(row.target_user_id),
        staged:
          stagedId === ''
            ? undefined
            : {
                id: stagedId,
                bundleSeq: Number(row.snapshot_bundle_seq),
                rowCount: Number(row.snapshot_row_count),
              },
      }
    case 'source_recovery':
      return {
        kind: 'source_recovery',
        reason: row.reason as ReplacementReason,
        replacementSourceId: String(row.replacement_source_id),
      }
    default:
      return { kind: 'none' }
  }
}

export function writeOperation(db: SqliteDriver, operation: Operation): void {
  const replace = operation.kind === 'remote_replace' ? operation : undefined
  const recovery = operation.kind === 'source_recovery' ? operation : undefined
  db.run(
    `UPDATE _sync_operation_state SET kind = ?, target_user_id = ?, reason = ?, replacement_source_id = ?,
       staged_snapshot_id = ?, snapshot_bundle_seq = ?, snapshot_row_count = ?`,
    operation.kind,
    replace?.userId ?? '',
    recovery?.reason ?? '',
    recovery?.replacementSourceId ?? '',
    replace?.staged?.id ?? '',
    replace?.staged?.bundleSeq ?? 0,
    replace?.staged?.rowCount ?? 0,
  )
}

/** The number the next push of a source will carry. */
export function nextSourceBundleId(db: SqliteDriver, sourceId: string): number {
  const row = db.get(
    'SELECT next_source_bundle_id AS id FROM _sync_source_state WHERE source_id = ?',
    sourceId,
  )
  return row === undefined ? 1 : Number(row.id)
}

/** Never goes back: a number that was used once is used up. */
export function advanceSource(db: SqliteDriver, sourceId: string, nextId: number): void {
  ensureSource(db, sourceId)
  db.run(
    'UPDATE _sync_source_state SET next_source_bundle_id = max(next_source_bundle_id, ?) WHERE source_id = ?',
    nextId,
    sourceId,
  )
}

export function ensureSource(db: SqliteDriver, sourceId: string): void {
  db.run('INSERT INTO _sync_source_state (source_id) VALUES (?) ON CONFLICT DO NOTHING', sourceId)
}

export function isKnownSource(db: SqliteDriver, sourceId: string): boolean {
  return db.get('SELECT 1 FROM _sync_source_state WHERE source_id = ?', sourceId) !== undefined
}

/** Records that `previous` is no longer used, and by what it was replaced. */
export function replaceSource(db: SqliteDriver, previous: string, replacement: string): void {
  ensureSource(db, replacement)
  if (previous !== '')
    db.run(
      'UPDATE _sync_source_state SET replaced_by_source_id = ? WHERE source_id = ?',
      replacement,
      previous,
    )
  updateAttachment(db, { sourceId: replacement })
}

/** How many tries at a new identifier: a generator that repeats itself for so long is broken. */
const maxTries = 100

/** An identifier that this database never used. */
export function newSourceId(db: SqliteDriver, generate: () => string): string {
  for (let i = 0; i < maxTries; i++) {
    const id = generate()
    if (id !== '' && !isKnownSource(db, id)) return id
  }
  throw new Error(`the generator of source ids gave ${maxTries} known ones in a row`)
}

export function countDirty(db: SqliteDriver): number {
  return Number(db.get('SELECT count(*) AS count FROM _sync_dirty_rows')!.count)
}

export function countOutbox(db: SqliteDriver): number {
  return Number(db.get('SELECT count(*) AS count FROM _sync_outbox_rows')!.count)
}

/** Live rows of any table, as far as the server confirmed them. */
export function hasLiveRows(db: SqliteDriver): boolean {
  return db.get('SELECT 1 FROM _sync_row_state WHERE deleted = 0 LIMIT 1') !== undefined
}

export function managedTables(db: SqliteDriver): readonly string[] {
  return db
    .all('SELECT DISTINCT table_name AS name FROM _sync_managed_tables')
    .map(({ name }) => String(name))
}
