import type { ReplacementReason } from '../wire/snapshot.ts'
import { RowsClientError } from './client-error.ts'
import type { SyncCore } from './sync-core.ts'
import { newSourceId, readOperation, updateAttachment, writeOperation } from './sync-state.ts'
import { transact } from './transaction.ts'

/**
 * Records that the server will not take pushes of this source any more (§8.12). From here on only `rebuild` helps: it takes
 * a new source, whose name is chosen once, now, so that repeating the rebuild cannot use up a second one.
 *
 * @param serverReplacement the source the server already has in its place
 * @returns the error to throw
 */
export function enterRecovery(
  { db, settings }: SyncCore,
  reason: ReplacementReason,
  serverReplacement?: string,
): RowsClientError {
  return transact(db, () => {
    const operation = readOperation(db)
    const reserved = operation.kind === 'source_recovery' ? operation.replacementSourceId : undefined
    if (reserved !== undefined && serverReplacement !== undefined && reserved !== serverReplacement)
      return replacementDiverged(reserved, serverReplacement)
    const replacementSourceId = reserved ?? serverReplacement ?? newSourceId(db, settings.newId)
    writeOperation(db, { kind: 'source_recovery', reason, replacementSourceId })
    updateAttachment(db, { rebuildRequired: true })
    return recoveryRequired(reason)
  })
}

export function recoveryRequired(reason: ReplacementReason): RowsClientError<'rows/recovery-required'> {
  return new RowsClientError(
    'rows/recovery-required',
    `the server no longer takes pushes of this source (${reason}); call rebuild(), which keeps what was not sent`,
    { reason },
  )
}

export function replacementDiverged(
  local: string,
  remote: string,
): RowsClientError<'rows/replacement-diverged'> {
  return new RowsClientError(
    'rows/replacement-diverged',
    `the server replaced this source by ${remote}, not by ${local} as agreed; detach and attach to start over`,
    { local, remote },
  )
}
