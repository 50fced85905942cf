import { SyncError } from '../kernel/sync-error.ts'
import { EventError } from '../planes/events/event-error.ts'

/** The command line itself is wrong: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

export interface Explanation {
  readonly code: string
  readonly message: string
}

/** What went wrong as one line for a person, with the stable code a script can look for. */
export function explain(error: unknown): Explanation {
  if (error instanceof SyncError || error instanceof EventError)
    return { code: error.code, message: error.message }
  if (error instanceof UsageError) return { code: 'usage', message: error.message }
  if (error instanceof Error) {
    const { code } = error as NodeJS.ErrnoException
    return { code: typeof code === 'string' ? code : 'internal/bug', message: error.message }
  }
  return { code: 'internal/bug', message: String(error) }
}
