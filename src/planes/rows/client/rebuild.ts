import { sourceRetiredResponseSchema } from '../wire/error.ts'
import { type ApplyMode, applyTransaction } from './apply.ts'
import type { TableChange } from './change-feed.ts'
import { isRowsClientError, type RowName, RowsClientError } from './client-error.ts'
import type { Catalog } from './incoming.ts'
import { gatherIntents, reapplyIntents } from './intents.ts'
import { clearOutbox, markCommitted, readOutbox } from './outbox.ts'
import { findCommitted } from './push-session.ts'
import { replacementDiverged } from './recovery.ts'
import { fromWireJson, keyValue } from './row-json.ts'
import { downloadSnapshot } from './snapshot-download.ts'
import { sqlName, sqlNow } from './sql-text.ts'
import type { SqliteDriver } from './sqlite-driver.ts'
import type { SyncCore } from './sync-core.ts'
import {
  advanceSource,
  isKnownSource,
  managedTables,
  readAttachment,
  readOperation,
  replaceSource,
  type StagedSnapshot,
  updateAttachment,
  writeOperation,
} from './sync-state.ts'
import { transact } from './transaction.ts'

/** What a snapshot brought. */
export interface Restore {
  readonly bundleSeq: number
  readonly rowCount: number
  /** Unsent edits that contradict the rows of the server and could not be kept. */
  readonly droppedEdits: readonly RowName[]
}

/**
 * Replaces all rows by a snapshot and carries unsent edits over (§8.11). Until it is done, and whatever happens, the old rows
 * stay, and push and pull refuse: `rebuild_required` is durable from the first moment.
 */
export async function rebuildKeepingSource(core: SyncCore, signal: AbortSignal): Promise<Restore> {
  transact(core.db, () => updateAttachment(core.db, { rebuildRequired: true }))
  await settleOutbox(core, signal)
  const snapshot = await downloadSnapshot(core, { signal })
  return applySnapshot(core, snapshot, { edits: 'carry', onApplied: () => {} })
}

/** A rebuild that also replaces the source (§8.12); the replacement was chosen when the recovery began. */
export async function rebuildRotatingSource(core: SyncCore, signal: AbortSignal): Promise<Restore> {
  const { db } = core
  const operation = readOperation(db)
  if (operation.kind !== 'source_recovery') throw new Error('no recovery of the source is under way')
  const { sourceId: previous } = readAttachment(db)
  const { replacementSourceId: replacement, reason } = operation
  const source = { previous_source_id: previous, new_source_id: replacement, reason }
  let snapshot: StagedSnapshot
  try {
    snapshot = await downloadSnapshot(core, { signal, replacement: source })
  } catch (error) {
    throw divergence(error, replacement) ?? error
  }
  return applySnapshot(core, snapshot, {
    edits: 'carry',
    onApplied: () => {
      if (isKnownSource(db, replacement))
        throw new Error(`the replacement source ${replacement} was used by this database before`)
      replaceSource(db, previous, replacement)
      writeOperation(db, { kind: 'none' })
    },
  })
}

function divergence(error: unknown, local: string): RowsClientError | undefined {
  if (!isRowsClientError(error, 'rows/server-refused') || error.details.serverCode !== 'source_retired')
    return undefined
  const retired = sourceRetiredResponseSchema.safeParse(error.details.body)
  const remote = retired.success ? retired.data.replaced_by_source_id : undefined
  return replacementDiverged(local, remote ?? 'another source')
}

/**
 * An outbox may have been committed although nobody heard of it. The snapshot then has its rows already, and its number is
 * used up.
 */
async function settleOutbox(core: SyncCore, signal: AbortSignal): Promise<void> {
  const { db } = core
  const outbox = readOutbox(db)
  if (outbox === undefined) return
  const usedUp = () => advanceSource(db, outbox.sourceId, outbox.sourceBundleId + 1)
  if (outbox.state === 'committed_remote') return transact(db, usedUp)
  try {
    const bundle = await findCommitted(core, outbox, signal)
    if (bundle === undefined) return
    transact(db, () => {
      markCommitted(db, bundle.bundle_seq, bundle.bundle_hash)
      usedUp()
    })
  } catch (error) {
    if (!isRowsClientError(error, 'rows/server-refused')) throw error
    // Committed, and forgotten since. Any other refusal is the next push's to deal with.
    if (error.details.serverCode === 'history_pruned')
      transact(db, () => {
        clearOutbox(db)
        usedUp()
      })
  }
}

export interface ApplySnapshotOptions {
  /** What becomes of unsent edits. */
  readonly edits: 'carry' | 'drop'
  /** Runs at the end of the transaction that replaces the rows. */
  readonly onApplied: () => void
}

/** Replaces all rows by a staged snapshot, in one transaction. Rows that are the same already are not written. */
export function applySnapshot(
  core: SyncCore,
  snapshot: StagedSnapshot,
  { edits, onApplied }: ApplySnapshotOptions,
): Restore {
  const { db, catalog } = core
  const staged = Number(
    db.get('SELECT count(*) AS count FROM _sync_snapshot_stage WHERE snapshot_id = ?', snapshot.id)!.count,
  )
  if (staged !== snapshot.rowCount)
    throw new RowsClientError(
      'rows/server-answer',
      `the snapshot has ${staged} of its ${snapshot.rowCount} rows; nothing of it was applied`,
    )
  core.report('applying-snapshot', 0, snapshot.rowCount)
  let changes: readonly TableChange[] = []
  const droppedEdits = applyTransaction(
    db,
    (mode) => {
      if (edits === 'carry') gatherIntents(db)
      else db.exec('DELETE FROM _sync_dirty_rows')
      if (edits === 'drop') clearOutbox(db)
      changes = writeSnapshot(db, catalog, snapshot, mode)
      const dropped = reapplyIntents(db, catalog, snapshot)
      db.exec('DELETE FROM _sync_snapshot_stage; DELETE FROM _sync_push_stage')
      updateAttachment(db, { lastBundleSeqSeen: snapshot.bundleSeq, rebuildRequired: false })
      onApplied()
      return dropped
    },
    { carriesEdits: true },
  )
  core.report('applying-snapshot', snapshot.rowCount, snapshot.rowCount)
  core.changes.publish('snapshot', changes)
  return { bundleSeq: snapshot.bundleSeq, rowCount: snapshot.rowCount, droppedEdits }
}

function writeSnapshot(
  db: SqliteDriver,
  catalog: Catalog,
  snapshot: StagedSnapshot,
  mode: ApplyMode,
): readonly TableChange[] {
  for (const name of managedTables(db)) if (!catalog.byName.has(name)) db.run(`DELETE FROM ${sqlName(name)}`)
  const ranges = new Map(
    db
      .all(
        `SELECT table_name, min(row_ordinal) AS first, max(row_ordinal) AS last FROM _sync_snapshot_stage
         WHERE snapshot_id = ? GROUP BY table_name`,
        snapshot.id,
      )
      .map(({ table_name, first, last }) => [String(table_name), [Number(first), Number(last)] as const]),
  )
  const changed = new Set<string>()
  const source = `_sync_snapshot_stage WHERE snapshot_id = ? AND row_ordinal BETWEEN ? AND ? AND table_name = ?`
  for (const table of catalog.tables.toReversed()) {
    const [first, last] = ranges.get(table.name) ?? [0, -1]
    const kept =
      mode === 'replace'
        ? ''
        : ` WHERE ${table.key.sql} NOT IN (SELECT ${keyValue(table, 'key_json')} FROM ${source})`
    const parameters = mode === 'replace' ? [] : [snapshot.id, first, last, table.name]
    if (db.run(`DELETE FROM ${table.sql}${kept}`, ...parameters) > 0) changed.add(table.name)
  }
  for (const table of catalog.tables) {
    const range = ranges.get(table.name)
    if (range === undefined) continue
    const columns = table.columns.map(({ sql }) => sql)
    const others = columns.filter((sql) => sql !== table.key.sql)
    const update =
      others.length === 0
        ? 'NOTHING'
        : `UPDATE SET ${others.map((sql) => `${sql} = excluded.${sql}`).join(', ')}
           WHERE ${others.map((sql) => `${table.sql}.${sql} IS NOT excluded.${sql}`).join(' OR ')}`
    const written = db.run(
      `INSERT INTO ${table.sql} (${columns.join(', ')})
       SELECT ${table.columns.map((column) => fromWireJson(column, 'payload')).join(', ')} FROM ${source}
       ORDER BY row_ordinal ON CONFLICT (${table.key.sql}) DO ${update}`,
      snapshot.id,
      ...range,
      table.name,
    )
    if (written > 0) changed.add(table.name)
  }
  db.exec('DELETE FROM _sync_row_state')
  db.run(
    `INSERT INTO _sync_row_state (schema_name, table_name, key_json, row_version, deleted, updated_at)
     SELECT schema_name, table_name, key_json, row_version, 0, ${sqlNow} FROM _sync_snapshot_stage
     WHERE snapshot_id = ? ORDER BY row_ordinal`,
    snapshot.id,
  )
  return [...changed].map((table) => ({ table, keys: 'all' as const }))
}
