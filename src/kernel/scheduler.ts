import { observe } from './health.ts'
import type { Link, LinkId } from './link.ts'
import { LinkRunner, type LinkRunnerOptions, type LinkUpdate } from './link-runner.ts'
import type { PeerId } from './peer.ts'
import { initialRun, type RunRecord, step } from './run.ts'
import { SyncError } from './sync-error.ts'

export interface SchedulerOptions<Tx> extends LinkRunnerOptions<Tx> {
  /** Unique per process: what leases are held under. */
  readonly owner: string
  /** Attempts coming up to date at the same time; further due links wait. One that is live and waits for news does not count. */
  readonly concurrency: number
  /** How often stored links are looked at for changes made elsewhere. Triggers and due times do not wait for it. */
  readonly pollMs: number
}

export interface RunNowOptions {
  /** Aborting it ends the attempt, also for others who joined it. */
  readonly signal: AbortSignal
  /** Overrides the link's own wish for this run. */
  readonly live?: boolean | undefined
  /** What the plane is told beyond coming up to date; an attempt that runs already is not joined then. */
  readonly word?: string | undefined
}

export type TriggerResult =
  /** An attempt began for it. */
  | { readonly kind: 'started'; readonly attempt: number; readonly finished: Promise<RunRecord> }
  /** The running attempt was told; what it does not take up itself, the next one begins with. */
  | { readonly kind: 'told'; readonly finished: Promise<RunRecord> }
  /** Another process works on the link, or it is paused. */
  | { readonly kind: 'refused'; readonly reason: 'busy' | 'paused' }

interface Running<Tx> {
  readonly runner: LinkRunner<Tx>
  readonly finished: Promise<RunRecord>
}

/**
 * Brings links up to date: claims a due link, runs attempts, lets the reducer decide what comes next. A link never
 * runs twice at once, here or elsewhere: its lease sees to that.
 */
export class Scheduler<Tx> implements AsyncDisposable {
  readonly #options: SchedulerOptions<Tx>
  readonly #running = new Map<LinkId, Running<Tx>>()
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

  /** The record of an attempt running here, newer than the stored one. */
  running(id: LinkId): RunRecord | undefined {
    return this.#running.get(id)?.runner.record
  }

  /**
   * Brings one link up to date now and answers its record. Joins an attempt already running here.
   *
   * @throws SyncError `store/busy` when another process works on the link, `config/invalid` when it is unknown
   */
  async runNow(id: LinkId, { signal, live, word }: RunNowOptions): Promise<RunRecord> {
    await this.#adoptOrphans()
    if (word !== undefined && this.#running.has(id))
      throw new SyncError('store/busy', `link ${id} is being synced right now; try again when it is not`)
    const running = this.#running.get(id) ?? (await this.#begin(id, { live, trigger: word ?? 'asked', word }))
    if (running === undefined)
      throw new SyncError('store/busy', `link ${id} is being worked on by another process`)
    const onAbort = () => running.runner.abort(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    try {
      return await running.finished
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  /**
   * Asks a link for something beyond its own pace: tells the running attempt, or starts one. What a word means is the
   * plane's business; a link that waits after failures starts at once and its failures are forgotten.
   *
   * @throws SyncError `config/invalid` when the link is unknown
   */
  async trigger(id: LinkId, word: string): Promise<TriggerResult> {
    await this.#adoptOrphans()
    const running = this.#running.get(id)
    if (running !== undefined) {
      running.runner.triggers.add(word)
      return { kind: 'told', finished: running.finished }
    }
    const begun = await this.#begin(id, { trigger: word, word, forget: true })
    if (begun === undefined) return { kind: 'refused', reason: 'busy' }
    const attempt = await begun.runner.began
    if (attempt === undefined) return { kind: 'refused', reason: 'paused' }
    return { kind: 'started', attempt, finished: begun.finished }
  }

  /** Applies an operator's wish; a paused link's running attempt is stopped first. */
  async control(id: LinkId, wish: 'pause' | 'resume'): Promise<RunRecord> {
    const { store, clock } = this.#options
    const running = this.#running.get(id)
    if (wish === 'pause' && running !== undefined) {
      running.runner.abort(new SyncError('peer/unreachable', 'stopped by the operator'))
      await running.finished
    }
    const saved = await store.transaction(async (tx) => {
      const link = await store.links.get(tx, id)
      if (link === undefined) throw unknown(id)
      const run = step((await store.links.run(tx, id)) ?? initialRun, { kind: wish, at: clock.now() })
      await store.links.saveRun(tx, id, run)
      return { link, run }
    })
    this.#publish(saved)
    this.#wake()
    return saved.run
  }

  /** Stops a link's running attempt, if any, and waits for its end. */
  async cancel(id: LinkId): Promise<void> {
    const running = this.#running.get(id)
    running?.runner.abort(new SyncError('peer/unreachable', 'stopped'))
    await running?.finished
  }

  /** Stops every attempt; each ends with what it had committed. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new SyncError('peer/unreachable', 'the node is stopping'))
    this.#wake()
    for (const { runner } of this.#running.values()) runner.abort(this.#stop.signal.reason)
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
      for (const { link, run, notBefore } of links) {
        const wanted = dueAt(link, run)
        if (wanted === undefined || this.#running.has(link.id)) continue
        const due = Math.max(wanted, notBefore)
        if (due > clock.now()) nextDue = Math.min(nextDue, due)
        else if (this.#busy() < this.#options.concurrency)
          await this.#begin(link.id, { trigger: run.state === 'waiting' ? 'retry' : 'due', due: true })
      }
      await clock
        .sleep(Math.max(0, nextDue - clock.now()), AbortSignal.any([nap.signal, this.#stop.signal]))
        .catch(() => {})
    }
  }

  #busy(): number {
    let busy = 0
    for (const { runner } of this.#running.values()) if (runner.record.progress?.phase !== 'live') busy++
    return busy
  }

  async #enabledLinks(tx: Tx): Promise<StoredLink[]> {
    const { store } = this.#options
    const held = new Map<PeerId, number>()
    for (const { id, enabled } of await store.peers.list(tx))
      if (enabled) held.set(id, (await store.peers.health(tx, id))?.notBefore ?? 0)
    const stored: StoredLink[] = []
    for (const link of await store.links.list(tx)) {
      const notBefore = held.get(link.peer)
      if (!link.enabled || notBefore === undefined) continue
      stored.push({ link, run: (await store.links.run(tx, link.id)) ?? initialRun, notBefore })
    }
    return stored
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
        await this.#cancelOrphan(tx, link.id, run, clock.now())
        await store.jobs.release(tx, lease)
      }
    })
    return this.#adopted
  }

  async #cancelOrphan(tx: Tx, id: LinkId, run: RunRecord, at: number): Promise<void> {
    const { links } = this.#options.store
    await links.saveRun(tx, id, step(run, { kind: 'cancelled', at }))
    const [last] = await links.attempts(tx, id, 1)
    if (last === undefined) return
    const { counters = {}, notes = {} } = run.progress ?? {}
    const reason = 'its process ended'
    await links.endAttempt(tx, last.id, {
      finishedAt: at,
      result: 'cancelled',
      code: undefined,
      reason,
      counters,
      notes,
    })
  }

  async #begin(id: LinkId, options: BeginOptions): Promise<Running<Tx> | undefined> {
    const { store, owner, leaseMs } = this.#options
    const { trigger, word, forget } = options
    const claimed = await store.transaction(async (tx) => {
      const link = await store.links.get(tx, id)
      const peer = link && (await store.peers.get(tx, link.peer))
      if (link === undefined || peer === undefined) {
        if (options.due) return undefined
        throw unknown(id)
      }
      // It was due when the links were read; since then somebody may have stopped it.
      if (options.due && (!link.enabled || !peer.enabled)) return undefined
      const lease = await store.jobs.claim(tx, id, owner, leaseMs)
      const run = await store.links.run(tx, id)
      if (lease !== undefined && forget) await this.#forgive(tx, peer.id, id, run)
      return { link: { ...link, live: options.live ?? link.live }, peer, lease }
    })
    if (claimed === undefined) return undefined
    const { link, peer, lease } = claimed
    if (lease === undefined || this.#running.has(id)) return this.#running.get(id)
    let live = false
    const runner = new LinkRunner<Tx>(this.#options, { link, peer, lease, trigger }, (update) => {
      this.#publish(update)
      // A live link leaves its place to one that is due.
      if (!live && update.run.progress?.phase === 'live') {
        live = true
        this.#wake()
      }
    })
    if (word !== undefined) runner.triggers.add(word)
    const finished = runner.run().finally(async () => {
      await store.transaction((tx) => store.jobs.release(tx, lease)).catch(() => {})
      this.#running.delete(id)
      this.#wake()
    })
    const running: Running<Tx> = { runner, finished }
    this.#running.set(id, running)
    if (this.#stop.signal.aborted) runner.abort(this.#stop.signal.reason)
    return running
  }

  async #forgive(tx: Tx, peer: PeerId, id: LinkId, run: RunRecord | undefined): Promise<void> {
    const { store, clock } = this.#options
    if (run?.state === 'waiting' || run?.state === 'blocked')
      await store.links.saveRun(tx, id, step(run, { kind: 'resume', at: clock.now() }))
    const health = await store.peers.health(tx, peer)
    if (health !== undefined) await store.peers.saveHealth(tx, peer, observe(health, { kind: 'forgiven' }))
  }

  #publish(update: LinkUpdate): void {
    for (const listener of this.#listeners) listener(update)
  }
}

interface StoredLink {
  readonly link: Link
  readonly run: RunRecord
  /** Before it the peer is left alone; wall ms. */
  readonly notBefore: number
}

interface BeginOptions {
  /** Nobody asked for it by name: it begins only while it is still enabled. */
  readonly due?: boolean
  readonly live?: boolean | undefined
  /** What the history says about why. */
  readonly trigger: string
  /** What the plane is told. */
  readonly word?: string | undefined
  /** Failures so far no longer count. */
  readonly forget?: boolean
}

/** A live or repeating link that never ran is due at once; one that is neither only runs when asked. */
function dueAt(link: Link, run: RunRecord): number | undefined {
  if (!link.live && link.schedule === undefined) return undefined
  if (run.state !== 'idle' && run.state !== 'waiting') return undefined
  return run.dueAt ?? (run.startedAt === undefined ? 0 : undefined)
}

function unknown(id: LinkId): SyncError {
  return new SyncError('config/invalid', `there is no link ${id}`)
}
