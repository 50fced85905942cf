import { formatJson } from '../wire/json-text.ts'
import type { CreateSnapshotResponse, SnapshotChunkResponse, SourceReplacement } from '../wire/snapshot.ts'
import { isRowsClientError, RowsClientError } from './client-error.ts'
import { checkRow } from './incoming.ts'
import type { SyncCore } from './sync-core.ts'
import type { StagedSnapshot } from './sync-state.ts'
import { transact } from './transaction.ts'

export interface DownloadOptions {
  readonly signal: AbortSignal
  /** Rotates the source with the snapshot (§6.2). */
  readonly replacement?: SourceReplacement
  /** Runs in the transaction that empties the stage for the new session. */
  readonly onCreated?: (snapshot: StagedSnapshot) => void
}

/** How often a session that expired while it was read is replaced by a new one, from the start. */
const maxSessions = 3

/**
 * Downloads a whole snapshot into the stage: a new session and an empty stage each time, since a session is frozen in time.
 * One chunk is under way while the one before is stored.
 */
export async function downloadSnapshot(core: SyncCore, options: DownloadOptions): Promise<StagedSnapshot> {
  for (let sessions = 1; ; sessions++) {
    const { signal, replacement } = options
    const created = await core.retrying('snapshot', signal, () =>
      core.api.createSnapshot(core.caller(signal), replacement),
    )
    try {
      return await downloadSession(core, created, options)
    } catch (error) {
      const codes: readonly unknown[] = ['snapshot_session_expired', 'snapshot_session_not_found']
      const lost = isRowsClientError(error, 'rows/server-refused') && codes.includes(error.details.serverCode)
      if (!lost || sessions >= maxSessions) throw error
    } finally {
      core.api.deleteSnapshot(core.caller(AbortSignal.timeout(10_000)), created.snapshot_id).catch(() => {})
    }
  }
}

async function downloadSession(
  core: SyncCore,
  created: CreateSnapshotResponse,
  { signal, onCreated }: DownloadOptions,
): Promise<StagedSnapshot> {
  const snapshot = {
    id: created.snapshot_id,
    bundleSeq: created.snapshot_bundle_seq,
    rowCount: created.row_count,
  }
  transact(core.db, () => {
    core.db.exec('DELETE FROM _sync_snapshot_stage')
    onCreated?.(snapshot)
  })
  const { rowsPerSnapshotChunk } = await core.limits(signal)
  const fetchFrom = (held: number) =>
    core.retrying('snapshot chunk', signal, () =>
      core.api.snapshotChunk(core.caller(signal), snapshot.id, held, rowsPerSnapshotChunk),
    )
  let held = 0
  let next = fetchFrom(0)
  for (;;) {
    const chunk = await next
    const total = checkChunk(chunk, snapshot, held)
    if (chunk.has_more) {
      next = fetchFrom(total)
      // It is awaited in the next round; until then a failure of it is nobody's unhandled rejection.
      next.catch(() => {})
    }
    storeChunk(core, snapshot, chunk, held)
    held = total
    core.report('downloading-snapshot', held, snapshot.rowCount)
    if (!chunk.has_more) break
  }
  if (held !== snapshot.rowCount) throw wrong(`it came with ${held} rows instead of ${snapshot.rowCount}`)
  return snapshot
}

/** @returns how many rows are held after it */
function checkChunk(chunk: SnapshotChunkResponse, snapshot: StagedSnapshot, held: number): number {
  if (chunk.snapshot_id !== snapshot.id || chunk.snapshot_bundle_seq !== snapshot.bundleSeq)
    throw wrong('a chunk belongs to another snapshot')
  const total = held + chunk.rows.length
  if (chunk.next_row_ordinal !== total)
    throw wrong(`a chunk ends at row ${chunk.next_row_ordinal} instead of ${total}`)
  if (chunk.has_more && chunk.rows.length === 0) throw wrong('a chunk is empty although there are more')
  if (total > snapshot.rowCount) throw wrong(`it has more rows than ${snapshot.rowCount}`)
  return total
}

function storeChunk(
  { db, catalog }: SyncCore,
  snapshot: StagedSnapshot,
  chunk: SnapshotChunkResponse,
  held: number,
): void {
  const rows = chunk.rows.map((row) => [
    row.table,
    checkRow(catalog, { ...row, op: 'INSERT' }),
    row.row_version,
    row.payload,
  ])
  transact(db, () =>
    db.run(
      `INSERT INTO _sync_snapshot_stage (snapshot_id, row_ordinal, schema_name, table_name, key_json, row_version, payload)
       SELECT ?, ? + key, ?, value ->> 0, value ->> 1, value ->> 2, value -> 3 FROM json_each(?)`,
      snapshot.id,
      held + 1,
      catalog.schema,
      formatJson(rows),
    ),
  )
}

function wrong(why: string): RowsClientError<'rows/server-answer'> {
  return new RowsClientError(
    'rows/server-answer',
    `the server's snapshot cannot be right: ${why}; nothing of it was applied`,
  )
}
