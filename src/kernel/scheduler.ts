import { type AnyPlane, type AttemptContext, runAttempt } from './attempt.ts'
import { observe, unknownHealth } from './health.ts'
import type { Link, LinkId } from './link.ts'
import type { Peer } from './peer.ts'
import type { Outcome, Progress } from './progress.ts'
import { nextDelay, type RetryPolicy } from './retry.ts'
import { initialRun, type RunEvent, type RunRecord, step } from './run.ts'
import type { Lease } from './store.ts'
import { SyncError } from './sync-error.ts'

export interface SchedulerOptions<Tx> extends AttemptContext<Tx> {
  readonly planes: ReadonlyMap<string, AnyPlane<Tx>>
  /** Unique per process: what leases are held under. */
  readonly owner: string
  readonly retry: RetryPolicy
  /** The first time strictly after `after` (wall ms) at which a link's schedule is due; undefined: never again. */
  readonly nextRun: (schedule: string, after: number) => number | undefined
  /** Attempts running at the same time; further due links wait. */
  readonly concurrency: number
  /** How often stored links are looked at for changes made elsewhere. Triggers and due times do not wait for it. */
  readonly pollMs: number
}

export interface LinkUpdate {
  readonly link: Link
  readonly run: RunRecord
}

export interface RunNowOptions {
  /** Aborting it ends the attempt, also for others who joined it. */
  readonly signal: AbortSignal
  /** Overrides the link's own wish for this run. */
  readonly live?: boolean | undefined
}

/** How often a running attempt's progress is written for other processes to see; listeners see every report. */
const progressSaveMs = 1_000

interface Running {
  readonly abort: AbortController
  /** The record as of the last event, newer than what is stored while progress is only reported. */
  record: RunRecord
  finished: Promise<RunRecord>
}

/**
 * Brings links up to date: claims a due link, runs attempts, lets the reducer decide what comes next. A link never
 * runs twice at once, here or elsewhere: its lease sees to that.
 */
export class Scheduler<Tx> implements AsyncDisposable {
  readonly #options: SchedulerOptions<Tx>
  readonly #running = new Map<LinkId, Running>()
  readonly #listeners = new Set<(update: LinkUpdate) => void>()
  readonly #stop = new AbortController()
  #wake: () => void = () => {}
  #loop: Promise<void> | undefined
  #adopted: Promise<void> | undefined

  constructor(options: SchedulerOptions<Tx>) {
    this.#options = options
  }

  /** Starts working through due links. Idempotent. */
  start(): void {
    this.#loop ??= this.#work().catch((error: unknown) => {
      if (!this.#stop.signal.aborted)
        this.#options.log.error('the scheduler stopped', { error: String(error) })
    })
  }

  /** Looks at the stored links now: one was added or changed. */
  wake(): void {
    this.#wake()
  }

  onUpdate(listener: (update: LinkUpdate) => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) }
  }

  /**
   * Brings one link up to date now and answers its record. Joins an attempt already running here.
   *
   * @throws SyncError `store/busy` when another process works on the link, `config/invalid` when it is unknown
   */
  async runNow(id: LinkId, { signal, live }: RunNowOptions): Promise<RunRecord> {
    await this.#adoptOrphans()
    const running = this.#running.get(id) ?? (await this.#begin(id, live))
    if (running === undefined)
      throw new SyncError('store/busy', `link ${id} is being worked on by another process`)
    const onAbort = () => running.abort.abort(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    try {
      return await running.finished
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  /** Applies an operator's wish; a paused link's running attempt is stopped first. */
  async control(id: LinkId, wish: 'pause' | 'resume'): Promise<RunRecord> {
    const running = this.#running.get(id)
    if (wish === 'pause' && running !== undefined) {
      running.abort.abort(new SyncError('peer/unreachable', 'stopped by the operator'))
      await running.finished
    }
    const record = await this.#record(id, { kind: wish, at: this.#options.clock.now() })
    this.#wake()
    return record
  }

  /** Stops a link's running attempt, if any, and waits for its end. */
  async cancel(id: LinkId): Promise<void> {
    const running = this.#running.get(id)
    running?.abort.abort(new SyncError('peer/unreachable', 'stopped'))
    await running?.finished
  }

  /** Stops every attempt; each ends with what it had committed. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new SyncError('peer/unreachable', 'the node is stopping'))
    this.#wake()
    for (const { abort } of this.#running.values()) abort.abort(this.#stop.signal.reason)
    await Promise.allSettled([...this.#running.values()].map(({ finished }) => finished))
    await this.#loop
  }

  async #work(): Promise<void> {
    const { store, clock, pollMs } = this.#options
    await this.#adoptOrphans()
    while (!this.#stop.signal.aborted) {
      const nap = new AbortController()
      this.#wake = () => nap.abort()
      const links = await store.read((tx) => this.#enabledLinks(tx))
      let nextDue = clock.now() + pollMs
      for (const { link, run } of links) {
        const due = dueAt(link, run)
        if (due === undefined || this.#running.has(link.id)) continue
        if (due > clock.now()) nextDue = Math.min(nextDue, due)
        else if (this.#running.size < this.#options.concurrency) await this.#begin(link.id)
      }
      await clock
        .sleep(Math.max(0, nextDue - clock.now()), AbortSignal.any([nap.signal, this.#stop.signal]))
        .catch(() => {})
    }
  }

  async #enabledLinks(tx: Tx): Promise<{ link: Link; run: RunRecord }[]> {
    const { store } = this.#options
    const peers = new Set((await store.peers.list(tx)).filter((peer) => peer.enabled).map((peer) => peer.id))
    const links = (await store.links.list(tx)).filter((link) => link.enabled && peers.has(link.peer))
    return Promise.all(
      links.map(async (link) => ({ link, run: (await store.links.run(tx, link.id)) ?? initialRun })),
    )
  }

  /** A record that says `running` although its lease can be had was left by a process that died. */
  #adoptOrphans(): Promise<void> {
    const { store, clock, owner, leaseMs } = this.#options
    this.#adopted ??= store.transaction(async (tx) => {
      await store.jobs.releaseAll(tx, owner)
      for (const link of await store.links.list(tx)) {
        const run = await store.links.run(tx, link.id)
        if (run?.state !== 'running') continue
        const lease = await store.jobs.claim(tx, link.id, owner, leaseMs)
        if (lease === undefined) continue
        await store.links.saveRun(tx, link.id, step(run, { kind: 'cancelled', at: clock.now() }))
        await store.jobs.release(tx, lease)
      }
    })
    return this.#adopted
  }

  async #begin(id: LinkId, live?: boolean): Promise<Running | undefined> {
    const { store, owner, leaseMs } = this.#options
    const claimed = await store.transaction(async (tx) => {
      const link = await store.links.get(tx, id)
      const peer = link && (await store.peers.get(tx, link.peer))
      if (link === undefined || peer === undefined)
        throw new SyncError('config/invalid', `there is no link ${id}`)
      return {
        link: { ...link, live: live ?? link.live },
        peer,
        lease: await store.jobs.claim(tx, id, owner, leaseMs),
      }
    })
    if (claimed.lease === undefined || this.#running.has(id)) return this.#running.get(id)
    const abort = new AbortController()
    const running: Running = { abort, record: initialRun, finished: Promise.resolve(initialRun) }
    this.#running.set(id, running)
    running.finished = this.#drive(claimed.link, claimed.peer, claimed.lease, running)
    if (this.#stop.signal.aborted) abort.abort(this.#stop.signal.reason)
    return running
  }

  /** Attempts until the reducer says that nothing is due at once, then frees the link. Never rejects. */
  async #drive(link: Link, peer: Peer, lease: Lease, running: Running): Promise<RunRecord> {
    const { store, log, clock } = this.#options
    const { signal } = running.abort
    const record = async (event: RunEvent) => {
      running.record = await this.#record(link.id, event, event.kind === 'start' ? undefined : running.record)
      return running.record
    }
    try {
      for (;;) {
        if ((await record({ kind: 'start', at: clock.now() })).state !== 'running') break
        const { state, dueAt } = await record(await this.#once(link, peer, lease, running))
        if (signal.aborted || state !== 'idle' || dueAt === undefined || dueAt > clock.now()) break
      }
    } catch (error) {
      log.error('the state of a link could not be saved', { link: link.id, error: String(error) })
    } finally {
      await store.transaction((tx) => store.jobs.release(tx, lease)).catch(() => {})
      this.#running.delete(link.id)
      this.#wake()
    }
    return running.record
  }

  /** One attempt, and what it means for the run record. */
  async #once(link: Link, peer: Peer, lease: Lease, running: Running): Promise<RunEvent> {
    const { planes, clock, log } = this.#options
    const { signal } = running.abort
    let savedAt = clock.monotonic()
    const onProgress = (progress: Progress) => {
      const becameLive = progress.phase === 'live' && running.record.progress?.phase !== 'live'
      running.record = step(running.record, { kind: 'progress', at: clock.now(), progress })
      this.#publish({ link, run: running.record })
      if (!becameLive && clock.monotonic() - savedAt < progressSaveMs) return
      savedAt = clock.monotonic()
      this.#background(this.#saveProgress(link, running.record))
      if (becameLive) this.#background(this.#health(peer, { kind: 'success', at: clock.now() }))
    }
    try {
      const plane = planes.get(link.plane)
      if (plane === undefined) throw new SyncError('config/invalid', `no plane named "${link.plane}"`)
      const outcome: Outcome = await runAttempt(this.#options, plane, {
        link,
        peer,
        lease,
        signal,
        onProgress,
      })
      if (outcome.kind === 'rebuild') await this.#dropCheckpoint(link, lease)
      await this.#health(peer, { kind: 'success', at: clock.now() })
      const at = clock.now()
      return { kind: 'ended', at, outcome, nextAt: this.#nextAt(link, at) }
    } catch (error) {
      if (signal.aborted) return { kind: 'cancelled', at: clock.now() }
      const failure = asSyncError(error)
      log.warn('an attempt failed', {
        link: link.id,
        peer: peer.name,
        code: failure.code,
        reason: failure.message,
      })
      await this.#health(peer, {
        kind: 'failure',
        at: clock.now(),
        code: failure.code,
        message: failure.message,
      })
      return {
        kind: 'failed',
        at: clock.now(),
        reason: failure.message,
        delayMs: this.#delay(running.record, failure),
      }
    }
  }

  #nextAt({ schedule }: Link, after: number): number | undefined {
    return schedule === undefined ? undefined : this.#options.nextRun(schedule, after)
  }

  #delay(record: RunRecord, failure: SyncError): number | undefined {
    const { retry, random } = this.#options
    return failure.retryable
      ? nextDelay(retry, record.failures + 1, random(), failure.retryAfterMs)
      : undefined
  }

  async #dropCheckpoint(link: Link, lease: Lease): Promise<void> {
    const { store } = this.#options
    await store.transaction(async (tx) => {
      await store.jobs.assertOwned(tx, lease)
      await store.links.saveCheckpoint(tx, link.id, undefined)
    })
  }

  async #health(peer: Peer, event: Parameters<typeof observe>[1]): Promise<void> {
    const { store } = this.#options
    await store.transaction(async (tx) => {
      // The peer may have been removed while its attempt was ending.
      if ((await store.peers.get(tx, peer.id)) === undefined) return
      const health = (await store.peers.health(tx, peer.id)) ?? unknownHealth
      await store.peers.saveHealth(tx, peer.id, observe(health, event))
    })
  }

  /** For other processes to read; the record's truth is in memory until the attempt ends. */
  async #saveProgress(link: Link, record: RunRecord): Promise<void> {
    const { store } = this.#options
    await store.transaction(async (tx) => {
      const saved = await store.links.run(tx, link.id)
      if (saved?.state === 'running') await store.links.saveRun(tx, link.id, record)
    })
  }

  /** Reports about a run must not end it: what fails here is logged, and the next report tries again. */
  #background(work: Promise<void>): void {
    work.catch((error: unknown) =>
      this.#options.log.warn('a report could not be saved', { error: String(error) }),
    )
  }

  /** `base` is the running attempt's record, newer than the stored one. */
  async #record(id: LinkId, event: RunEvent, base?: RunRecord): Promise<RunRecord> {
    const { store } = this.#options
    const saved = await store.transaction(async (tx) => {
      const link = await store.links.get(tx, id)
      if (link === undefined) throw new SyncError('config/invalid', `there is no link ${id}`)
      const run = step(base ?? (await store.links.run(tx, id)) ?? initialRun, event)
      await store.links.saveRun(tx, id, run)
      return { link, run }
    })
    this.#publish(saved)
    return saved.run
  }

  #publish(update: LinkUpdate): void {
    for (const listener of this.#listeners) listener(update)
  }
}

/** A live or repeating link that never ran is due at once; one that is neither only runs when asked. */
function dueAt(link: Link, run: RunRecord): number | undefined {
  if (!link.live && link.schedule === undefined) return undefined
  if (run.state !== 'idle' && run.state !== 'waiting') return undefined
  return run.dueAt ?? (run.startedAt === undefined ? 0 : undefined)
}

function asSyncError(error: unknown): SyncError {
  if (error instanceof SyncError) return error
  return new SyncError('internal/bug', error instanceof Error ? error.message : String(error), {
    cause: error,
  })
}
