import { isLifecycleError, isRowsClientError } from './client-error.ts'
import type { SyncCore } from './sync-core.ts'
import { readAttachment } from './sync-state.ts'
import { type WatchEnd, watch } from './watch.ts'

/** What the loops do, as the client offers it to everybody. */
export interface LoopActions {
  push(signal: AbortSignal): Promise<unknown>
  /** Answers whether something was pulled. */
  pull(signal: AbortSignal): Promise<boolean>
  uploadsPaused(): boolean
  downloadsPaused(): boolean
}

/** The uploader and the downloader of §8.15, until `signal` aborts. Neither ever throws. */
export async function runLoops(core: SyncCore, actions: LoopActions, signal: AbortSignal): Promise<void> {
  await Promise.all([uploadLoop(core, actions, signal), downloadLoop(core, actions, signal)])
}

async function uploadLoop(core: SyncCore, actions: LoopActions, signal: AbortSignal): Promise<void> {
  const pace = new Pace(core)
  while (!signal.aborted) {
    if (!actions.uploadsPaused()) await pace.round('push', signal, () => actions.push(signal))
    await pace.rest(signal)
  }
}

async function downloadLoop(core: SyncCore, actions: LoopActions, signal: AbortSignal): Promise<void> {
  const pace = new Pace(core)
  let mayWatch = core.settings.watch === 'auto'
  while (!signal.aborted) {
    if (actions.downloadsPaused()) {
      await pace.rest(signal)
      continue
    }
    let moved = true
    while (moved && !signal.aborted)
      moved = (await pace.round('pull', signal, () => actions.pull(signal))) === true
    if (mayWatch && pace.isHealthy && (await offersWatch(core, signal)))
      mayWatch = (await watchAndPull(core, actions, pace, signal)) !== 'forbidden'
    await pace.rest(signal)
  }
}

/** Asked anew each time: a server that is upgraded, or restarted with the feature on, is noticed. */
async function offersWatch(core: SyncCore, signal: AbortSignal): Promise<boolean> {
  try {
    return (await core.capabilities(signal)).features.bundle_change_watch === true
  } catch {
    return false
  }
}

/** Pulls at each hint, and after each fallback interval, until the stream ends or downloads are paused. */
async function watchAndPull(
  core: SyncCore,
  actions: LoopActions,
  pace: Pace,
  signal: AbortSignal,
): Promise<WatchEnd> {
  const { clock, watchFallbackMs } = core.settings
  const ended = new AbortController()
  const either = AbortSignal.any([signal, ended.signal])
  const hints = new Latch()
  let end: WatchEnd = 'ended'
  const listening = watch(core, readAttachment(core.db).lastBundleSeqSeen, either, () => hints.set())
    .then((how) => {
      end = how
    })
    .catch((error: unknown) => {
      if (!signal.aborted) core.settings.log.debug('a watch ended', { error })
    })
    .finally(() => ended.abort())
  while (!either.aborted && !actions.downloadsPaused()) {
    const timer = new AbortController()
    const wake = AbortSignal.any([either, timer.signal])
    const fallback = clock.sleep(watchFallbackMs, wake).catch(() => {})
    await Promise.race([hints.wait(), fallback])
    timer.abort()
    // Also once after the end: what was committed in between was not announced.
    if (!signal.aborted && !actions.downloadsPaused()) {
      const isDone = await pace.round('pull', signal, () => actions.pull(signal))
      // An operation of the application was in the way: the hint still stands.
      if (isDone === undefined && pace.wasContended) {
        hints.set()
        await pace.rest(either)
      }
    }
  }
  ended.abort()
  await listening
  return end
}

/** One hint is as good as many. */
class Latch {
  #set = false
  #wake: (() => void) | undefined

  set(): void {
    this.#set = true
    this.#wake?.()
  }

  async wait(): Promise<void> {
    if (!this.#set)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    this.#set = false
  }
}

/** How long a loop rests: `backoffMinMs`, doubled with each failure in a row. */
class Pace {
  readonly #core: SyncCore
  #delay: number
  #contended = false

  constructor(core: SyncCore) {
    this.#core = core
    this.#delay = core.settings.backoffMinMs
  }

  get isHealthy(): boolean {
    return this.#delay === this.#core.settings.backoffMinMs
  }

  get wasContended(): boolean {
    return this.#contended
  }

  /** Runs one round; a failure makes the next rest longer and answers undefined. */
  async round<T>(name: string, signal: AbortSignal, work: () => Promise<T>): Promise<T | undefined> {
    const { backoffMinMs, backoffMaxMs, log } = this.#core.settings
    this.#contended = false
    try {
      const result = await work()
      this.#delay = backoffMinMs
      return result
    } catch (error) {
      if (signal.aborted) return undefined
      // The other loop, or the application, is at it: nothing is wrong.
      this.#contended = isRowsClientError(error, 'rows/operation-in-progress', 'rows/database-busy')
      const waits =
        this.#contended ||
        isLifecycleError(error) ||
        isRowsClientError(error, 'rows/dirty-rows', 'rows/outbox-pending')
      if (!waits) log.warn(`the background ${name} failed`, { error })
      this.#delay = waits ? backoffMinMs : Math.min(backoffMaxMs, this.#delay * 2)
      return undefined
    }
  }

  async rest(signal: AbortSignal): Promise<void> {
    await this.#core.settings.clock.sleep(this.#delay, signal).catch(() => {})
  }
}
