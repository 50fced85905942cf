import { SyncError } from '../kernel/sync-error.ts'
import { DocumentError } from '../planes/documents/document-error.ts'
import { EventError } from '../planes/events/event-error.ts'

/** Several things were asked for, and some of them were done. */
export const partlyFailed = 3

/** 3 and 4 say more about a failure than 1; see decision 0014. */
export function exitCodeOf(error: unknown): number {
  // A running node tells codes of documents over the control socket, by the same error class as its own.
  if (codeOf(error) === 'document/unreachable') return 4
  if (!(error instanceof SyncError)) return 1
  return error.code === 'peer/unreachable' || error.fault === 'negentropy_unsupported' ? 4 : 1
}

const codeOf = (error: unknown): string | undefined =>
  error instanceof SyncError || error instanceof DocumentError ? error.code : undefined

export interface Explanation {
  readonly code: string
  readonly message: string
}

/** What went wrong as one line for a person, with the stable code a script can look for. */
export function explain(error: unknown): Explanation {
  if (error instanceof SyncError || error instanceof EventError || error instanceof DocumentError)
    return { code: error.code, message: error.message }
  if (error instanceof Error) {
    const { code } = error as NodeJS.ErrnoException
    return { code: typeof code === 'string' ? code : 'internal/bug', message: error.message }
  }
  return { code: 'internal/bug', message: String(error) }
}
