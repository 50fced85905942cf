import type { Authority, PendingSyncStatus, SyncStatus } from './result-types.ts'
import type { SqliteDriver } from './sqlite-driver.ts'
import { countDirty, countOutbox, hasLiveRows, readAttachment } from './sync-state.ts'

export function syncStatus(db: SqliteDriver): SyncStatus {
  return {
    authority: authority(db),
    pending: pendingStatus(db),
    lastBundleSeqSeen: readAttachment(db).lastBundleSeqSeen,
  }
}

function authority(db: SqliteDriver): Authority {
  if (readAttachment(db).initializationId !== '') return 'pending_local_seed'
  return hasLiveRows(db) ? 'authoritative_materialized' : 'authoritative_empty'
}

export function pendingStatus(db: SqliteDriver): PendingSyncStatus {
  const { binding, initializationId } = readAttachment(db)
  const pendingRowCount = countDirty(db) + countOutbox(db) + (initializationId === '' ? 0 : 1)
  const hasPendingSyncData = pendingRowCount > 0
  return { hasPendingSyncData, pendingRowCount, blocksDetach: binding === 'attached' && hasPendingSyncData }
}
