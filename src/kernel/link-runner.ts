import { type AnyPlane, type AttemptContext, runAttempt } from './attempt.ts'
import type { AttemptEnd } from './attempt-record.ts'
import { observe, unknownHealth } from './health.ts'
import type { Link } from './link.ts'
import type { Peer, PeerId } from './peer.ts'
import type { Progress } from './progress.ts'
import { nextDelay, type RetryPolicy } from './retry.ts'
import { initialRun, type RunEvent, type RunRecord, step } from './run.ts'
import type { Lease } from './store.ts'
import { SyncError, type SyncErrorCode } from './sync-error.ts'
import { Triggers } from './triggers.ts'

export interface LinkRunnerOptions<Tx> extends AttemptContext<Tx> {
  readonly planes: ReadonlyMap<string, AnyPlane<Tx>>
  /** How a peer's failures are spaced; may differ from peer to peer. */
  readonly retry: (peer: Peer) => RetryPolicy
  /** The first time strictly after `after` (wall ms) at which a link's schedule is due; undefined: never again. */
  readonly nextRun: (schedule: string, after: number) => number | undefined
}

export interface LinkUpdate {
  readonly link: Link
  readonly run: RunRecord
}

/** A link claimed for this process. */
export interface ClaimedLink {
  readonly link: Link
  readonly peer: Peer
  readonly lease: Lease
  /** Why its first attempt begins. */
  readonly trigger: string
}

/** How often a running attempt's progress is written for other processes to see; listeners see every report. */
const progressSaveMs = 1_000

type EndedEvent = Extract<RunEvent, { kind: 'ended' | 'failed' | 'cancelled' }>

/** Runs attempts of one claimed link until the reducer says that nothing is due at once. */
export class LinkRunner<Tx> {
  readonly #options: LinkRunnerOptions<Tx>
  readonly #claimed: ClaimedLink
  readonly #publish: (update: LinkUpdate) => void
  readonly #abort = new AbortController()
  readonly #began = Promise.withResolvers<number | undefined>()
  readonly triggers = new Triggers()
  /** As of the last event, newer than what is stored while progress is only reported. */
  #record: RunRecord = initialRun

  constructor(options: LinkRunnerOptions<Tx>, claimed: ClaimedLink, publish: (update: LinkUpdate) => void) {
    this.#options = options
    this.#claimed = claimed
    this.#publish = publish
  }

  get peer(): PeerId {
    return this.#claimed.peer.id
  }

  get record(): RunRecord {
    return this.#record
  }

  /** The id of the first attempt; undefined when none could begin. */
  get began(): Promise<number | undefined> {
    return this.#began.promise
  }

  abort(reason: unknown): void {
    this.#abort.abort(reason)
  }

  /** Never rejects. */
  async run(): Promise<RunRecord> {
    const { clock, log } = this.#options
    const { link, trigger } = this.#claimed
    let why = trigger
    try {
      for (;;) {
        const attempt = await this.#start(why)
        this.#began.resolve(attempt)
        if (attempt === undefined) break
        const asked = this.triggers.last
        const { state, dueAt } = await this.#end(attempt, await this.#once())
        // A plane that had a whole attempt to take them never will.
        this.triggers.drop(asked)
        if (this.#abort.signal.aborted || state !== 'idle') break
        const { next } = this.triggers
        if (next === undefined && (dueAt === undefined || dueAt > clock.now())) break
        why = next ?? 'more'
      }
    } catch (error) {
      log.error('the state of a link could not be saved', { link: link.id, error: String(error) })
    }
    this.#began.resolve(undefined)
    return this.#record
  }

  /** @returns the attempt's id; undefined when the link may not run now */
  async #start(trigger: string): Promise<number | undefined> {
    const { store, clock } = this.#options
    const { link } = this.#claimed
    const at = clock.now()
    const attempt = await store.transaction(
      async (tx) => {
        this.#record = step((await store.links.run(tx, link.id)) ?? initialRun, { kind: 'start', at })
        if (this.#record.state !== 'running') return undefined
        await store.links.saveRun(tx, link.id, this.#record)
        return store.links.beginAttempt(tx, { link: link.id, trigger, startedAt: at })
      },
      { durable: false },
    )
    this.#publish({ link, run: this.#record })
    return attempt
  }

  async #end(attempt: number, { event, code }: Ended): Promise<RunRecord> {
    const { store } = this.#options
    const { link } = this.#claimed
    const { counters = {}, notes = {} } = this.#record.progress ?? {}
    const fault = event.kind === 'failed' ? event.fault?.name : undefined
    const end: AttemptEnd = { finishedAt: event.at, ...resultOf(event), code, fault, counters, notes }
    const after = step(this.#record, event)
    await store.transaction(async (tx) => {
      // The link may have been removed while its attempt was ending.
      if ((await store.links.get(tx, link.id)) === undefined) return
      await store.links.saveRun(tx, link.id, after)
      await store.links.endAttempt(tx, attempt, end)
    })
    this.#record = after
    this.#publish({ link, run: after })
    return after
  }

  /** One attempt, and what it means for the run record. */
  async #once(): Promise<Ended> {
    const { planes, clock, log } = this.#options
    const { link, peer, lease } = this.#claimed
    const { signal } = this.#abort
    try {
      const plane = planes.get(link.plane)
      if (plane === undefined) throw new SyncError('config/invalid', `no plane named "${link.plane}"`)
      const outcome = await runAttempt(this.#options, plane, {
        link,
        peer,
        lease,
        signal,
        triggers: this.triggers,
        onProgress: this.#reporter(),
      })
      if (outcome.kind === 'rebuild') await this.#dropCheckpoint()
      await this.#health({ kind: 'success', at: clock.now(), stable: true })
      const at = clock.now()
      return { event: { kind: 'ended', at, outcome, nextAt: this.#nextAt(at) }, code: undefined }
    } catch (error) {
      if (signal.aborted) return { event: { kind: 'cancelled', at: clock.now() }, code: undefined }
      const failure = asSyncError(error)
      const { code, message, fault } = failure
      log.warn('an attempt failed', { link: link.id, peer: peer.name, code, fault, reason: message })
      return { event: await this.#failed(failure), code }
    }
  }

  /** A failure of the peer holds back all of its links until it is tried again, one of the link only this one. */
  async #failed(failure: SyncError): Promise<EndedEvent> {
    const { store, clock } = this.#options
    const { peer } = this.#claimed
    const { code, message, retry, fault: name, linkOnly } = failure
    const at = clock.now()
    const { liveSince, failures, fault } = this.#record
    const stable = liveSince !== undefined && at - liveSince >= this.#options.retry(peer).stableMs
    const delayMs = await store.transaction(async (tx) => {
      const known = linkOnly ? undefined : await store.peers.get(tx, peer.id)
      if (known === undefined) return this.#delay(failure, stable ? 1 : failures + 1, fault?.since ?? at)
      const saved = (await store.peers.health(tx, peer.id)) ?? unknownHealth
      const before = stable ? observe(saved, { kind: 'success', at, stable }) : saved
      const after = observe(before, { kind: 'failure', at, code, message })
      const counted = after.consecutiveFailures > before.consecutiveFailures
      const delay = counted
        ? this.#delay(failure, after.consecutiveFailures, after.firstFailureAt ?? at)
        : (before.notBefore ?? at) - at
      await store.peers.saveHealth(tx, peer.id, { ...after, notBefore: delay && at + delay })
      return delay
    })
    const event = { at, reason: message, delayMs, stable, fault: { code, name, permanent: retry !== 'soon' } }
    return { kind: 'failed', ...event }
  }

  #reporter(): (progress: Progress) => void {
    const { clock } = this.#options
    const { link } = this.#claimed
    let savedAt = clock.monotonic()
    return (progress) => {
      const becameLive = progress.phase === 'live' && this.#record.progress?.phase !== 'live'
      this.#record = step(this.#record, { kind: 'progress', at: clock.now(), progress })
      this.#publish({ link, run: this.#record })
      if (!becameLive && clock.monotonic() - savedAt < progressSaveMs) return
      savedAt = clock.monotonic()
      this.#background(this.#saveProgress(this.#record))
      if (becameLive) this.#background(this.#health({ kind: 'success', at: clock.now(), stable: false }))
    }
  }

  #nextAt(after: number): number | undefined {
    const { schedule } = this.#claimed.link
    return schedule === undefined ? undefined : this.#options.nextRun(schedule, after)
  }

  /** @returns milliseconds; undefined when it is not tried again by itself */
  #delay({ retry: pace, retryAfterMs = 0 }: SyncError, failures: number, since: number): number | undefined {
    if (pace === 'never') return undefined
    const { retry, random, clock } = this.#options
    const policy = retry(this.#claimed.peer)
    const { dead } = policy
    if (dead !== undefined && clock.now() - since >= dead.afterMs) return Math.max(dead.everyMs, retryAfterMs)
    return nextDelay(policy, failures, random(), retryAfterMs, pace === 'slowly')
  }

  async #dropCheckpoint(): Promise<void> {
    const { store } = this.#options
    const { link, lease } = this.#claimed
    await store.transaction(async (tx) => {
      await store.jobs.assertOwned(tx, lease)
      await store.links.saveCheckpoint(tx, link.id, undefined)
    })
  }

  async #health(event: Parameters<typeof observe>[1]): Promise<void> {
    const { store } = this.#options
    const { peer } = this.#claimed
    await store.transaction(
      async (tx) => {
        // The peer may have been removed while its attempt was ending.
        if ((await store.peers.get(tx, peer.id)) === undefined) return
        const health = (await store.peers.health(tx, peer.id)) ?? unknownHealth
        await store.peers.saveHealth(tx, peer.id, observe(health, event))
      },
      { durable: false },
    )
  }

  /** For other processes to read, and for the counters to survive a death; the truth is in memory until the attempt ends. */
  async #saveProgress(record: RunRecord): Promise<void> {
    const { store } = this.#options
    const { link } = this.#claimed
    await store.transaction(
      async (tx) => {
        const saved = await store.links.run(tx, link.id)
        if (saved?.state === 'running') await store.links.saveRun(tx, link.id, record)
      },
      { durable: false },
    )
  }

  /** Reports about a run must not end it: what fails here is logged, and the next report tries again. */
  #background(work: Promise<void>): void {
    work.catch((error: unknown) =>
      this.#options.log.warn('a report could not be saved', { error: String(error) }),
    )
  }
}

interface Ended {
  readonly event: EndedEvent
  readonly code: SyncErrorCode | undefined
}

function resultOf(event: EndedEvent): Pick<AttemptEnd, 'result' | 'reason'> {
  if (event.kind === 'cancelled') return { result: 'cancelled', reason: undefined }
  if (event.kind === 'failed') return { result: 'failed', reason: event.reason }
  const { outcome } = event
  return { result: outcome.kind, reason: 'reason' in outcome ? outcome.reason : undefined }
}

function asSyncError(error: unknown): SyncError {
  if (error instanceof SyncError) return error
  const message = error instanceof Error ? error.message : String(error)
  return new SyncError('internal/bug', message, { cause: error })
}
