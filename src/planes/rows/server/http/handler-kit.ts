import type { Clock } from '../../../../kernel/clock.ts'
import type { Logger } from '../../../../kernel/logger.ts'
import type { WireErrorCode } from '../../wire/error-code.ts'
import type { Actor } from '../actor.ts'
import { RowsError } from '../rows-error.ts'
import type { SyncService } from '../sync-service.ts'
import { errorAnswer } from './error-answer.ts'
import type { Handler } from './handler.ts'
import { parseInteger } from './query-integer.ts'
import { actorOf } from './request-actor.ts'

/** What handlers are made from. */
export class HandlerKit {
  readonly service: SyncService
  readonly logger: Logger
  readonly clock: Clock
  readonly mayWatch: (actor: Actor) => boolean | Promise<boolean>

  constructor(
    service: SyncService,
    logger: Logger,
    clock: Clock,
    mayWatch: (actor: Actor) => boolean | Promise<boolean>,
  ) {
    this.service = service
    this.logger = logger
    this.clock = clock
    this.mayWatch = mayWatch
  }

  /** Checks method and actor, in this order, and answers errors; `fallback` is the code of those without one. */
  forActor(
    method: string,
    fallback: WireErrorCode,
    run: (request: Request, actor: Actor) => Promise<Response>,
  ): Handler {
    return async (request) => {
      const actor = actorOf(request)
      try {
        checkMethod(request, method)
        if (actor === undefined)
          throw new RowsError('authentication_failed', 'the request is not authenticated')
        return await run(request, actor)
      } catch (error) {
        return errorAnswer(error, fallback, this.logger, actor)
      }
    }
  }

  /** As `forActor`, for what may be asked without one. */
  forAnybody(fallback: WireErrorCode, run: (request: Request) => Promise<Response>): Handler {
    return async (request) => {
      try {
        checkMethod(request, 'GET')
        return await run(request)
      } catch (error) {
        return errorAnswer(error, fallback, this.logger)
      }
    }
  }
}

function checkMethod(request: Request, method: string): void {
  if (request.method !== method) throw new RowsError('method_not_allowed', `use ${method}`)
}

/** A segment of the path, counted from its end. An id that is not there, or is badly escaped, is an empty one. */
export function pathSegment(request: Request, fromEnd: number): string {
  const segments = new URL(request.url).pathname.split('/')
  try {
    return decodeURIComponent(segments.at(-1 - fromEnd) ?? '')
  } catch {
    return ''
  }
}

/** `max_rows` of the query; 0: the default. */
export function maxRows(url: URL, code: WireErrorCode): number {
  const text = url.searchParams.get('max_rows') ?? ''
  if (text === '') return 0
  const value = parseInteger(text, 'max_rows', code)
  if (value <= 0) throw new RowsError(code, 'max_rows must be positive')
  return value
}
