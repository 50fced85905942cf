import type { Unreadable } from '../../kernel/store.ts'
import type { SyncHealth } from '../sync-control.ts'
import { type LinkView, linkView } from './link-view.ts'
import type { ServerEntry } from './server-directory.ts'

/** How long a server may be without a connection before somebody should know. */
const toleratedMs = 60_000

/** What needs somebody's attention right now, and nothing that is over (spec events §2.16). */
export function syncHealth(
  entries: readonly ServerEntry[],
  quarantined: readonly Unreadable[],
  now: number,
): SyncHealth {
  const reasons = entries.map((entry) => ({ id: entry.record.definition.id, reason: reasonOf(entry, now) }))
  const failing = reasons.filter((one): one is { id: string; reason: string } => one.reason !== undefined)
  const views = entries.map(({ links }) => links.map((link) => linkView(link, now)))
  const storeFails = entries.some(({ links }) => links.some(({ run }) => isStoreFault(run.fault?.code)))
  const degraded = failing.length > 0 || quarantined.length > 0
  return {
    status: storeFails ? 'down' : degraded ? 'degraded' : 'ok',
    servers_total: entries.length,
    servers_connected: views.filter((links) => links.some(({ connected }) => connected)).length,
    servers_failing: failing,
    config_quarantined: quarantined,
  }
}

/** Undefined while all is as it should be. */
function reasonOf(entry: ServerEntry, now: number): string | undefined {
  const { record, links } = entry
  if (record.state === 'stopped') return undefined
  const views = links.map((link) => linkView(link, now))
  for (const {
    entry: { run },
  } of views) {
    const { fault } = run
    if (fault === undefined) continue
    if (fault.permanent || run.state === 'blocked') return `${fault.name ?? fault.code}: ${fault.message}`
    if (now - fault.since > toleratedMs && run.progress?.phase !== 'live')
      return `not connected: ${fault.message}`
  }
  const gap = views.find(({ checkpoint }) => checkpoint.gaps.length > 0)?.checkpoint.gaps[0]
  if (gap !== undefined)
    return `incomplete: the second ${gap.second} could not be fetched whole (${gap.reason})`
  return neverConnected(entry, views, now) ?? tooLongAgo(views, now)
}

function neverConnected(
  { record }: ServerEntry,
  views: readonly LinkView[],
  now: number,
): string | undefined {
  const away = views.filter(({ entry: { link }, connected }) => link.live && !connected)
  if (away.length === 0) return undefined
  const since = Math.max(
    record.updatedAt,
    ...away.map(({ entry: { run } }) => run.finishedAt ?? run.startedAt ?? 0),
  )
  return now - since > toleratedMs ? 'not connected' : undefined
}

/** What runs by schedule has missed it three times. */
function tooLongAgo(views: readonly LinkView[], now: number): string | undefined {
  const late = views.find(({ entry: { link, run } }) => {
    const period = intervalMs(link.schedule)
    return period !== undefined && run.caughtUpAt !== undefined && now - run.caughtUpAt > 3 * period
  })
  return late && `no successful run for more than three times its schedule ${late.entry.link.schedule}`
}

function intervalMs(schedule: string | undefined): number | undefined {
  const [, number, unit] = /^(\d+)([smhd])$/.exec(schedule ?? '') ?? []
  const ms = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }[unit ?? '']
  return ms === undefined ? undefined : Number(number) * ms
}

function isStoreFault(code: string | undefined): boolean {
  return code === 'store/full' || code === 'store/io' || code === 'store/corrupt'
}
