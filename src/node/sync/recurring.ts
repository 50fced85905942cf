import type { RecurringEntry } from '../../jobs/local.ts'
import { parseSchedule } from '../../jobs/schedule.ts'
import type { Clock } from '../../kernel/clock.ts'
import type { Logger } from '../../kernel/logger.ts'
import type { DispatchMode, ServerControl } from '../sync-control.ts'
import type { Dispatch } from './dispatch.ts'
import type { ServerDirectory } from './server-directory.ts'

/** How long what retired can come back with its checkpoint (spec events §2.15). */
const retiredKeptMs = 7 * 86_400_000

/** When each entry is due, as the configuration says: a schedule or `off`. */
export type RecurringSchedules = Readonly<Record<DispatchMode | 'recovery' | 'housekeeping', string>>

export interface RecurringParts<Tx> {
  readonly dispatch: Dispatch
  readonly control: Pick<ServerControl, 'recover'>
  readonly directory: ServerDirectory<Tx>
  readonly clock: Clock
  readonly log: Logger
}

/**
 * relay.rb's recurring jobs (spec events §4.6) as triggers into links that mostly stay connected by themselves.
 *
 * @throws SyncError `config/invalid` for a text that is no schedule
 */
export function recurringEntries<Tx>(
  schedules: RecurringSchedules,
  { dispatch, control, directory, clock, log }: RecurringParts<Tx>,
): readonly RecurringEntry[] {
  const asking = (mode: DispatchMode) => async () => {
    const { dispatched } = await dispatch(mode, { patient: true })
    if (dispatched.length > 0) log.info('relays are asked by schedule', { mode, links: dispatched.length })
  }
  const works: Readonly<Record<keyof RecurringSchedules, RecurringEntry['run']>> = {
    realtime: asking('realtime'),
    backfill: asking('backfill'),
    upload: asking('upload'),
    full: asking('full'),
    recovery: async () => {
      const { recovered_stale: stale, retried_errors: errors } = await control.recover()
      if (stale + errors > 0) log.info('links were set free', { stale, errors })
    },
    housekeeping: async () => {
      const links = await directory.dropRetired(clock.now() - retiredKeptMs)
      if (links > 0) log.info('the progress of filters nobody asks for was forgotten', { links })
    },
  }
  return (Object.keys(works) as (keyof RecurringSchedules)[])
    .filter((name) => schedules[name] !== 'off')
    .map((name) => ({ name, schedule: parseSchedule(schedules[name]), run: works[name] }))
}
