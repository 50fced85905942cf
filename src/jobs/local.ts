import type { Clock, Random } from '../kernel/clock.ts'
import type { Logger } from '../kernel/logger.ts'
import { SyncError } from '../kernel/sync-error.ts'
import { nextRun, type Schedule } from './schedule.ts'

/** Something to do again and again. */
export interface RecurringEntry {
  /** For the log. Unique within a scheduler. */
  readonly name: string
  readonly schedule: Schedule
  /** Aborted when the scheduler stops. What it throws is logged; the entry runs again when next due. */
  run(signal: AbortSignal): Promise<void> | void
}

export interface LocalSchedulerOptions {
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
}

/** Part of an interval by which a tick may come early or late, so that many nodes do not ask one peer at once. */
const jitter = 0.1
/** Longest single sleep: a wall clock that was set, or a machine that slept, is noticed after this long. */
const maxSleepMs = 60_000
/** A wall clock set back further than this starts a cron entry anew instead of making it wait for its old future. */
const maxStepBackMs = 86_400_000
/** How long stopping waits for a run that ignores its signal. */
const graceMs = 5_000

/**
 * Runs recurring entries in this process. An entry never overlaps itself; ticks missed while it ran, or while the
 * machine slept, collapse into one.
 */
export class LocalScheduler implements AsyncDisposable {
  readonly #options: LocalSchedulerOptions
  readonly #stop = new AbortController()
  readonly #loops = new Map<string, Promise<void>>()

  constructor(options: LocalSchedulerOptions) {
    this.#options = options
  }

  /** Starts an entry. The first run comes when the schedule is due for the first time, not at once. */
  add(entry: RecurringEntry): void {
    if (this.#loops.has(entry.name))
      throw new SyncError('config/invalid', `there are two recurring jobs named "${entry.name}"`)
    const { signal } = this.#stop
    if (signal.aborted) return
    const ticks =
      entry.schedule.kind === 'interval'
        ? this.#intervalTicks(entry.schedule.everyMs, signal)
        : this.#cronTicks(entry.schedule, signal)
    this.#loops.set(entry.name, this.#work(entry, ticks, signal))
  }

  /** Stops: nothing starts any more, and running entries are aborted and waited for. Idempotent. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new SyncError('peer/unreachable', 'the node is stopping'))
    const { clock, log } = this.#options
    const all = Promise.all(this.#loops.values())
    const patience = new AbortController()
    const expired = clock.sleep(graceMs, patience.signal).then(
      () => log.error('a recurring job did not stop within its grace period', { graceMs }),
      () => {},
    )
    await Promise.race([all, expired])
    patience.abort()
  }

  async #work(entry: RecurringEntry, ticks: AsyncIterable<void>, signal: AbortSignal): Promise<void> {
    const { log } = this.#options
    try {
      for await (const _ of ticks) {
        try {
          await entry.run(signal)
        } catch (error) {
          if (!signal.aborted) log.error('a recurring job failed', { job: entry.name, error })
        }
      }
      if (!signal.aborted)
        log.warn('a recurring job is never due again', { job: entry.name, schedule: entry.schedule.text })
    } catch (error) {
      if (!signal.aborted) log.error('a recurring job stopped', { job: entry.name, error })
    }
  }

  /** Fixed rate on the monotonic clock: tick n is due at n × interval, however long runs take. */
  async *#intervalTicks(everyMs: number, signal: AbortSignal): AsyncGenerator<void> {
    const { clock, random } = this.#options
    const start = clock.monotonic()
    for (let tick = 1; ; tick += 1) {
      const missed = Math.floor((clock.monotonic() - start) / everyMs)
      if (missed > tick) tick = missed
      const due = start + (tick + (random() * 2 - 1) * jitter) * everyMs
      await this.#sleepUntil(() => due - clock.monotonic(), signal)
      yield
    }
  }

  /** On the wall clock, as people mean it; looked at again every minute because it may be set meanwhile. */
  async *#cronTicks(schedule: Schedule, signal: AbortSignal): AsyncGenerator<void> {
    const { clock } = this.#options
    let last = clock.now()
    for (;;) {
      const due = () => {
        if (last - clock.now() > maxStepBackMs) last = clock.now()
        return nextRun(schedule, new Date(last))?.getTime()
      }
      if (due() === undefined) return
      await this.#sleepUntil(() => (due() ?? Number.POSITIVE_INFINITY) - clock.now(), signal)
      // Taken before the run, so that ticks missed during it make it due once more.
      last = Math.max(last, clock.now())
      yield
    }
  }

  async #sleepUntil(remainingMs: () => number, signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted()
      const ms = remainingMs()
      if (ms <= 0) return
      await this.#options.clock.sleep(Math.min(ms, maxSleepMs), signal)
    }
  }
}
