import { SyncError } from '../../../kernel/sync-error.ts'
import type { AttemptState } from './attempt-state.ts'
import type { Interval } from './coverage.ts'
import { Download } from './download.ts'
import { NegentropyUnsupported, probe, reconcileWindow, type WindowEnd } from './negentropy-session.ts'
import { walkGap } from './page-walk.ts'
import { beginPass, endPass, markOneWay, rangesOf } from './pass.ts'
import type { Strategy } from './peer-settings.ts'
import type { Plan } from './plan.ts'
import { SyncPageUnsupported, walkSyncPages } from './sync-page-walk.ts'
import { Tally } from './tally.ts'
import { Upload } from './upload.ts'
import type { UploadTail } from './upload-tail.ts'
import { type WindowCost, WindowQueue } from './window-queue.ts'

/** Sessions in a row that end early without having revealed anything. */
const maxFruitless = 3
/** Windows in a row without any answer: the relay no longer speaks NIP-77, whatever it did before. */
const maxSilent = 2
/** A window that took less of the time it may take, and found fewer ids, is cheap. */
const cheapShare = 0.1
const cheapIds = 5_000

/**
 * Brings both sides into step as far as the plan says: window by window, newest first, each committed as soon as its events
 * are disposed of. A way that fails leaves its window to the next way (specs §5.17).
 */
export class CatchUp<Tx> {
  readonly #state: AttemptState<Tx>
  readonly #tail: UploadTail<Tx>
  readonly #strategies: Strategy[]
  readonly #download: Download<Tx>
  readonly #upload: Upload<Tx>
  readonly #commits = new Set<Promise<void>>()
  /** Windows of which the relay names events that it does not hand out by their ids. */
  readonly #withheld: Interval[] = []
  #failure: unknown
  #fruitless = 0
  #silent = 0

  constructor(state: AttemptState<Tx>, tail: UploadTail<Tx>) {
    this.#state = state
    this.#tail = tail
    this.#download = new Download(state)
    this.#upload = new Upload(state)
    // What the peer lacks shows only in a comparison of both sides.
    const usable = (strategy: Strategy) => state.pulls || strategy === 'negentropy'
    this.#strategies = state.settings.strategies.filter(usable)
  }

  /** How the last difference was found. */
  get strategy(): Strategy | undefined {
    return this.#strategies[0]
  }

  /** Before this the link has no position in what goes up; after it, what arrives may be offered. */
  async begin(plan: Plan): Promise<void> {
    const state = this.#state
    state.scanStart = state.nowSeconds()
    state.counters.queryRuns++
    // Who wants everything looked at again wants it looked at in the best way there is by now.
    const { negentropy, syncPage } = state.learned
    if (plan.full && (negentropy?.works === false || syncPage?.works === false)) state.relearn()
    state.mark('started')
    await beginPass(state, plan)
  }

  async run(plan: Plan): Promise<void> {
    const state = this.#state
    const uploads = plan.upload && state.pushes
    if (uploads) await this.#upload.pushDue()
    try {
      await this.#scan(rangesOf(state, plan), uploads)
    } finally {
      // What was found is moved even when the rest could not be: the next attempt then has less to find.
      await Promise.all([this.#download.drain(), this.#upload.finish()])
    }
    await Promise.all(this.#commits)
    if (this.#failure !== undefined) throw this.#failure
    for (const window of this.#withheld)
      await this.#walkInstead(window, 'it names events and does not hand them out by their ids')
    await endPass(state, this.strategy)
    if (uploads) {
      if (state.checkpoint.pass === undefined) await this.#tail.backlog()
      await this.#tail.follow()
    }
    state.mark('completed')
  }

  async #scan(ranges: readonly Interval[], uploads: boolean): Promise<void> {
    const { settings } = this.#state
    const queue = new WindowQueue(ranges, {
      first: settings.negentropyChunkSeconds,
      least: settings.negentropyMinWindowSeconds,
    })
    for (;;) {
      this.#state.session.signal.throwIfAborted()
      if (this.#failure !== undefined) throw this.#failure
      const strategy = this.#strategies[0]
      // Only a link that goes up and cannot compare gets here without one: its tail offers everything.
      if (strategy === undefined) return markOneWay(this.#state)
      const window = strategy === 'negentropy' ? queue.next() : queue.rest(this.#chunk(strategy))
      if (window === undefined) return
      this.#state.notes.strategy = strategy
      try {
        if (strategy === 'negentropy') await this.#compare(window, queue, uploads)
        else await this.#walk(strategy, window)
      } catch (error) {
        if (!(error instanceof NegentropyUnsupported || error instanceof SyncPageUnsupported)) throw error
        await this.#fallBack(strategy, error.message)
        queue.again(window)
      }
    }
  }

  /** Pages of a trusted relay go through all that is left; a page walk may be cut into chunks. */
  #chunk(strategy: Strategy): number | undefined {
    return strategy === 'req' ? this.#state.settings.pollingChunkSeconds : undefined
  }

  async #walk(strategy: Strategy, window: Interval): Promise<void> {
    this.#state.phase = 'transferring'
    this.#state.pulse.notify()
    if (this.#state.pushes) await markOneWay(this.#state)
    if (strategy === 'sync_page') await walkSyncPages(this.#state, window)
    else await walkGap(this.#state, window)
  }

  async #fallBack(from: Strategy, reason: string): Promise<void> {
    const state = this.#state
    this.#strategies.shift()
    const to = this.#strategies[0] ?? 'nothing'
    state.session.log.info('falling back to another way of finding the difference', { from, to, reason })
    if (from === 'negentropy') state.learn({ negentropy: { works: false, reason } })
    if (from === 'sync_page') state.learn({ syncPage: { works: false, reason } })
    state.notes.fallback = `${from} → ${to}: ${reason}`
  }

  async #compare(window: Interval, queue: WindowQueue, uploads: boolean): Promise<void> {
    const { session, settings, pulls } = this.#state
    this.#state.phase = 'reconciling'
    this.#state.pulse.notify()
    await probe(this.#state)
    const began = session.clock.monotonic()
    const tally = new Tally()
    let found = 0
    const differences = reconcileWindow(this.#state, window)
    let step = await differences.next()
    for (; !step.done; step = await differences.next()) {
      const { need, have } = step.value
      found += need.length + have.length
      this.#state.phase = 'transferring'
      await Promise.all([
        pulls ? this.#download.push(need, tally) : undefined,
        uploads ? this.#upload.push(have, tally) : undefined,
      ])
      this.#state.pulse.notify()
    }
    const took = session.clock.monotonic() - began
    const quick = took < settings.negentropyTimeoutMs * cheapShare && found < cheapIds
    const cost = !quick ? 'dear' : found === 0 ? 'same' : 'cheap'
    await this.#ended(step.value, window, queue, tally, cost)
  }

  async #ended(
    end: WindowEnd,
    window: Interval,
    queue: WindowQueue,
    tally: Tally,
    cost: WindowCost,
  ): Promise<void> {
    if (end.kind !== 'silent') this.#silent = 0
    switch (end.kind) {
      case 'done':
        this.#fruitless = 0
        this.#state.pace.ease()
        queue.succeeded(cost)
        return this.#coverWhenSettled(window, tally)
      case 'frame':
        return queue.again(window)
      case 'silent':
        if (++this.#silent >= maxSilent) throw new NegentropyUnsupported(end.reason)
        return this.#smaller(window, queue, end.reason)
      case 'too-big':
        return this.#smaller(window, queue, end.reason)
      case 'busy':
        if (!(await this.#state.pace.pause())) throw this.#busy(end.reason)
        return queue.again(window)
      case 'interrupted':
        this.#fruitless = end.learned ? 0 : this.#fruitless + 1
        if (this.#fruitless >= maxFruitless) throw this.#busy(end.reason)
        // Everything found so far is moved before the window is opened anew, or it would be found again.
        await Promise.all([this.#download.drain(), this.#upload.finish()])
        return queue.again(window)
    }
  }

  #busy(reason: string): SyncError {
    const message = `${this.#state.client.url} keeps ending the reconciliation: ${reason}`
    return new SyncError('peer/busy', message, { fault: 'negentropy_interrupted', linkOnly: true })
  }

  /** A window that cannot be any smaller is walked by pages; the others are still compared. */
  async #smaller(window: Interval, queue: WindowQueue, reason: string): Promise<void> {
    if (queue.refused(window)) return
    if (!this.#state.pulls) return markOneWay(this.#state)
    await this.#walkInstead(window, reason)
  }

  async #walkInstead(window: Interval, reason: string): Promise<void> {
    this.#state.notes.fallback = `negentropy → req for ${window[0]}–${window[1]}: ${reason}`
    await this.#walk('req', window)
  }

  /** Only when every id of the difference is disposed of is the window complete: with its events, not with its ids. */
  #coverWhenSettled(window: Interval, tally: Tally): void {
    tally.seal((withheld) => {
      if (withheld) return void this.#withheld.push(window)
      const commit = this.#state
        .advance((checkpoint) => this.#state.covering(checkpoint, window))
        .catch((error: unknown) => {
          this.#failure ??= error
        })
        .finally(() => this.#commits.delete(commit))
      this.#commits.add(commit)
    })
  }
}
