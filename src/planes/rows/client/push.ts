import { pushRejectedResponseSchema, sourceRetiredResponseSchema } from '../wire/error.ts'
import { isRowsClientError, type RowName, RowsClientError } from './client-error.ts'
import { type CommittedRows, stageCommitted } from './committed-bundle.ts'
import { resolveConflict } from './conflict.ts'
import { freeze, type Outbox, readOutbox, thaw } from './outbox.ts'
import { findCommitted, uploadOutbox } from './push-session.ts'
import { type Restore, rebuildKeepingSource } from './rebuild.ts'
import { enterRecovery } from './recovery.ts'
import { replay } from './replay.ts'
import type { SyncCore } from './sync-core.ts'
import { advanceSource, countDirty, countOutbox, updateAttachment } from './sync-state.ts'
import { transact } from './transaction.ts'

export type PushOutcome = 'no_change' | 'committed' | 'skipped_paused'

export interface Pushed {
  readonly outcome: PushOutcome
  /** Of the rebuild that the push made necessary, if it did. */
  readonly restore: Restore | undefined
}

/** How often one row may conflict again within one push. Other rows do not use up its retries (§12 no. 28). */
const maxConflictRetries = 2
/** How often a session that got lost on the server is begun anew. */
const maxSessionRestarts = 3

/**
 * Sends what is pending until the server has it, or says why it does not (§8.7). Edits made meanwhile wait for the next call.
 */
export async function pushPending(core: SyncCore, signal: AbortSignal): Promise<Pushed> {
  const attempt = new PushAttempt(core, signal)
  let outcome: PushOutcome = 'no_change'
  for (;;) {
    const outbox = await attempt.freeze()
    if (outbox === undefined) return { outcome, restore: attempt.restore }
    const committed = await attempt.send(outbox)
    if (committed) outcome = 'committed'
    if (committed && !attempt.isPartial) return { outcome, restore: attempt.restore }
  }
}

interface Committed {
  readonly bundleSeq: number
  readonly rows: CommittedRows
}

class PushAttempt {
  readonly #core: SyncCore
  readonly #signal: AbortSignal
  readonly #conflicts = new Map<string, number>()
  #restarts = 0
  /** Rows per bundle, once the server found one too large. */
  #maxRows = Number.MAX_SAFE_INTEGER
  #lastWasFull = false
  #restore: Restore | undefined

  constructor(core: SyncCore, signal: AbortSignal) {
    this.#core = core
    this.#signal = signal
  }

  get restore(): Restore | undefined {
    return this.#restore
  }

  async freeze(): Promise<Outbox | undefined> {
    const { db, catalog, settings } = this.#core
    if (countDirty(db) === 0 && readOutbox(db) === undefined) return undefined
    const { rowsPerBundle } = await this.#core.limits(this.#signal)
    const maxRows = Math.min(rowsPerBundle, this.#maxRows)
    const { schema, tables } = catalog
    const outbox = freeze(db, { schema, tables, maxRows, sha256: settings.sha256 })
    this.#lastWasFull = outbox !== undefined && outbox.rowCount >= maxRows
    return outbox
  }

  /** Whether the bundle was cut off by a limit, so that there are more of the same. */
  get isPartial(): boolean {
    return this.#lastWasFull && countDirty(this.#core.db) > 0
  }

  /** @returns whether the outbox was committed; false if what is left is to be frozen anew */
  async send(outbox: Outbox): Promise<boolean> {
    const core = this.#core
    try {
      const committed = await core.retrying('push', this.#signal, () => this.#exchange(outbox))
      await this.#replay(outbox, committed)
      return true
    } catch (error) {
      if (isRowsClientError(error, 'rows/initialization-lost')) throw loseInitialization(core, error)
      if (!isRowsClientError(error, 'rows/server-refused')) throw error
      return await this.#refused(outbox, error)
    }
  }

  async #exchange(outbox: Outbox): Promise<Committed> {
    const bundle = await uploadOutbox(this.#core, outbox, this.#signal)
    const rows = await stageCommitted(this.#core, outbox, bundle, this.#signal)
    return { bundleSeq: bundle.bundle_seq, rows }
  }

  async #replay(outbox: Outbox, { bundleSeq, rows }: Committed): Promise<void> {
    let mustRebuild: boolean
    try {
      mustRebuild = replay(this.#core, outbox, bundleSeq, rows).mustRebuild
    } catch (error) {
      // Edits made meanwhile and the bundle exclude each other; a rebuild carries over what can be carried, and says what not.
      if (!isRowsClientError(error, 'rows/dirty-rows', 'rows/cannot-apply')) throw error
      mustRebuild = true
    }
    if (mustRebuild) this.#restore = await rebuildKeepingSource(this.#core, this.#signal)
  }

  async #refused(outbox: Outbox, error: RowsClientError<'rows/server-refused'>): Promise<boolean> {
    const core = this.#core
    const { serverCode: code } = error.details
    switch (code) {
      case 'push_conflict':
        await this.#conflict(error)
        return false
      case 'history_pruned':
        if (readOutbox(core.db)?.state !== 'committed_remote') throw enterRecovery(core, 'history_pruned')
        advanceSource(core.db, outbox.sourceId, outbox.sourceBundleId + 1)
        this.#restore = await rebuildKeepingSource(core, this.#signal)
        return true
      case 'source_sequence_out_of_order':
        throw enterRecovery(core, 'source_sequence_out_of_order')
      case 'source_sequence_changed':
      // The number was used for another push: this database was copied, or put back to an earlier state.
      case 'push_content_changed':
        throw enterRecovery(core, 'source_sequence_changed')
      case 'source_retired': {
        const retired = sourceRetiredResponseSchema.safeParse(error.details.body)
        throw enterRecovery(
          core,
          'source_retired',
          retired.success ? retired.data.replaced_by_source_id : undefined,
        )
      }
      case 'initialization_expired':
      case 'initialization_stale':
        throw loseInitialization(core, error)
      case 'push_session_expired':
      case 'push_session_not_found':
      case 'push_chunk_out_of_order':
        if (this.#restarts++ < maxSessionRestarts) return false
        throw error
      default:
        return await this.#otherRefusal(outbox, error)
    }
  }

  async #otherRefusal(outbox: Outbox, error: RowsClientError<'rows/server-refused'>): Promise<boolean> {
    const core = this.#core
    const { status, serverCode: code } = error.details
    if (code === 'bundle_too_large' && outbox.rowCount > 1) {
      this.#maxRows = Math.ceil(outbox.rowCount / 2)
      transact(core.db, () => thaw(core.db))
      return false
    }
    const refusedRows = [400, 413, 422].includes(status) && code !== undefined && code !== 'invalid_request'
    // A 0.2.x server says this of every constraint too. It answered, so asking tells whether it committed.
    const failedCommit = code === 'push_session_commit_failed'
    if (!refusedRows && !failedCommit) throw error
    if (failedCommit && (await findCommitted(core, outbox, this.#signal)) !== undefined) return false
    transact(core.db, () => thaw(core.db))
    throw rejected(core, error)
  }

  async #conflict(error: RowsClientError<'rows/server-refused'>): Promise<void> {
    const row = await resolveConflict(this.#core, error)
    const times = (this.#conflicts.get(row) ?? 0) + 1
    this.#conflicts.set(row, times)
    const { db } = this.#core
    const remaining = countDirty(db) + countOutbox(db)
    if (times > maxConflictRetries && remaining > 0)
      throw new RowsClientError(
        'rows/conflicts-exhausted',
        `${row} met a newer row of the server ${times} times in a row; the edits are kept and wait for the next push`,
        { retryCount: maxConflictRetries, remaining },
        error,
      )
  }
}

/** The server has forgotten, or given away, the right to seed it: the database is anonymous again, its rows still to be sent. */
function loseInitialization(
  core: SyncCore,
  cause: RowsClientError,
): RowsClientError<'rows/initialization-lost'> {
  transact(core.db, () => {
    thaw(core.db)
    updateAttachment(core.db, { binding: 'anonymous', userId: '', initializationId: '' })
  })
  return new RowsClientError(
    'rows/initialization-lost',
    'this device was to give the server its first data, and took too long; attach again, what was not sent is kept',
    undefined,
    cause,
  )
}

/** The rows are editable again; the error says which one the server blames. */
function rejected(
  core: SyncCore,
  error: RowsClientError<'rows/server-refused'>,
): RowsClientError<'rows/push-rejected'> {
  const body = pushRejectedResponseSchema.safeParse(error.details.body)
  const rejection = body.success ? body.data.rejection : undefined
  const table = rejection === undefined ? undefined : core.catalog.byName.get(rejection.table)
  const key = table === undefined ? undefined : rejection?.key?.[table.key.name]
  const row: RowName | undefined =
    table === undefined || key === undefined ? undefined : { table: table.name, key }
  return new RowsClientError(
    'rows/push-rejected',
    `${error.message}; correct or discard the row: all edits are kept and wait for the next push`,
    {
      status: error.details.status,
      serverCode: error.details.serverCode ?? '',
      row,
      reason: rejection?.reason,
      constraint: rejection?.constraint ?? undefined,
      column: rejection?.column ?? undefined,
    },
    error,
  )
}
