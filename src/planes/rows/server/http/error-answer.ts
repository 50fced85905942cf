import type { Logger } from '../../../../kernel/logger.ts'
import { errorStatus, isWireErrorCode, type WireErrorCode } from '../../wire/error-code.ts'
import type { Actor } from '../actor.ts'
import { RowsError, type RowsErrorDetails } from '../rows-error.ts'
import { isUnavailable } from '../transaction.postgres.ts'

/** Members of an error body beside `error` and `message`; those of other details are for the host alone. */
const sent = [
  'conflict',
  'rejection',
  'source_id',
  'replaced_by_source_id',
  'dimension',
  'actual',
  'limit',
] as const satisfies readonly (keyof RowsErrorDetails)[]

/**
 * The answer to a failed operation (§2.3). An error without a code of ours is logged, and answered with `fallback` and no
 * detail: its text may hold data of a row.
 */
export function errorAnswer(
  error: unknown,
  fallback: WireErrorCode,
  logger: Logger,
  actor?: Actor,
): Response {
  const known = error instanceof RowsError && isWireErrorCode(error.code) ? error : undefined
  if (known !== undefined) {
    logger.debug('request refused', { code: known.code, ...fields(actor) })
    return answer(known.code as WireErrorCode, known.message, known.details)
  }
  logger.error('request failed', { error: String(error), code: fallback, ...fields(actor) })
  if (isUnavailable(error))
    return answer('service_unavailable', 'the database cannot be reached or is busy; try again', {
      retryAfterSeconds: 1,
    })
  return answer(fallback, 'the server failed; its log says why')
}

function answer(code: WireErrorCode, message: string, details: RowsErrorDetails = {}): Response {
  const body: Record<string, unknown> = { error: code, message }
  for (const name of sent) if (details[name] !== undefined) body[name] = details[name]
  const headers = new Headers({ 'content-type': 'application/json' })
  if (details.retryAfterSeconds !== undefined) headers.set('retry-after', String(details.retryAfterSeconds))
  return new Response(`${JSON.stringify(body)}\n`, { status: errorStatus[code], headers })
}

function fields(actor: Actor | undefined) {
  return actor === undefined ? {} : { userId: actor.userId, sourceId: actor.sourceId }
}
