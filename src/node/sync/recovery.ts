import type { Clock } from '../../kernel/clock.ts'
import { initialRun, type RunRecord, step } from '../../kernel/run.ts'
import type { Scheduler } from '../../kernel/scheduler.ts'
import type { Store } from '../../kernel/store.ts'
import type { LinkEntry, ServerEntry } from './server-directory.ts'

/** relay.rb's defaults (spec events §4.2), for servers that say nothing else in their `config`. */
const errorRetryMinutes = 30
const minuteMs = 60_000

interface Parts<Tx> {
  readonly store: Store<Tx>
  readonly scheduler: Scheduler<Tx>
  readonly clock: Clock
}

/**
 * Frees what stands still (spec events §4.15): links whose attempt died without a word, told by a lease that ran out, and
 * links in error for longer than their server's retry time. A running attempt is never disturbed.
 */
export async function recover<Tx>(
  entries: readonly ServerEntry[],
  { store, scheduler, clock }: Parts<Tx>,
): Promise<{ readonly recovered_stale: number; readonly retried_errors: number }> {
  let stale = 0
  let errors = 0
  for (const { record, links } of entries) {
    const minutes = record.definition.config.error_retry_after_minutes ?? errorRetryMinutes
    for (const { link, run } of links) {
      if (isOldError(run, clock.now() - Number(minutes) * minuteMs)) {
        await scheduler.control(link.id, 'resume')
        errors++
      } else if (run.state === 'running' && scheduler.running(link.id) === undefined)
        stale += Number(await freed({ store, scheduler, clock }, link))
    }
  }
  return { recovered_stale: stale, retried_errors: errors }
}

function isOldError({ state, finishedAt = 0 }: RunRecord, before: number): boolean {
  return (state === 'waiting' || state === 'blocked') && finishedAt < before
}

/** False when somebody holds its lease: then it runs, elsewhere. */
async function freed<Tx>(
  { store, scheduler, clock }: Parts<Tx>,
  { id }: LinkEntry['link'],
): Promise<boolean> {
  const owner = 'recovery'
  return store.transaction(async (tx) => {
    const lease = await store.jobs.claim(tx, id, owner, minuteMs)
    if (lease === undefined || scheduler.running(id) !== undefined) return false
    const run = (await store.links.run(tx, id)) ?? initialRun
    await store.links.saveRun(tx, id, step(run, { kind: 'cancelled', at: clock.now() }))
    await store.jobs.release(tx, lease)
    return true
  })
}
