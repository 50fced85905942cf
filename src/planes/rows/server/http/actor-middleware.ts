import { type Logger, silentLogger } from '../../../../kernel/logger.ts'
import { sourceIdHeader } from '../../wire/protocol.ts'
import { RowsError } from '../rows-error.ts'
import { errorAnswer } from './error-answer.ts'
import type { Handler } from './handler.ts'
import { withActor } from './request-actor.ts'

/** Says which user a request comes from; throws, or returns a blank id, if it does not know. */
export type Authenticator = (request: Request) => string | Promise<string>

export interface ActorMiddlewareConfig {
  readonly authenticate: Authenticator
  readonly logger?: Logger
}

/**
 * Lets requests through with an actor: the authenticated user, and the source of the header (§2.2). Otherwise answers 401
 * `authentication_failed`, or 400 `invalid_request` for a missing source.
 */
export function actorMiddleware({
  authenticate,
  logger = silentLogger,
}: ActorMiddlewareConfig): (next: Handler) => Handler {
  if (typeof authenticate !== 'function')
    throw new RowsError('configuration_invalid', 'the actor middleware needs an authenticator')
  return (next) => async (request) => {
    const userId = await resolveUser(authenticate, request, logger)
    if (userId === '')
      return errorAnswer(
        new RowsError('authentication_failed', 'the request is not authenticated'),
        'authentication_failed',
        logger,
      )
    const sourceId = (request.headers.get(sourceIdHeader) ?? '').trim()
    if (sourceId === '')
      return errorAnswer(
        new RowsError('invalid_request', `header ${sourceIdHeader} is missing`),
        'invalid_request',
        logger,
      )
    return next(withActor(request, { userId, sourceId }))
  }
}

async function resolveUser(authenticate: Authenticator, request: Request, logger: Logger): Promise<string> {
  try {
    return (await authenticate(request)).trim()
  } catch (error) {
    logger.debug('authentication failed', { error: String(error) })
    return ''
  }
}
