import { type Direction, type Link, linkId } from '../../src/kernel/link.ts'
import { silentLogger } from '../../src/kernel/logger.ts'
import { peerId } from '../../src/kernel/peer.ts'
import type { Progress } from '../../src/kernel/progress.ts'
import { defaultRetryPolicy } from '../../src/kernel/retry.ts'
import type { RunRecord } from '../../src/kernel/run.ts'
import { Scheduler } from '../../src/kernel/scheduler.ts'
import { normalizeServer } from '../../src/planes/events/definition/normalize-server.ts'
import type { NostrEvent } from '../../src/planes/events/event.ts'
import type { EventHold } from '../../src/planes/events/event-hold.ts'
import { createSqliteEventStore } from '../../src/planes/events/event-store.sqlite.ts'
import { type EventStore, everything } from '../../src/planes/events/event-store.ts'
import type { Filter } from '../../src/planes/events/filter.ts'
import { canonicalFilter } from '../../src/planes/events/filter-hash.ts'
import { createIngest } from '../../src/planes/events/ingest.ts'
import { defaultLimits } from '../../src/planes/events/limits.ts'
import { createSigner, generateSecretKey, type Signer } from '../../src/planes/events/signer.ts'
import type { EventsCheckpoint } from '../../src/planes/events/sync/checkpoint.ts'
import { createEventsPlane } from '../../src/planes/events/sync/events-plane.ts'
import type { Verifier } from '../../src/planes/events/verifier.ts'
import { createWorkerVerifier } from '../../src/planes/events/verifier.workers.ts'
import { createWritePolicy, type WritePolicy } from '../../src/planes/events/write-policy.ts'
import { createSqliteStore, type SqliteStore } from '../../src/stores/sqlite/sqlite-store.ts'
import type { SqliteTx } from '../../src/stores/sqlite/sqlite-tx.ts'
import { readDocument } from '../../src/transports/document.ts'
import { createWsTransport } from '../../src/transports/ws.ts'
import { FakeClock } from './fake-clock.ts'
import { temporaryFolder } from './temporary-folder.ts'

export interface SyncChoice {
  readonly direction?: Direction
  readonly filter?: Filter
  /** What an operator says about the relay, in the open profile; default: nothing, as for a sync on demand. */
  readonly definition?: Readonly<Record<string, unknown>>
}

export interface LiveSync {
  /** Resolves when the link has caught up and stays. */
  readonly live: Promise<void>
  readonly finished: Promise<RunRecord>
  stop(): Promise<RunRecord>
}

export interface SyncWorld extends AsyncDisposable {
  /** Of everything but the sockets: deadlines pass when the test says so. */
  readonly clock: FakeClock
  readonly events: EventStore<SqliteTx>
  readonly identity: Signer
  /** Seconds since 1970 by the world's clock. */
  now(): number
  /** One attempt after the other until the link has nothing more to do at once. */
  sync(url: string, choice?: SyncChoice): Promise<RunRecord>
  /** As `sync`, told that everything is to be looked at again, whatever was covered. */
  full(url: string, choice?: SyncChoice): Promise<RunRecord>
  stay(url: string, choice?: SyncChoice): LiveSync
  /** Asks the link for something, whether it runs or not. */
  trigger(url: string, word: string, choice?: SyncChoice): Promise<void>
  /** Resolves once a running attempt has counted so many; answers all it has counted. */
  untilCounted(
    url: string,
    counter: string,
    least: number,
    choice?: SyncChoice,
  ): Promise<Readonly<Record<string, number>>>
  /** Takes events in as a client's, each checked; throws when one is refused. */
  publish(...events: readonly NostrEvent[]): Promise<void>
  /** Stores events as they are: what a node would not take in today, it may hold from yesterday. */
  putUnchecked(...events: readonly NostrEvent[]): Promise<void>
  /** Sorted ids of everything stored. */
  held(): Promise<string[]>
  checkpoint(url: string, choice?: SyncChoice): Promise<EventsCheckpoint | undefined>
  outbox(url: string, choice?: SyncChoice): Promise<{ readonly pending: number; readonly dead: number }>
}

export interface WorldOptions {
  readonly clock?: FakeClock
  /** Of an earlier world, to go on with its data; default: a new one that is gone with the world. */
  readonly folder?: string
  /** Default: one with a worker of its own, which is faster for many events and takes longer to start. */
  readonly verifier?: Verifier
  /** What a service adds to the rules of a node, and where it keeps what has to wait. */
  readonly service?: (parts: ServiceParts) => Promise<Service>
}

export interface ServiceParts {
  readonly store: SqliteStore
  readonly clock: FakeClock
}

export interface Service {
  readonly policy: WritePolicy
  readonly hold: EventHold<SqliteTx>
}

/** The events plane as a node runs it, on a SQLite file of its own and real sockets, with time in the test's hands. */
export async function syncWorld(options: WorldOptions = {}): Promise<SyncWorld> {
  await using opening = new AsyncDisposableStack()
  const { clock = new FakeClock(), folder } = options
  const dir = folder ?? opening.use(await temporaryFolder()).path
  const [log, limits, relayUrls, restrictedKinds] = [silentLogger, defaultLimits, [], [4, 1059]]
  const store = opening.use(await createSqliteStore({ dir, clock, log }))
  const events = opening.use(await createSqliteEventStore({ store, relayUrls, restrictedKinds, clock, log }))
  const verifier = options.verifier ?? opening.use(createWorkerVerifier({ workers: 1 }))
  const service = await options.service?.({ store, clock })
  const policy = createWritePolicy({ limits, more: service === undefined ? [] : [service.policy] })
  const hold = service?.hold
  const ingest = createIngest({ store: events, verifier, policy, limits, clock, relayUrls, hold })
  const identity = createSigner(generateSecretKey())
  // Its clock is the machine's: a ping must be answered in real time.
  const transport = opening.use(createWsTransport())
  const plane = createEventsPlane({
    store: events,
    ingest,
    signer: identity,
    limits,
    readDocument,
    migrations: [],
    concurrency: 10,
  })
  const scheduler = opening.use(
    new Scheduler<SqliteTx>({
      store,
      planes: new Map([[plane.name, plane]]),
      transports: new Map([[transport.name, transport]]),
      clock,
      random: () => 0.5,
      log,
      owner: 'test',
      retry: () => defaultRetryPolicy,
      concurrency: 8,
      idleMs: 3_600_000,
      leaseMs: 24 * 3_600_000,
      pollMs: 3_600_000,
      nextRun: () => undefined,
    }),
  )
  const linkOf = async (url: string, choice: SyncChoice = {}) => {
    const link = newLink(url, choice)
    await store.transaction(async (tx) => {
      if ((await store.links.get(tx, link.id)) !== undefined) return
      const addresses = [{ transport: 'ws', value: url }]
      const metadata = choice.definition === undefined ? {} : metadataOf(url, choice.definition)
      await store.peers.put(tx, { id: peerId(url), name: url, addresses, enabled: true, metadata })
      await store.links.put(tx, link)
    })
    return link
  }
  const start = async (
    url: string,
    choice: SyncChoice | undefined,
    live: boolean,
    signal: AbortSignal,
    onProgress: (progress: Progress) => void,
  ) => {
    const link = await linkOf(url, choice)
    using _progress = scheduler.onUpdate((update) => {
      if (update.link.id === link.id && update.run.progress !== undefined) onProgress(update.run.progress)
    })
    // Awaited here, or the listener would be gone before the first report.
    const run = await scheduler.runNow(link.id, { signal, live })
    if (signal.reason?.name === 'TimeoutError') throw new Error('the sync never ended')
    return run
  }
  const stack = opening.move()
  return {
    clock,
    events,
    identity,
    now: () => Math.floor(clock.now() / 1_000),
    sync: (url, choice) => start(url, choice, false, AbortSignal.timeout(180_000), () => {}),
    async full(url, choice) {
      const { id } = await linkOf(url, choice)
      const result = await scheduler.trigger(id, 'full')
      if (result.kind === 'refused') throw new Error(`refused: ${result.reason}`)
      return result.finished
    },
    stay: (url, choice) => staying((signal, onProgress) => start(url, choice, true, signal, onProgress)),
    async trigger(url, word, choice) {
      const { id } = await linkOf(url, choice)
      const { kind } = await scheduler.trigger(id, word)
      if (kind === 'refused') throw new Error('refused')
    },
    async untilCounted(url, counter, least, choice) {
      const { id } = await linkOf(url, choice)
      const changed = { wake: () => {} }
      using _updates = scheduler.onUpdate(() => changed.wake())
      for (;;) {
        const counters = scheduler.running(id)?.progress?.counters ?? {}
        if ((counters[counter] ?? 0) >= least) return counters
        await new Promise<void>((resolve) => {
          changed.wake = resolve
        })
      }
    },
    async publish(...published) {
      const raws = published.map((event) => JSON.stringify(event))
      const results = await ingest.accept(
        raws,
        { source: 'import', remote: 'test' },
        AbortSignal.timeout(60_000),
      )
      const refused = results.find(({ outcome }) => outcome !== 'stored' && outcome !== 'ephemeral')
      if (refused !== undefined) throw new Error(`${refused.outcome}: ${refused.reason}`)
    },
    async putUnchecked(...unchecked) {
      await events.put(unchecked.map((event) => ({ event, raw: JSON.stringify(event) })))
    },
    async held() {
      const ids: string[] = []
      let after: number | undefined
      for (;;) {
        const page = await events.page({
          filter: {},
          order: 'seq',
          limit: 5_000,
          visibility: everything,
          ...(after !== undefined && { after }),
        })
        ids.push(...page.events.map(({ id }) => id))
        if (page.complete) return ids.sort()
        after = page.events.at(-1)?.seq
      }
    },
    async checkpoint(url, choice) {
      const { id } = await linkOf(url, choice)
      return store.read((tx) => store.links.checkpoint(tx, id)) as Promise<EventsCheckpoint | undefined>
    },
    async outbox(url, choice) {
      const { id } = await linkOf(url, choice)
      return store.read((tx) => store.outbox.count(tx, id))
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

/** A checked definition, where the engine reads it. */
function metadataOf(url: string, changes: Readonly<Record<string, unknown>>) {
  const profile = 'open'
  const result = normalizeServer({ id: 'test', url, filters: [{}], ...changes }, { profile })
  if (!result.ok) throw new Error(JSON.stringify(result.details))
  return { definition: result.value, profile }
}

function newLink(url: string, { direction = 'down', filter = {} }: SyncChoice): Link {
  const scopeKey = canonicalFilter(filter)
  return {
    id: linkId(`${url} ${direction} ${scopeKey}`),
    peer: peerId(url),
    plane: 'events',
    scope: { filter },
    scopeKey,
    direction,
    live: false,
    enabled: true,
    schedule: undefined,
  }
}

function staying(
  run: (signal: AbortSignal, onProgress: (progress: Progress) => void) => Promise<RunRecord>,
): LiveSync {
  const stop = new AbortController()
  const live = Promise.withResolvers<void>()
  const finished = run(AbortSignal.any([stop.signal, AbortSignal.timeout(180_000)]), ({ phase }) => {
    if (phase === 'live') live.resolve()
  })
  finished.then(({ reason }) => live.reject(new Error(`ended before it was live: ${reason}`)), live.reject)
  live.promise.catch(() => {})
  return {
    live: live.promise,
    finished,
    stop() {
      stop.abort(new Error('test over'))
      return finished
    },
  }
}
