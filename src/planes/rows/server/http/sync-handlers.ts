import { type Clock, systemClock } from '../../../../kernel/clock.ts'
import { type Logger, silentLogger } from '../../../../kernel/logger.ts'
import type { Actor } from '../actor.ts'
import type { SyncService } from '../sync-service.ts'
import { HandlerKit } from './handler-kit.ts'
import { infoHandlers } from './info-handlers.ts'
import { pullHandlers } from './pull-handlers.ts'
import { pushHandlers } from './push-handlers.ts'

export interface SyncHandlersConfig {
  readonly logger?: Logger
  readonly clock?: Clock
  /** Whether this actor may watch; everybody may where it is not given. */
  readonly bundleChangeWatchAllowed?: (actor: Actor) => boolean | Promise<boolean>
}

/**
 * One handler per operation (§2.4). They take the actor that `actorMiddleware` found, and the ids in paths from where the
 * contract has them, below any prefix.
 */
export function createSyncHandlers(service: SyncService, config: SyncHandlersConfig = {}) {
  const {
    logger = silentLogger,
    clock = systemClock,
    bundleChangeWatchAllowed: mayWatch = () => true,
  } = config
  const kit = new HandlerKit(service, logger, clock, mayWatch)
  return { ...pushHandlers(kit), ...pullHandlers(kit), ...infoHandlers(kit) }
}

export type SyncHandlers = Readonly<ReturnType<typeof createSyncHandlers>>
