import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../../../kernel/clock.ts'
import type { Logger } from '../../../kernel/logger.ts'
import type { NostrEvent } from '../event.ts'
import type { EventHold, HoldTerms } from '../event-hold.ts'
import { firstValue } from '../event-rules.ts'
import { type EventStore, everything } from '../event-store.ts'
import { announcementKind } from '../grasp/announcement.ts'
import type { KeptRepositories } from '../grasp/kept-repositories.ts'
import type { GitData } from '../grasp/repository-policy.ts'
import { isNewerState, stateKind } from '../grasp/repository-state.ts'
import { Pulse } from '../sync/pulse.ts'
import type { EventSource } from '../write-policy.ts'
import type { AddressRules } from './clone-source.ts'
import { GitCommand } from './git-command.ts'
import { gitKey, gitNeedOf, parseGitKey, pushKey } from './git-need.ts'
import { HostThrottle } from './host-throttle.ts'
import { type FetchCounters, ObjectFetcher } from './object-fetcher.ts'
import { RepositorySet } from './repository-set.ts'
import { RepositoryWorker } from './repository-worker.ts'
import { RunQueue } from './run-queue.ts'

export interface GitDataOptions {
  /** Where the repositories are. */
  readonly root: string
  readonly kept: KeptRepositories
  readonly store: Pick<EventStore<unknown>, 'query' | 'onAccepted'>
  readonly hold: Pick<EventHold<unknown>, 'waitingFor' | 'onHeld'>
  readonly addresses: AddressRules
  readonly isOurs: (url: string) => boolean
  /** Bytes of one owner's repository. */
  readonly maxBytes: number
  readonly clock: Clock
  readonly log: Logger
  readonly git?: GitCommand | undefined
  readonly hosts?: HostThrottle | undefined
}

/** What git data sync has done since it was opened, and has to do. */
export interface GitDataStatus extends FetchCounters {
  /** Repositories that are due or waiting for their time, and of those the ones worked on. */
  readonly queued: number
  readonly running: number
  /** Requests at hosts, and repositories that wait for their turn at one. */
  readonly requests: number
  readonly throttled: number
  /** Hosts, and repositories found too big, that are left alone for now. */
  readonly naughty: number
  /** Runs that git on this machine, or the disk, put an end to. */
  readonly failures: number
}

/** How long an event waits for its data (GRASP-01 §6). */
const holdSeconds = 1_800
/** A push is expected after what a client sends; what a sync brings comes in bursts. */
const clientDelayMs = 180_000
const syncDelayMs = 500
const auditMs = 3_600_000
const fetchTimeoutMs = 120_000
const auditPage = 500

/**
 * Keeps git repositories as their maintainers signed them (specs proactive §9): states and pull requests wait until their
 * objects are here, the objects are fetched from the places that announcements name, and refs follow the newest state.
 */
export class GitDataSync implements GitData, AsyncDisposable {
  readonly #options: GitDataOptions
  readonly #git: GitCommand
  readonly #hosts: HostThrottle
  readonly #fetcher: ObjectFetcher
  readonly #worker: RepositoryWorker
  readonly #queue = new RunQueue()
  readonly #pulse = new Pulse()
  readonly #stop = new AbortController()
  readonly #runs = new Set<Promise<void>>()
  readonly #listeners = new DisposableStack()
  readonly #ready = new Set<(keys: readonly string[]) => void>()
  #working: Promise<unknown> | undefined
  #failures = 0

  private constructor(options: GitDataOptions) {
    this.#options = options
    const { clock, log, root, addresses, isOurs, store, hold, maxBytes } = options
    this.#git = options.git ?? new GitCommand(clock)
    this.#hosts = options.hosts ?? new HostThrottle(clock)
    this.#fetcher = new ObjectFetcher({
      git: this.#git,
      hosts: this.#hosts,
      addresses,
      isOurs,
      incoming: incomingOf(root),
      timeoutMs: fetchTimeoutMs,
      clock,
      log,
    })
    this.#worker = new RepositoryWorker({
      store,
      hold,
      fetcher: this.#fetcher,
      load: (identifier) => this.#load(identifier),
      maxBytes,
      clock,
      onReady: (identifier) => {
        for (const listener of this.#ready) listener([gitKey(identifier)])
      },
    })
  }

  /** Takes away what an earlier process left in quarantine. `start` begins to work. */
  static async open(options: GitDataOptions): Promise<GitDataSync> {
    const incoming = incomingOf(options.root)
    await rm(incoming, { recursive: true, force: true })
    await mkdir(incoming, { recursive: true, mode: 0o700 })
    return new GitDataSync(options)
  }

  /** Called with the keys of what need not wait any longer. */
  onReady(listener: (keys: readonly string[]) => void): Disposable {
    this.#ready.add(listener)
    return { [Symbol.dispose]: () => void this.#ready.delete(listener) }
  }

  async missing(event: NostrEvent, source: EventSource): Promise<HoldTerms | undefined> {
    const need = gitNeedOf(event)
    if (need === undefined || need.ids.length === 0) return undefined
    const set = await this.#load(need.identifier)
    if (set.wanting(need, event.pubkey).length === 0) return undefined
    const { signal } = this.#stop
    const located = await set.locate(need.ids, signal)
    if (need.ids.every((id) => located.has(id)) || (await this.#isOutdated(event))) return undefined
    const keys = [gitKey(need.identifier), ...(source === 'client' ? [pushKey(need.identifier)] : [])]
    const reason = "purgatory: won't be served until git data arrives"
    return { keys, seconds: holdSeconds, reason, accepted: true }
  }

  start(): void {
    const { store, hold } = this.#options
    this.#listeners.use(hold.onHeld((keys) => this.#onHeld(keys)))
    this.#listeners.use(
      store.onAccepted((events) => {
        for (const event of events) this.#onAccepted(event)
      }),
    )
    this.#working = Promise.all([this.#work(), this.#audit()])
  }

  get status(): GitDataStatus {
    const { inFlight, waiting, naughty } = this.#hosts.status
    return {
      ...this.#fetcher.counters,
      queued: this.#queue.size,
      running: this.#queue.running,
      requests: inFlight,
      throttled: waiting,
      naughty,
      failures: this.#failures,
    }
  }

  /** Looks at one repository now, whatever the queue says. */
  async run(owner: string, identifier: string): Promise<boolean> {
    const { isComplete, hasFetched } = await this.#worker.run(owner, identifier, this.#stop.signal)
    if (hasFetched) void this.#enqueue(identifier, { delayMs: 0, except: owner })
    return isComplete
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listeners.dispose()
    this.#stop.abort()
    this.#pulse.notify()
    this.#hosts[Symbol.dispose]()
    await this.#working
    await Promise.all(this.#runs)
  }

  #load(identifier: string): Promise<RepositorySet> {
    const { kept, root } = this.#options
    return RepositorySet.load(identifier, { kept, root, git: this.#git })
  }

  /** The store would only say that it has a newer one; nobody needs to fetch anything for that. */
  async #isOutdated(event: NostrEvent): Promise<boolean> {
    if (event.kind !== stateKind) return false
    const { events } = await this.#options.store.query(
      [{ kinds: [stateKind], authors: [event.pubkey], '#d': [firstValue(event, 'd')] }],
      { defaultLimit: 1, maxLimit: 1, visibility: everything },
    )
    return events.some(({ raw }) => isNewerState(JSON.parse(raw) as NostrEvent, event))
  }

  #onHeld(keys: readonly string[]): void {
    const git = keys.flatMap((key) => parseGitKey(key) ?? [])
    const awaitsPush = git.some((one) => one.awaitsPush)
    for (const identifier of new Set(git.map((one) => one.identifier)))
      void this.#enqueue(identifier, { delayMs: awaitsPush ? clientDelayMs : syncDelayMs, isRepeated: true })
  }

  #onAccepted(event: NostrEvent): void {
    const identifier = event.kind === announcementKind ? firstValue(event, 'd') : gitNeedOf(event)?.identifier
    if (identifier !== undefined) void this.#enqueue(identifier, { delayMs: syncDelayMs })
  }

  /** Every kept repository of the name, but for one that was looked at just now. */
  #enqueue(
    identifier: string,
    { delayMs, except, isRepeated }: { delayMs: number; except?: string; isRepeated?: boolean },
  ): Promise<void> {
    const adding = this.#load(identifier).then(({ repositories }) => {
      const now = this.#options.clock.monotonic()
      for (const { owner } of repositories)
        if (owner !== except) this.#queue.add(`${owner}:${identifier}`, now, delayMs, isRepeated)
      this.#pulse.notify()
    })
    return this.#track(adding)
  }

  #track(work: Promise<void>): Promise<void> {
    const guarded = work
      .catch((error: unknown) => {
        if (this.#stop.signal.aborted) return
        this.#failures++
        this.#options.log.error('git data could not be looked after', { error: String(error) })
      })
      .finally(() => this.#runs.delete(guarded))
    this.#runs.add(guarded)
    return guarded
  }

  async #work(): Promise<void> {
    const { clock } = this.#options
    const { signal } = this.#stop
    while (!signal.aborted) {
      for (const key of this.#queue.take(clock.monotonic())) void this.#track(this.#runQueued(key))
      const waiting = new AbortController()
      const next = this.#queue.nextAt
      if (next !== undefined)
        void clock.sleep(Math.max(0, next - clock.monotonic()), waiting.signal).then(
          () => this.#pulse.notify(),
          () => {},
        )
      await this.#pulse.wait()
      waiting.abort()
    }
  }

  async #runQueued(key: string): Promise<void> {
    const at = key.indexOf(':')
    let isComplete = false
    try {
      isComplete = await this.run(key.slice(0, at), key.slice(at + 1))
    } finally {
      this.#queue.finish(key, isComplete, this.#options.clock.monotonic())
      this.#pulse.notify()
    }
  }

  /** At the start and every hour: what is held since before a restart, and what was dropped or damaged (P-100). */
  async #audit(): Promise<void> {
    const { clock, log } = this.#options
    const { signal } = this.#stop
    while (!signal.aborted) {
      await this.#enqueueAll().catch((error: unknown) =>
        log.error('the repositories could not be listed', { error: String(error) }),
      )
      await clock.sleep(auditMs, signal).catch(() => {})
    }
  }

  async #enqueueAll(): Promise<void> {
    const identifiers = new Set<string>()
    let until: number | undefined
    for (;;) {
      this.#stop.signal.throwIfAborted()
      const filter = { kinds: [announcementKind], ...(until !== undefined && { until }) }
      const limits = { defaultLimit: auditPage, maxLimit: auditPage, visibility: everything }
      const { events } = await this.#options.store.query([filter], limits)
      const parsed = events.map(({ raw }) => JSON.parse(raw) as NostrEvent)
      for (const event of parsed) identifiers.add(firstValue(event, 'd'))
      const oldest = parsed.at(-1)?.created_at
      if (parsed.length < auditPage || oldest === undefined) break
      // More of one second than a page holds would end the walk otherwise; those beyond it wait for their next event.
      until = oldest === until ? oldest - 1 : oldest
    }
    for (const identifier of identifiers) await this.#enqueue(identifier, { delayMs: syncDelayMs })
  }
}

function incomingOf(root: string): string {
  return join(root, '.incoming')
}
