import { SyncError } from '../kernel/sync-error.ts'
import type { ControlFailure, Result } from '../node/sync-control.ts'

/** The value of a result. @throws SyncError `config/invalid` with what was wrong */
export function settled<T>(result: Result<T>): T {
  if (result.ok) return result.value
  throw new SyncError('config/invalid', failureText(result))
}

/** With the fields as a definition names them, where relay.rb's messages would name its columns. */
function failureText({ error, details = [], messages }: ControlFailure): string {
  const named = details.map(({ path, message }) => `${path} ${message}`.trim())
  return (named.length > 0 ? named : messages).join('; ') || error
}

/** The same for one relay that was named: by URL or id. */
export function settledRelay<T>(which: string, result: Result<T>): T {
  const message = result.ok ? undefined : relayFailures[result.error]
  if (message === undefined) return settled(result)
  throw new SyncError('config/invalid', message(which))
}

const notConfigured = (which: string) => `no relay ${which} is configured; "syncline relay list" shows all`

const relayFailures: Readonly<Record<string, (which: string) => string>> = {
  unknown_server: notConfigured,
  not_found: notConfigured,
  url_taken: (which) => `${which} is configured already; change it with "syncline relay set"`,
}
