import type { Channel, DialOptions, Transport } from './channel.ts'
import type { Clock, Random } from './clock.ts'
import type { Link } from './link.ts'
import type { Logger } from './logger.ts'
import type { Peer } from './peer.ts'
import type { Plane, Session } from './plane.ts'
import type { Outcome, Progress } from './progress.ts'
import type { Lease, Store } from './store.ts'
import { SyncError } from './sync-error.ts'
import type { Triggers } from './triggers.ts'
import { Watchdog } from './watchdog.ts'

/** A plane as the scheduler sees it: what scope and checkpoint look like is nobody's business but the plane's. */
// biome-ignore lint/suspicious/noExplicitAny: scope and checkpoint are invariant in Plane, so `unknown` accepts no plane at all.
export type AnyPlane<Tx> = Plane<any, any, Tx>

export interface AttemptContext<Tx> {
  readonly store: Store<Tx>
  /** By name, as addresses name them. */
  readonly transports: ReadonlyMap<string, Transport>
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  /** Silence (no progress, no message) after which an attempt is given up as `peer/unreachable`. */
  readonly idleMs: number
  /** How long a lease lasts without renewal: the time after which a dead worker's link is taken over. */
  readonly leaseMs: number
}

export interface AttemptOptions {
  readonly link: Link
  readonly peer: Peer
  readonly lease: Lease
  readonly signal: AbortSignal
  readonly triggers: Triggers
  readonly onProgress: (progress: Progress) => void
}

/** How long a plane may take to end after its signal aborted before it is left behind as a bug. */
const graceMs = 5_000

/**
 * Runs one attempt of one link: iterates the plane's `sync`, keeps the lease, watches for silence.
 *
 * @throws SyncError on failure; the signal's reason when the caller stopped it
 */
export async function runAttempt<Tx>(
  context: AttemptContext<Tx>,
  plane: AnyPlane<Tx>,
  options: AttemptOptions,
): Promise<Outcome> {
  const { store, clock, idleMs, leaseMs, log } = context
  const { link, lease, signal, onProgress } = options
  const abort = new AbortController()
  const combined = AbortSignal.any([signal, abort.signal])
  const channels = new Set<Channel>()
  using watchdog = new Watchdog(clock, idleMs, () =>
    abort.abort(
      new SyncError(
        'peer/unreachable',
        `nothing came from ${options.peer.name} for ${Math.round(idleMs / 1000)} s`,
      ),
    ),
  )
  const done = new AbortController()
  const keeping = keepLease(store, lease, leaseMs, clock, done.signal).catch((error) => abort.abort(error))
  try {
    const session = await openSession(context, plane, options, combined, watchdog, channels)
    const report = (progress: Progress) => {
      watchdog.suspend(progress.phase === 'live')
      watchdog.alive()
      onProgress(progress)
    }
    return await iterate(plane.sync(session), combined, clock, log, report)
  } catch (error) {
    // Whatever a plane throws while it is being stopped, the reason it was stopped is the truth.
    throw combined.aborted ? combined.reason : error
  } finally {
    done.abort()
    await Promise.allSettled([keeping, ...[...channels].map((channel) => channel[Symbol.asyncDispose]())])
    log.debug('attempt ended', { link: link.id })
  }
}

async function openSession<Tx>(
  context: AttemptContext<Tx>,
  plane: AnyPlane<Tx>,
  { link, peer, lease, triggers }: AttemptOptions,
  signal: AbortSignal,
  watchdog: Watchdog,
  channels: Set<Channel>,
): Promise<Session<unknown, unknown, Tx>> {
  const { store, transports, clock, random, log } = context
  const saved = await store.read((tx) => store.links.checkpoint(tx, link.id))
  return {
    link: { ...link, scope: plane.scope.parse(link.scope) },
    peer,
    checkpoint: saved === undefined ? undefined : plane.checkpoint.parse(saved),
    signal,
    clock,
    random,
    log: log.child({ link: link.id, peer: peer.name }),
    outbox: store.outbox,
    triggers,
    alive: () => watchdog.alive(),
    open: async (protocol) => {
      const channel = watched(await dialFirst(peer, transports, { protocol, signal }), watchdog)
      channels.add(channel)
      return channel
    },
    dial: (protocol, options) => dialFirst(peer, transports, { protocol, ...options }),
    read: (work) => store.read(work),
    commit: async (write, options) => {
      signal.throwIfAborted()
      await store.transaction(async (tx) => {
        await store.jobs.assertOwned(tx, lease)
        const { checkpoint } = await write(tx)
        await store.links.saveCheckpoint(tx, link.id, checkpoint)
      }, options)
      watchdog.alive()
    },
  }
}

async function iterate(
  run: AsyncGenerator<Progress, Outcome>,
  signal: AbortSignal,
  clock: Clock,
  log: Logger,
  report: (progress: Progress) => void,
): Promise<Outcome> {
  for (;;) {
    const result = await abandonable(run.next(), signal, clock, log)
    if (result.done) return result.value
    report(result.value)
    if (signal.aborted) {
      await run.return({ kind: 'more' })
      throw signal.reason
    }
  }
}

/**
 * Waits for the plane, but not for ever: after an abort it has `graceMs` to end by itself (every wait of a plane takes
 * the signal). A plane that ignores it would otherwise hold its link, and the shutdown, hostage.
 */
async function abandonable<T>(step: Promise<T>, signal: AbortSignal, clock: Clock, log: Logger): Promise<T> {
  let settled: AbortController | undefined
  const { promise: given, reject: giveUp } = Promise.withResolvers<never>()
  const onAbort = () => {
    settled = new AbortController()
    clock.sleep(graceMs, settled.signal).then(
      () => {
        log.error('a plane did not stop within its grace period', { graceMs })
        giveUp(signal.reason)
      },
      () => {},
    )
  }
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  try {
    return await Promise.race([step, given])
  } finally {
    signal.removeEventListener('abort', onAbort)
    settled?.abort()
  }
}

async function dialFirst(
  peer: Peer,
  transports: ReadonlyMap<string, Transport>,
  options: DialOptions,
): Promise<Channel> {
  let failure: unknown
  for (const address of peer.addresses) {
    options.signal.throwIfAborted()
    const transport = transports.get(address.transport)
    if (transport === undefined) {
      failure ??= new SyncError(
        'config/invalid',
        `no transport named "${address.transport}" for ${address.value}`,
      )
      continue
    }
    try {
      return await transport.dial(address, options)
    } catch (error) {
      failure = error
    }
  }
  throw failure ?? new SyncError('config/invalid', `peer ${peer.name} has no address`)
}

/** The same channel, telling the watchdog about every message. */
function watched(channel: Channel, watchdog: Watchdog): Channel {
  return {
    remote: channel.remote,
    send: (message) => channel.send(message),
    async *[Symbol.asyncIterator]() {
      for await (const message of channel) {
        watchdog.alive()
        yield message
      }
    },
    [Symbol.asyncDispose]: () => channel[Symbol.asyncDispose](),
  }
}

/** Renews at a third of the lease's time, so that two renewals may fail before it is lost. */
async function keepLease<Tx>(
  store: Store<Tx>,
  lease: Lease,
  leaseMs: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    try {
      await clock.sleep(leaseMs / 3, signal)
    } catch {
      return
    }
    const renewed = await store.transaction((tx) => store.jobs.renew(tx, lease, leaseMs), { durable: false })
    if (!renewed) {
      throw new SyncError('lease/lost', `link ${lease.link} was taken over by another worker`)
    }
  }
}
