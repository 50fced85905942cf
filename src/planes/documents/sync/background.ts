import type { Clock, Random } from '../../../kernel/clock.ts'
import type { Logger } from '../../../kernel/logger.ts'
import { nextDelay, type RetryPolicy } from '../../../kernel/retry.ts'
import type { DatabaseId } from '../entry/entry-id.ts'
import type { PublicKey } from '../entry/key-pair.ts'
import type { PlannedSync } from './sync-options.ts'

export interface BackgroundParts {
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly retry: RetryPolicy
  /** Brings a database in step with a peer; throws when it could not. */
  readonly sync: (peer: PublicKey, tree: DatabaseId, signal: AbortSignal) => Promise<void>
  /** What is to be kept in step, and how often when nothing happens, milliseconds. */
  readonly links: () => Promise<readonly BackgroundLink[]>
  /** Whether what we have has not reached the peer yet. */
  readonly isBehind: (peer: PublicKey, tree: DatabaseId) => Promise<boolean>
}

export interface BackgroundLink {
  readonly peer: PublicKey
  readonly tree: DatabaseId
  readonly everyMs: number
}

interface LinkPlan extends BackgroundLink {
  /** When it is looked at next, monotonic time. */
  due: number
  /** When it is synced in any case: only so does one learn what a peer has that cannot dial us. */
  anyway: number
  failures: number
  running: Promise<void> | undefined
}

/** Writes come in bunches: those of so many milliseconds make one exchange. */
const debounceMs = 20
const maxConcurrent = 8
/** Whatever happens before awakens the loop. */
const longestSleepMs = 24 * 3_600_000

/**
 * Keeps databases in step with peers: soon after something changed, again after growing pauses when that failed, and
 * every so often in any case. What is owed to a peer is not a list that could be lost: it is what the frontier both had
 * last (kept durably) does not say of the frontier now. So nothing is ever given up, and a start needs no recovery.
 */
export class Background implements AsyncDisposable {
  readonly #parts: BackgroundParts
  readonly #plans = new Map<string, LinkPlan>()
  readonly #stop = new AbortController()
  readonly #attempts = new Set<Promise<void>>()
  #sleep = new AbortController()
  #loop: Promise<void> | undefined
  #stale = false

  constructor(parts: BackgroundParts) {
    this.#parts = parts
  }

  /** Reads the links, and begins with those that are behind. */
  async start(): Promise<void> {
    await this.refresh()
    this.#loop ??= this.#run()
  }

  /** Links came, went, or changed how often: they are read anew before anything else is begun. */
  linksChanged(): void {
    this.#stale = true
    this.#awaken()
  }

  async refresh(): Promise<void> {
    this.#stale = false
    const links = await this.#parts.links()
    const names = new Set(links.map(({ peer, tree }) => nameOf(peer, tree)))
    for (const name of this.#plans.keys()) if (!names.has(name)) this.#plans.delete(name)
    const now = this.#parts.clock.monotonic()
    for (const link of links) {
      const name = nameOf(link.peer, link.tree)
      const known = this.#plans.get(name)
      if (known?.everyMs === link.everyMs || known?.running !== undefined) continue
      const behind = await this.#parts.isBehind(link.peer, link.tree)
      const anyway = now + this.#jittered(link)
      this.#plans.set(name, { ...link, due: behind ? now : anyway, anyway, failures: 0, running: undefined })
    }
    this.#awaken()
  }

  planned(): readonly PlannedSync[] {
    if (this.#loop === undefined) return []
    const now = this.#parts.clock.monotonic()
    return [...this.#plans.values()].map(({ peer, tree, due, failures, running }) => {
      return { peer, tree, inMs: due - now, failures, running: running !== undefined }
    })
  }

  /** Something changed: the peers of the database hear of it soon. One that failed lately keeps its pause. */
  mark(tree: DatabaseId): void {
    const soon = this.#parts.clock.monotonic() + debounceMs
    for (const plan of this.#plans.values())
      if (plan.tree === tree && plan.failures === 0) plan.due = Math.min(plan.due, soon)
    this.#awaken()
  }

  /** Syncs at once whatever is behind, pauses or not. Answers how many links failed. */
  async flush(): Promise<number> {
    let failed = 0
    await Promise.all(
      [...this.#plans.values()].map(async (plan) => {
        await plan.running
        if (!(await this.#parts.isBehind(plan.peer, plan.tree))) return
        await this.#begin(plan)
        failed += plan.failures > 0 ? 1 : 0
      }),
    )
    return failed
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    this.#awaken()
    await this.#loop
    await Promise.all(this.#attempts)
  }

  async #run(): Promise<void> {
    const { clock } = this.#parts
    while (!this.#stop.signal.aborted) {
      // Before looking: whoever awakens us meanwhile is heard.
      const { signal } = this.#sleep
      if (this.#stale) await this.refresh().catch((error: unknown) => this.#complain(error))
      await clock.sleep(this.#startDue(), signal).catch(() => {})
    }
  }

  /** Answers how long until the next is due, milliseconds. */
  #startDue(): number {
    const now = this.#parts.clock.monotonic()
    const busy = new Set([...this.#plans.values()].flatMap((plan) => (plan.running ? plan.peer : [])))
    for (const plan of [...this.#plans.values()].sort((a, b) => a.due - b.due)) {
      // Others of the same peer wait until it is done, which wakes the loop: one slow peer is one slow peer.
      if (plan.running !== undefined || busy.has(plan.peer)) continue
      if (plan.due > now) return plan.due - now
      if (busy.size >= maxConcurrent) break
      busy.add(plan.peer)
      void this.#begin(plan)
    }
    return longestSleepMs
  }

  #begin(plan: LinkPlan): Promise<void> {
    if (plan.running !== undefined) return plan.running
    const running = this.#attempt(plan).finally(() => {
      plan.running = undefined
      this.#attempts.delete(running)
      this.#awaken()
    })
    plan.running = running
    this.#attempts.add(running)
    return running
  }

  async #attempt(plan: LinkPlan): Promise<void> {
    const { clock, log, random, retry, sync } = this.#parts
    const now = clock.monotonic()
    const anyway = now >= plan.anyway
    // Changes from now on make it due again.
    plan.due = plan.anyway
    try {
      // What a peer has just sent makes a change here too, and owes that peer nothing.
      if (!anyway && !(await this.#parts.isBehind(plan.peer, plan.tree))) return
      plan.anyway = now + this.#jittered(plan)
      plan.due = plan.anyway
      await sync(plan.peer, plan.tree, this.#stop.signal)
      plan.failures = 0
    } catch (error) {
      if (this.#stop.signal.aborted) return
      plan.failures += 1
      const delay = nextDelay(retry, plan.failures, random()) ?? retry.maxMs
      plan.due = clock.monotonic() + Math.min(delay, plan.everyMs)
      log.warn('a database is not in step with a peer', {
        peer: plan.peer,
        tree: plan.tree,
        error: String(error),
        retryInMs: delay,
      })
    }
  }

  /** The links as they were are kept to; the next change reads them again. */
  #complain(error: unknown): void {
    this.#parts.log.error('the links of the sync cannot be read', { error: String(error) })
  }

  /** So that peers that started together do not ask together for ever. */
  #jittered({ everyMs }: BackgroundLink): number {
    return everyMs * (0.9 + 0.2 * this.#parts.random())
  }

  #awaken(): void {
    const sleeping = this.#sleep
    this.#sleep = new AbortController()
    sleeping.abort()
  }
}

function nameOf(peer: PublicKey, tree: DatabaseId): string {
  return `${peer}|${tree}`
}
