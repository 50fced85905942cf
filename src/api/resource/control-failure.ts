import type { ControlFailure, Result } from '../../node/sync-control.ts'
import { HttpError, invalid, notFound } from '../http-error.ts'

/** The value of a result. @throws HttpError 404 when there is no such relay, 409 or 422 when it cannot be done */
export function unwrap<T>(result: Result<T>): T {
  if (result.ok) return result.value
  throw toError(result)
}

function toError({ error, messages }: ControlFailure): HttpError {
  if (error === 'not_found' || error === 'unknown_server') return notFound()
  if (error === 'config_quarantined') return new HttpError(409, messages.join('; '), { code: error })
  return invalid(messages, error)
}
