import { observe } from './health.ts'
import type { Link, LinkId } from './link.ts'
import { LinkRunner, type LinkRunnerOptions, type LinkUpdate } from './link-runner.ts'
import type { Peer, PeerId } from './peer.ts'
import type { Phase } from './progress.ts'
import { dueAt, initialRun, type RunRecord, step } from './run.ts'
import { SyncError } from './sync-error.ts'

export interface SchedulerOptions<Tx> extends LinkRunnerOptions<Tx> {
  /** Unique per process: what leases are held under. */
  readonly owner: string
  /**
   * Attempts coming up to date at the same time; further due links wait. One that waits for news or for its turn does not
   * count, and of the links of one peer only one connects at a time: a peer that keeps us waiting delays no other.
   */
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
  /** Links that may run by themselves, as last read; what is due is chosen from them without asking the store. */
  readonly #known = new Map<PeerId, KnownPeer>()
  #stale: 'all' | Set<PeerId> = 'all'
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

  /** Looks at the stored links now: one was added or changed, of this peer alone where one is named. */
  wake(peer?: PeerId): void {
    if (peer === undefined) this.#stale = 'all'
    else this.#outdated(peer)
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
    this.wake(saved.link.peer)
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
    const { clock, pollMs } = this.#options
    await this.#adoptOrphans()
    let readAllAt = Number.NEGATIVE_INFINITY
    while (!this.#stop.signal.aborted) {
      const nap = new AbortController()
      // Nobody sees the reason; without one a DOMException is made for it, which costs more than the rest of a round.
      this.#wake = () => nap.abort(woken)
      if (clock.monotonic() - readAllAt >= pollMs) this.#stale = 'all'
      if (this.#stale === 'all') readAllAt = clock.monotonic()
      await this.#refresh()
      const nextDue = Math.min(await this.#beginDue(), clock.now() + pollMs)
      await clock
        .sleep(Math.max(0, nextDue - clock.now()), AbortSignal.any([nap.signal, this.#stop.signal]))
        .catch(() => {})
    }
  }

  /** Whoever is due for longest goes first. @returns when the next link is due; wall ms */
  async #beginDue(): Promise<number> {
    const { clock, concurrency } = this.#options
    const now = clock.now()
    const waiting: (StoredLink & { readonly due: number })[] = []
    let nextDue = Number.POSITIVE_INFINITY
    for (const { links, notBefore } of this.#known.values()) {
      for (const { link, run } of links) {
        const wanted = dueAt(link, run)
        if (wanted === undefined || this.#running.has(link.id)) continue
        const due = Math.max(wanted, notBefore)
        if (due > now) nextDue = Math.min(nextDue, due)
        else waiting.push({ link, run, due })
      }
    }
    const changed: PeerId[] = []
    for (const { link, run } of waiting.sort((a, b) => a.due - b.due)) {
      if (this.#busy() >= concurrency) break
      // Whoever changed something meanwhile has woken us: it is read again first, or what has just ended would begin anew.
      if (this.#connecting(link.peer) || this.#isOutdated(link.peer)) continue
      const trigger = run.state === 'waiting' ? 'retry' : 'due'
      // It is not as it was read: it went, was stopped, or another process has it.
      if ((await this.#begin(link.id, { trigger, due: true })) === undefined) changed.push(link.peer)
    }
    for (const peer of changed) this.#outdated(peer)
    return nextDue
  }

  #busy(): number {
    let busy = 0
    for (const { runner } of this.#running.values()) if (!rests(runner.record.progress?.phase)) busy++
    return busy
  }

  #connecting(peer: PeerId): boolean {
    return this.#running
      .values()
      .some(({ runner }) => runner.peer === peer && connects(runner.record.progress?.phase))
  }

  /** What was read of this peer and its links no longer holds. */
  #outdated(peer: PeerId): void {
    if (this.#stale !== 'all') this.#stale.add(peer)
  }

  #isOutdated(peer: PeerId): boolean {
    return this.#stale === 'all' || this.#stale.has(peer)
  }

  /** Reads again what is known not to hold any more, and no more than that: every round begins here. */
  async #refresh(): Promise<void> {
    const { store } = this.#options
    const stale = this.#stale
    this.#stale = new Set()
    await store
      .read(async (tx) => {
        if (stale === 'all') {
          const links = Map.groupBy(await store.links.list(tx), ({ peer }) => peer)
          this.#known.clear()
          for (const peer of await store.peers.list(tx)) await this.#know(tx, peer, links.get(peer.id) ?? [])
          return
        }
        for (const id of stale) {
          const peer = await store.peers.get(tx, id)
          if (peer === undefined) this.#known.delete(id)
          else await this.#know(tx, peer, await store.links.list(tx, id))
        }
      })
      .catch((error: unknown) => {
        this.#stale = 'all'
        throw error
      })
  }

  async #know(tx: Tx, { id, enabled }: Peer, links: readonly Link[]): Promise<void> {
    const { store } = this.#options
    const stored: StoredLink[] = []
    for (const link of enabled ? links : [])
      if (link.enabled) stored.push({ link, run: (await store.links.run(tx, link.id)) ?? initialRun })
    if (stored.length === 0) this.#known.delete(id)
    else this.#known.set(id, { links: stored, notBefore: (await store.peers.health(tx, id))?.notBefore ?? 0 })
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
    const claimed = await store.transaction(
      async (tx) => {
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
      },
      { durable: false },
    )
    if (claimed === undefined) return undefined
    const { link, peer, lease } = claimed
    if (forget) this.#outdated(peer.id)
    if (lease === undefined || this.#running.has(id)) return this.#running.get(id)
    let phase: Phase | undefined
    const runner = new LinkRunner<Tx>(this.#options, { link, peer, lease, trigger }, (update) => {
      this.#publish(update)
      const before = phase
      phase = update.run.progress?.phase
      // A peer that was left alone and is reached again is left alone no longer.
      if (phase === 'live' && phase !== before && this.#known.get(peer.id)?.notBefore) this.#outdated(peer.id)
      // What it leaves, its place or the line to its peer, is there for one that is due.
      if (phase !== before && (connects(before) || rests(phase))) this.#wake()
    })
    if (word !== undefined) runner.triggers.add(word)
    const finished = runner.run().finally(async () => {
      await store.transaction((tx) => store.jobs.release(tx, lease), { durable: false }).catch(() => {})
      this.#running.delete(id)
      this.wake(peer.id)
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
}

interface KnownPeer {
  readonly links: readonly StoredLink[]
  /** Before it the peer is left alone; wall ms. */
  readonly notBefore: number
}

const woken = 'woken'

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

function rests(phase: Phase | undefined): boolean {
  return phase === 'live' || phase === 'queued'
}

function connects(phase: Phase | undefined): boolean {
  return phase === undefined || phase === 'connecting'
}

function unknown(id: LinkId): SyncError {
  return new SyncError('config/invalid', `there is no link ${id}`)
}
