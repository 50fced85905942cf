import { attach, detach, openSource } from './attach.ts'
import { runLoops } from './background-loops.ts'
import { dropTriggers } from './capture-triggers.ts'
import { ChangeFeed, type RowsChange } from './change-feed.ts'
import { type RowsClientConfig, type RowsClientSettings, settingsOf } from './client-config.ts'
import { isRowsClientError, type RowName, RowsClientError } from './client-error.ts'
import { discard } from './discard.ts'
import { dropMetadata } from './metadata-schema.ts'
import { claim } from './ownership.ts'
import { assertMayTransfer, assertNothingPending } from './preconditions.ts'
import { prepareDatabase } from './prepare-database.ts'
import { type Pulled, pullToStable } from './pull.ts'
import { type Pushed, type PushOutcome, pushPending } from './push.ts'
import { type Restore, rebuildKeepingSource, rebuildRotatingSource } from './rebuild.ts'
import type {
  AttachResult,
  DetachResult,
  PendingSyncStatus,
  PushReport,
  RemoteSyncReport,
  SourceInfo,
  SyncReport,
  SyncStatus,
  SyncThenDetachResult,
} from './result-types.ts'
import { serializeRow } from './serialize-row.ts'
import type { TransferDiagnostics } from './server-api.ts'
import { type RowsProgress, SyncCore } from './sync-core.ts'
import { countDirty, managedTables, readAttachment, readOperation } from './sync-state.ts'
import { pendingStatus, syncStatus } from './sync-status.ts'
import { transact } from './transaction.ts'
import { waitForWork } from './wait-for-work.ts'

export interface OperationOptions {
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: RowsProgress) => void
}

/** Rounds of push before a pull, and of sync before a detach, while the application keeps editing. */
const maxRounds = 3

/**
 * Keeps the registered tables of one SQLite database in step with one user's rows on a server (§8). Local edits are captured by
 * triggers, offline too; `sync` sends them and fetches what others did.
 *
 * One operation at a time: a second one fails with `rows/operation-in-progress`.
 */
export class RowsClient implements Disposable {
  readonly #settings: RowsClientSettings
  readonly #core: SyncCore
  readonly #release: () => void
  readonly #closing = new AbortController()
  #loops: { readonly abort: AbortController; readonly ended: Promise<void> } | undefined
  #busy: string | undefined
  #isOpen = false
  #isConnected = false
  #isClosed = false
  #uploadsPaused = false
  #downloadsPaused = false

  /** @throws RowsClientError `rows/invalid-config`, `rows/already-owned`, `rows/other-schema`, `rows/unsupported-table` */
  constructor(config: RowsClientConfig) {
    this.#settings = settingsOf(config)
    this.#release = claim(this.#settings.db)
    try {
      this.#core = new SyncCore(
        this.#settings,
        prepareDatabase(this.#settings),
        new ChangeFeed(this.#settings.log),
      )
    } catch (error) {
      this.#release()
      throw error
    }
  }

  /** Creates the source, and the very first time captures the rows that are there. No network. */
  async open(): Promise<void> {
    await this.#exclusive('open', {}, async () => {
      openSource(this.#core)
      this.#isOpen = true
    })
  }

  /** Binds the database to a user; a database that is bound already resumes without network. */
  attach(userId: string, options: OperationOptions = {}): Promise<AttachResult> {
    return this.#exclusive('attach', options, async (signal) => {
      this.#assertOpen('attach')
      const user = userId.trim()
      if (user === '') throw new RowsClientError('rows/invalid-config', 'attach needs a user id')
      const attached = await attach(this.#core, user, signal)
      if (attached.outcome === 'retry_later')
        return { status: 'retry_later', retryAfterMs: attached.retryAfterMs }
      this.#isConnected = true
      const { outcome, restore } = attached
      return {
        status: 'connected',
        outcome,
        syncStatus: syncStatus(this.#core.db),
        ...(restore && { restore }),
      }
    })
  }

  /** Unbinds the database and empties its synced tables, unless something was not sent. */
  detach(): Promise<DetachResult> {
    return this.#exclusive('detach', {}, async () => {
      this.#assertOpen('detach')
      return this.#detach()
    })
  }

  /** Syncs until nothing is pending, three rounds at most, then detaches. */
  syncThenDetach(options: OperationOptions = {}): Promise<SyncThenDetachResult> {
    return this.#exclusive('syncThenDetach', options, async (signal) => {
      this.#assertAttached('syncThenDetach')
      for (let syncRounds = 1, before = Number.POSITIVE_INFINITY; ; syncRounds++) {
        const lastSync = await this.#sync(signal)
        const result = this.#detach()
        const remaining = result.outcome === 'detached' ? 0 : result.pendingRowCount
        if (remaining === 0 || syncRounds >= maxRounds || remaining >= before)
          return { lastSync, detach: result, syncRounds, remainingPendingRowCount: remaining }
        before = remaining
      }
    })
  }

  /** Sends what is pending. */
  pushPending(options: OperationOptions = {}): Promise<PushReport> {
    return this.#exclusive('pushPending', options, async (signal) => {
      const { outcome, restore } = await this.#push('pushPending', signal)
      return { outcome, ...(restore && { restore }), status: syncStatus(this.#core.db) }
    })
  }

  /** Fetches what others committed. Refuses while something is pending here: see `sync`. */
  pullToStable(options: OperationOptions = {}): Promise<RemoteSyncReport> {
    return this.#exclusive('pullToStable', options, async (signal) => {
      this.#assertAttached('pullToStable')
      assertMayTransfer(this.#core.db)
      assertNothingPending(this.#core.db)
      const { outcome, restore } = await this.#pull(signal)
      return { outcome, status: syncStatus(this.#core.db), ...(restore && { restore }) }
    })
  }

  /** Sends what is pending, then fetches what others committed. */
  sync(options: OperationOptions = {}): Promise<SyncReport> {
    return this.#exclusive('sync', options, (signal) => this.#sync(signal))
  }

  /** Replaces all rows by a snapshot, keeping what was not sent; ends a required rebuild or recovery of the source. */
  rebuild(options: OperationOptions = {}): Promise<RemoteSyncReport> {
    return this.#exclusive('rebuild', options, async (signal) => {
      this.#assertAttached('rebuild')
      if (this.#downloadsPaused) return { outcome: 'skipped_paused', status: syncStatus(this.#core.db) }
      const recovering = readOperation(this.#core.db).kind === 'source_recovery'
      const restore = await (recovering ? rebuildRotatingSource : rebuildKeepingSource)(this.#core, signal)
      return { outcome: 'applied_snapshot', status: syncStatus(this.#core.db), restore }
    })
  }

  /**
   * Gives up pending edits, for example a row the server rejects: each row becomes what the server has. Needs the server
   * unless all of them are rows that were never sent.
   */
  discardPending(rows: readonly RowName[], options: OperationOptions = {}): Promise<PendingSyncStatus> {
    return this.#exclusive('discardPending', options, async (signal) => {
      this.#assertAttached('discardPending')
      if (discard(this.#core, rows)) await rebuildKeepingSource(this.#core, signal)
      return pendingStatus(this.#core.db)
    })
  }

  syncStatus(): SyncStatus {
    this.#assertAttached('syncStatus')
    return syncStatus(this.#core.db)
  }

  pendingSyncStatus(): PendingSyncStatus {
    this.#assertOpen('pendingSyncStatus')
    return pendingStatus(this.#core.db)
  }

  lastBundleSeqSeen(): number {
    this.#assertAttached('lastBundleSeqSeen')
    return readAttachment(this.#core.db).lastBundleSeqSeen
  }

  sourceInfo(): SourceInfo {
    this.#assertOpen('sourceInfo')
    const { sourceId, rebuildRequired } = readAttachment(this.#core.db)
    const operation = readOperation(this.#core.db)
    const recovering = operation.kind === 'source_recovery'
    return {
      currentSourceId: sourceId,
      rebuildRequired,
      sourceRecoveryRequired: recovering,
      ...(recovering && { sourceRecoveryReason: operation.reason }),
    }
  }

  /** JSON of a row as it is here now, BLOBs as hex; undefined if there is none. */
  serializeRow({ table, key }: RowName): string | undefined {
    this.#assertNotClosed()
    return serializeRow(this.#core, table, key)
  }

  /** Counts of what went over the wire, to see why a sync takes long. */
  transferDiagnostics(): TransferDiagnostics {
    return this.#core.api.transferred
  }

  resetTransferDiagnostics(): void {
    this.#core.api.resetTransferred()
  }

  /** Tells which rows sync wrote, after each of its commits. @returns a function that ends the subscription */
  subscribe(listener: (change: RowsChange) => void): () => void {
    return this.#core.changes.subscribe(listener)
  }

  pauseUploads(): void {
    this.#uploadsPaused = true
  }

  resumeUploads(): void {
    this.#uploadsPaused = false
  }

  pauseDownloads(): void {
    this.#downloadsPaused = true
  }

  resumeDownloads(): void {
    this.#downloadsPaused = false
  }

  /** Resolves when there may be something to sync: for a host that runs `sync` in a loop of its own. */
  async waitForWork({ signal }: Pick<OperationOptions, 'signal'> = {}): Promise<void> {
    this.#assertAttached('waitForWork')
    await waitForWork(this.#core, this.#untilClosed(signal))
  }

  /** Syncs in the background from now on (§8.15). Starting twice changes nothing. */
  start(): void {
    this.#assertNotClosed()
    if (this.#loops !== undefined) return
    const abort = new AbortController()
    const actions = {
      push: (signal: AbortSignal) => this.pushPending({ signal }),
      pull: async (signal: AbortSignal) => {
        const before = readAttachment(this.#core.db).lastBundleSeqSeen
        const { status } = await this.pullToStable({ signal })
        return status.lastBundleSeqSeen !== before
      },
      uploadsPaused: () => this.#uploadsPaused,
      downloadsPaused: () => this.#downloadsPaused,
    }
    const signal = AbortSignal.any([abort.signal, this.#closing.signal])
    this.#loops = { abort, ended: runLoops(this.#core, actions, signal) }
  }

  /** Ends the background loops, and waits until they have. */
  async stop(): Promise<void> {
    const loops = this.#loops
    this.#loops = undefined
    loops?.abort.abort(new RowsClientError('rows/closed', 'the background sync was stopped'))
    await loops?.ended
  }

  /** Removes all that sync put into the database, keeps the application's tables as they are, and closes the client. */
  async uninstallSync(): Promise<void> {
    await this.stop()
    await this.#exclusive('uninstallSync', {}, async () => {
      this.#assertOpen('uninstallSync')
      const { db } = this.#core
      transact(db, () => {
        for (const table of managedTables(db)) dropTriggers(db, table)
        dropMetadata(db)
      })
    })
    this.close()
  }

  /** Gives the database up and aborts what is under way. The database itself stays open. Closing twice changes nothing. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#closing.abort(new RowsClientError('rows/closed', 'the rows client was closed'))
    this.#release()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  async #sync(signal: AbortSignal): Promise<SyncReport> {
    let pushOutcome: PushOutcome = 'no_change'
    let pushRestore: Restore | undefined
    for (let round = 0; round < maxRounds; round++) {
      const { outcome, restore } = await this.#push('sync', signal)
      pushRestore = restore ?? pushRestore
      if (outcome !== 'no_change') pushOutcome = outcome
      // What was edited meanwhile goes too, but an application that never stops editing must not starve the pull.
      if (outcome !== 'committed' || countDirty(this.#core.db) === 0) break
    }
    if (this.#uploadsPaused && !this.#downloadsPaused) assertNothingPending(this.#core.db)
    const pulled = await this.#pull(signal)
    const { outcome } = pulled
    const restore = pulled.restore ?? pushRestore
    return {
      pushOutcome,
      remoteOutcome: outcome,
      status: syncStatus(this.#core.db),
      ...(restore && { restore }),
    }
  }

  async #push(operation: string, signal: AbortSignal): Promise<Pushed> {
    this.#assertAttached(operation)
    assertMayTransfer(this.#core.db)
    if (this.#uploadsPaused) return { outcome: 'skipped_paused', restore: undefined }
    try {
      return await pushPending(this.#core, signal)
    } catch (error) {
      if (isRowsClientError(error, 'rows/initialization-lost')) this.#isConnected = false
      throw error
    }
  }

  async #pull(signal: AbortSignal): Promise<Pulled> {
    if (this.#downloadsPaused) return { outcome: 'skipped_paused', restore: undefined }
    return await pullToStable(this.#core, signal)
  }

  #detach(): DetachResult {
    const { pendingRowCount, blocksDetach } = pendingStatus(this.#core.db)
    if (blocksDetach) return { outcome: 'blocked_unsynced_data', pendingRowCount }
    const tables = detach(this.#core)
    this.#isConnected = false
    this.#core.changes.publish(
      'detach',
      tables.map((table) => ({ table, keys: 'all' as const })),
    )
    return { outcome: 'detached', pendingRowCount: 0 }
  }

  /** One operation at a time, until its own signal or the end of the client. */
  async #exclusive<T>(
    operation: string,
    { signal, onProgress }: OperationOptions,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    this.#assertNotClosed()
    if (this.#busy !== undefined)
      throw new RowsClientError(
        'rows/operation-in-progress',
        `${operation} was called while ${this.#busy} runs; wait for it, or let the background loops do it`,
        { operation: this.#busy },
      )
    const either = this.#untilClosed(signal)
    either.throwIfAborted()
    this.#busy = operation
    this.#core.reportTo(onProgress)
    try {
      return await work(either)
    } finally {
      this.#busy = undefined
      this.#core.reportTo(undefined)
    }
  }

  #untilClosed(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? this.#closing.signal : AbortSignal.any([signal, this.#closing.signal])
  }

  #assertNotClosed(): void {
    if (this.#isClosed) throw new RowsClientError('rows/closed', 'the rows client was closed')
  }

  #assertOpen(operation: string): void {
    this.#assertNotClosed()
    if (!this.#isOpen)
      throw new RowsClientError('rows/open-required', `call open() before ${operation}()`, { operation })
  }

  #assertAttached(operation: string): void {
    this.#assertOpen(operation)
    const { binding } = readAttachment(this.#core.db)
    if (!this.#isConnected || binding !== 'attached')
      throw new RowsClientError('rows/attach-required', `call attach() before ${operation}()`, { operation })
  }
}
