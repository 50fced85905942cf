import type { ConnectResponse } from '../wire/connect.ts'
import { captureExisting } from './capture-triggers.ts'
import { isRowsClientError, RowsClientError } from './client-error.ts'
import { clearOutbox } from './outbox.ts'
import { applySnapshot, type Restore } from './rebuild.ts'
import type { AttachOutcome } from './result-types.ts'
import { downloadSnapshot } from './snapshot-download.ts'
import { sqlName } from './sql-text.ts'
import type { SqliteDriver } from './sqlite-driver.ts'
import { isAbsent, type SyncCore } from './sync-core.ts'
import {
  countDirty,
  countOutbox,
  ensureSource,
  managedTables,
  newSourceId,
  readAttachment,
  readOperation,
  replaceSource,
  type StagedSnapshot,
  updateAttachment,
  writeOperation,
} from './sync-state.ts'
import { transact, transactApplying } from './transaction.ts'

/** Gives the database its source; the very first time, all rows that are there become edits to be sent (§8.5). */
export function openSource({ db, catalog, settings }: SyncCore): void {
  transact(db, () => {
    const { sourceId, binding } = readAttachment(db)
    if (sourceId === '') {
      if (binding === 'anonymous') captureExisting(db, catalog.schema, catalog.tables)
      updateAttachment(db, { sourceId: newSourceId(db, settings.newId), schema: catalog.schema })
    }
    ensureSource(db, readAttachment(db).sourceId)
    db.exec('UPDATE _sync_apply_state SET apply_mode = 0')
  })
}

export type Attached =
  | { readonly outcome: AttachOutcome; readonly restore?: Restore | undefined }
  | { readonly outcome: 'retry_later'; readonly retryAfterMs: number }

/** Binds the database to a user (§8.5). Nothing is stored before the server has answered. */
export async function attach(core: SyncCore, userId: string, signal: AbortSignal): Promise<Attached> {
  const { db } = core
  const operation = readOperation(db)
  if (operation.kind === 'remote_replace') {
    if (operation.userId !== userId)
      throw new RowsClientError(
        'rows/replacing-for-another-user',
        `this database is being filled for user ${operation.userId}; attach that user, or detach first`,
        { targetUserId: operation.userId },
      )
    return {
      outcome: 'used_remote_state',
      restore: await replaceByRemote(core, userId, operation.staged, signal),
    }
  }
  const attachment = readAttachment(db)
  if (attachment.binding === 'attached') {
    if (attachment.userId !== userId)
      throw new RowsClientError(
        'rows/attached-to-another-user',
        `this database belongs to user ${attachment.userId}; detach it first`,
        { attachedUserId: attachment.userId },
      )
    return { outcome: 'resumed_attached_state' }
  }
  await assertLifecycle(core, signal)
  return await follow(core, userId, await connect(core, signal), signal)
}

async function assertLifecycle(core: SyncCore, signal: AbortSignal): Promise<void> {
  let supported: boolean
  try {
    supported = (await core.capabilities(signal)).features.connect_lifecycle === true
  } catch (error) {
    if (!isAbsent(error) && !isRowsClientError(error, 'rows/server-answer')) throw error
    throw lifecycleUnsupported(error)
  }
  if (!supported) throw lifecycleUnsupported(undefined)
}

async function connect(core: SyncCore, signal: AbortSignal): Promise<ConnectResponse> {
  const { db } = core
  const hasPending = countDirty(db) + countOutbox(db) > 0
  try {
    return await core.retrying('connect', signal, () => core.api.connect(core.caller(signal), hasPending))
  } catch (error) {
    throw isAbsent(error) ? lifecycleUnsupported(error) : error
  }
}

function lifecycleUnsupported(cause: unknown): RowsClientError<'rows/lifecycle-unsupported'> {
  return new RowsClientError(
    'rows/lifecycle-unsupported',
    'the server does not offer connecting (connect_lifecycle); is it a server of this protocol, at this address?',
    undefined,
    cause,
  )
}

async function follow(
  core: SyncCore,
  userId: string,
  answer: ConnectResponse,
  signal: AbortSignal,
): Promise<Attached> {
  const { db } = core
  switch (answer.resolution) {
    case 'retry_later':
      return { outcome: 'retry_later', retryAfterMs: answer.retry_after_seconds * 1_000 }
    case 'initialize_empty':
      transact(db, () => updateAttachment(db, { binding: 'attached', userId, initializationId: '' }))
      return { outcome: 'started_empty' }
    case 'initialize_local':
      transact(db, () => {
        updateAttachment(db, { binding: 'attached', userId, initializationId: answer.initialization_id })
        // A push that was frozen before knows another right to seed, or none.
        db.run(
          `UPDATE _sync_outbox_bundle SET initialization_id = ? WHERE state = 'prepared'`,
          answer.initialization_id,
        )
      })
      return { outcome: 'seeded_from_local' }
    case 'remote_authoritative':
      return { outcome: 'used_remote_state', restore: await replaceByRemote(core, userId, undefined, signal) }
  }
}

/**
 * Fills the database with the server's rows. Durable as an operation from the beginning of the download until after the apply,
 * so that a crash is resumed by the next attach: without network once everything is staged.
 */
async function replaceByRemote(
  core: SyncCore,
  userId: string,
  staged: StagedSnapshot | undefined,
  signal: AbortSignal,
): Promise<Restore> {
  const { db, settings } = core
  const begin = (snapshot: StagedSnapshot | undefined) =>
    writeOperation(db, { kind: 'remote_replace', userId, staged: snapshot })
  let snapshot = staged !== undefined && isComplete(db, staged) ? staged : undefined
  if (snapshot === undefined) {
    snapshot = await downloadSnapshot(core, { signal, onCreated: begin })
  }
  return applySnapshot(core, snapshot, {
    edits: settings.rowsBeforeAttach === 'merge' ? 'carry' : 'drop',
    onApplied: () => {
      updateAttachment(db, { binding: 'attached', userId, initializationId: '' })
      writeOperation(db, { kind: 'none' })
    },
  })
}

function isComplete(db: SqliteDriver, snapshot: StagedSnapshot): boolean {
  const row = db.get('SELECT count(*) AS count FROM _sync_snapshot_stage WHERE snapshot_id = ?', snapshot.id)
  return row!.count === snapshot.rowCount
}

/**
 * Unbinds the database and empties its synced tables. The source is left behind with its counter: what comes next is another
 * binding, and a counter that the server may not know would be out of sequence there (§12 no. 2).
 */
export function detach({ db, settings }: SyncCore): readonly string[] {
  const emptied: string[] = []
  transactApplying(db, () => {
    const { sourceId } = readAttachment(db)
    for (const name of managedTables(db).toReversed())
      if (db.get(`SELECT 1 FROM sqlite_schema WHERE type = 'table' AND lower(name) = ?`, name) !== undefined)
        if (db.run(`DELETE FROM ${sqlName(name)}`) > 0) emptied.push(name)
    db.exec('DELETE FROM _sync_row_state; DELETE FROM _sync_dirty_rows; DELETE FROM _sync_snapshot_stage')
    clearOutbox(db)
    writeOperation(db, { kind: 'none' })
    updateAttachment(db, {
      binding: 'anonymous',
      userId: '',
      initializationId: '',
      lastBundleSeqSeen: 0,
      rebuildRequired: false,
    })
    if (sourceId !== '') replaceSource(db, sourceId, newSourceId(db, settings.newId))
  })
  return emptied
}
