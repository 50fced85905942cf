import { RowsClientError } from './client-error.ts'
import { recoveryRequired } from './recovery.ts'
import type { SqliteDriver } from './sqlite-driver.ts'
import { countDirty, countOutbox, readAttachment, readOperation } from './sync-state.ts'

/** @throws RowsClientError what stands in the way of push and pull, in the order of §8.7 */
export function assertMayTransfer(db: SqliteDriver): void {
  const pending = readOperation(db)
  if (pending.kind === 'source_recovery') throw recoveryRequired(pending.reason)
  if (pending.kind !== 'none')
    throw new RowsClientError(
      'rows/transition-pending',
      'the database is being filled from the server; attach again to finish that',
    )
  if (readAttachment(db).rebuildRequired)
    throw new RowsClientError(
      'rows/rebuild-required',
      'a rebuild began and did not finish; call rebuild(), which keeps what was not sent',
    )
}

/** @throws RowsClientError `rows/outbox-pending`, `rows/dirty-rows` */
export function assertNothingPending(db: SqliteDriver): void {
  const outboundCount = countOutbox(db)
  if (outboundCount > 0)
    throw new RowsClientError(
      'rows/outbox-pending',
      `${outboundCount} rows of a push are under way; finish it with pushPending() or sync() first`,
      { outboundCount },
    )
  const dirtyCount = countDirty(db)
  if (dirtyCount > 0)
    throw new RowsClientError('rows/dirty-rows', `${dirtyCount} rows were edited and not sent; use sync()`, {
      dirtyCount,
    })
}
