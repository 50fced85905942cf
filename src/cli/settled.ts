import { SyncError } from '../kernel/sync-error.ts'
import type { Result } from '../node/sync-control.ts'

/** The value of a result. @throws SyncError `config/invalid` with what was wrong */
export function settled<T>(result: Result<T>): T {
  if (result.ok) return result.value
  throw new SyncError('config/invalid', result.messages.join('; ') || result.error)
}
