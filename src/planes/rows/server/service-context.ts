import type { Pool } from 'pg'
import type { Clock } from '../../../kernel/clock.ts'
import type { Logger } from '../../../kernel/logger.ts'
import type { ApplyPlans } from './apply-plans.ts'
import type { ChangeHub } from './change-hub.ts'
import type { ServiceSettings } from './service-config.ts'
import type { StageTimer } from './stage-metrics.ts'
import type { SyncTables } from './sync-table.ts'
import type { UserQueue } from './user-queue.ts'

/** What every operation of a service works with. */
export interface ServiceContext {
  readonly pool: Pool
  readonly settings: ServiceSettings
  readonly tables: SyncTables
  readonly users: UserQueue
  readonly hub: ChangeHub
  readonly applyPlans: ApplyPlans
  readonly clock: Clock
  readonly logger: Logger
  readonly stages: StageTimer
}
