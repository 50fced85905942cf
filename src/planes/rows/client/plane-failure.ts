import { SyncError } from '../../../kernel/sync-error.ts'
import { isRowsClientError, RowsClientError } from './client-error.ts'

/** Why a person must act before the link can go on; undefined where trying again may help. */
export function blockedReason(error: unknown): string | undefined {
  const isForPeople = isRowsClientError(
    error,
    'rows/push-rejected',
    'rows/invalid-resolution',
    'rows/conflicts-exhausted',
    'rows/attached-to-another-user',
    'rows/replacing-for-another-user',
    'rows/replacement-diverged',
    'rows/cannot-apply',
    'rows/lifecycle-unsupported',
  )
  return isForPeople ? error.message : undefined
}

/** A failure in the kernel's words. */
export function attemptFailure(error: unknown): unknown {
  if (!(error instanceof RowsClientError)) return error
  if (isRowsClientError(error, 'rows/retries-exhausted')) return attemptFailure(error.cause)
  const { message } = error
  const options = { cause: error }
  if (isRowsClientError(error, 'rows/unreachable')) return new SyncError('peer/unreachable', message, options)
  if (isRowsClientError(error, 'rows/server-answer')) return new SyncError('peer/protocol', message, options)
  if (isRowsClientError(error, 'rows/server-refused')) {
    const { status, retryAfterMs } = error.details
    if (status === 401 || status === 403) return new SyncError('peer/rejected', message, options)
    if (status === 429 || status === 503)
      return new SyncError('peer/busy', message, {
        ...options,
        ...(retryAfterMs !== undefined && { retryAfterMs }),
      })
    return new SyncError(status >= 500 ? 'peer/unreachable' : 'peer/protocol', message, options)
  }
  const isMomentary = isRowsClientError(
    error,
    'rows/database-busy',
    'rows/operation-in-progress',
    'rows/dirty-rows',
    'rows/outbox-pending',
    'rows/initialization-lost',
    'rows/attach-required',
  )
  return isMomentary ? new SyncError('store/busy', message, options) : error
}
