import { Cron } from 'croner'
import { SyncError } from '../kernel/sync-error.ts'

/** When something recurring is due. */
export type Schedule =
  | { readonly kind: 'interval'; readonly text: string; readonly everyMs: number }
  | { readonly kind: 'cron'; readonly text: string; readonly nextRun: (after: Date) => Date | undefined }

const unitMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
/** A year: what is longer is a typing mistake. */
const maxMs = 366 * 86_400_000

/**
 * Reads `30s`, `5m`, `2h`, `1d`, a daily time `03:00`, or five cron fields `minute hour day month weekday`. Always UTC.
 *
 * @throws SyncError `config/invalid`
 */
export function parseSchedule(text: string): Schedule {
  const trimmed = text.trim()
  const interval = /^(\d{1,9})([smhd])$/.exec(trimmed)
  if (interval !== null) {
    const everyMs = Number(interval[1]) * unitMs[interval[2]!]!
    if (everyMs < 1_000 || everyMs > maxMs) throw invalid(text, 'an interval is from 1s to 366d')
    return { kind: 'interval', text: trimmed, everyMs }
  }
  const daily = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(trimmed)
  const fields = daily === null ? trimmed : `${Number(daily[2])} ${Number(daily[1])} * * *`
  const cron = parseCron(text, fields)
  return { kind: 'cron', text: trimmed, nextRun: (after) => cron.nextRun(after) ?? undefined }
}

/** The first time strictly after `after` at which the schedule is due; undefined when it never is again. */
export function nextRun(schedule: Schedule, after: Date): Date | undefined {
  if (schedule.kind === 'interval') return new Date(after.getTime() + schedule.everyMs)
  return schedule.nextRun(after)
}

function parseCron(text: string, fields: string): Cron {
  // Counted here, because the library would also take an ISO date or six fields.
  if (fields.split(/\s+/).length !== 5) throw invalid(text, 'it has neither a unit nor five fields')
  try {
    return new Cron(fields, { timezone: 'UTC', mode: '5-part', paused: true })
  } catch (error) {
    throw invalid(text, error instanceof Error ? error.message : String(error), error)
  }
}

function invalid(text: string, why: string, cause?: unknown): SyncError {
  return new SyncError(
    'config/invalid',
    `"${text}" is not a schedule (${why}); write an interval such as 30s, 5m, 2h or 1d, a daily time such as 03:00, or five cron fields such as "12 * * * *" (UTC)`,
    cause === undefined ? {} : { cause },
  )
}
