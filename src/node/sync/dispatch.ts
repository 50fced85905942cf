import type { LinkId } from '../../kernel/link.ts'
import type { Scheduler } from '../../kernel/scheduler.ts'
import { toLinks } from '../../planes/events/definition/definition-links.ts'
import { canonicalFilter } from '../../planes/events/filter-hash.ts'
import type { DispatchMode, DispatchReport, SkipReason } from '../sync-control.ts'
import { type LinkView, linkView } from './link-view.ts'
import type { ServerEntry } from './server-directory.ts'

export interface DispatchOptions {
  readonly mode: DispatchMode
  readonly now: number
  /** Nobody asked for it by name: what waits after failures is left to wait. */
  readonly patient: boolean
  /** The id of the attempt that runs for the link. */
  readonly currentRun: (link: LinkId) => Promise<number>
}

/** Relays of one URL, or all. */
export type Dispatch = (
  mode: DispatchMode,
  options: { readonly url?: string | undefined; readonly patient: boolean },
) => Promise<DispatchReport>

/** Asks links of the servers for a run (spec events §4.7). Each server is told in the report once at least. */
export async function dispatch<Tx>(
  scheduler: Scheduler<Tx>,
  servers: readonly ServerEntry[],
  options: DispatchOptions,
): Promise<DispatchReport> {
  const { mode, currentRun } = options
  const dispatched: DispatchReport['dispatched'][number][] = []
  const skipped: DispatchReport['skipped'][number][] = []
  for (const entry of servers) {
    const { id, url } = entry.record.definition
    const skip = (reason: SkipReason) => skipped.push({ id, url, reason })
    const whole = serverObstacle(entry, mode)
    if (whole !== undefined) {
      skip(whole)
      continue
    }
    const reasons = new Set<SkipReason>()
    for (const view of suitable(entry, options)) {
      const reason = linkObstacle(view, entry, options)
      if (reason !== undefined) {
        reasons.add(reason)
        continue
      }
      const { link } = view.entry
      const result = await scheduler.trigger(link.id, mode)
      if (result.kind === 'refused') reasons.add('already_syncing')
      else {
        const run_id = result.kind === 'started' ? result.attempt : await currentRun(link.id)
        dispatched.push({ id, url, run_id })
      }
    }
    for (const reason of reasons) skip(reason)
  }
  return { mode, dispatched, skipped }
}

function serverObstacle({ record, links }: ServerEntry, mode: DispatchMode): SkipReason | undefined {
  const { definition, state } = record
  if (!definition['enabled?']) return 'relay_disabled'
  if (state === 'stopped') return 'stopped'
  if ((mode === 'backfill' || mode === 'full') && !definition.backfill) return 'backfill_disabled'
  return links.some(({ link }) => goesThatWay(link.direction, mode)) ? undefined : 'direction_mismatch'
}

/** The links its definition asks for; what was only asked for once runs when asked again. */
function suitable({ record, links }: ServerEntry, { mode, now }: DispatchOptions): readonly LinkView[] {
  const defined = new Set(
    toLinks(record.definition).map(({ direction, filter }) => `${direction} ${canonicalFilter(filter)}`),
  )
  return links
    .filter(
      ({ link }) => defined.has(`${link.direction} ${link.scopeKey}`) && goesThatWay(link.direction, mode),
    )
    .map((entry) => linkView(entry, now))
}

/** `full` compares in whatever direction the link has. */
function goesThatWay(direction: string, mode: DispatchMode): boolean {
  if (mode === 'full') return true
  return direction === 'both' || direction === (mode === 'upload' ? 'up' : 'down')
}

function linkObstacle(view: LinkView, entry: ServerEntry, options: DispatchOptions): SkipReason | undefined {
  const { mode, now, patient } = options
  const { run } = view.entry
  if (patient && (run.state === 'waiting' || run.state === 'blocked')) return 'backing_off'
  if (patient && (entry.health.notBefore ?? 0) > now) return 'backing_off'
  if (run.state === 'running' && !view.live) return 'already_syncing'
  // Events come as they are published: there is nothing to look for.
  if (mode === 'realtime' && view.live) return 'live'
  return mode === 'backfill' && view.backfill?.complete === true ? 'backfill_complete' : undefined
}
