import type { CommitOptions, Session } from '../../../kernel/plane.ts'
import type { Progress } from '../../../kernel/progress.ts'
import { SyncError } from '../../../kernel/sync-error.ts'
import { BoundedSet } from '../bounded-set.ts'
import type { NostrEvent } from '../event.ts'
import type { EventStore } from '../event-store.ts'
import type { Filter } from '../filter.ts'
import { matcher } from '../filter-match.ts'
import type { Checked, Ingest, IngestContext, IngestResult } from '../ingest.ts'
import type { WritePolicy } from '../write-policy.ts'
import { type EventsCheckpoint, emptyCheckpoint, type Learned } from './checkpoint.ts'
import type { Counters } from './counters.ts'
import { type Coverage, cover, type Interval } from './coverage.ts'
import { Pace } from './pace.ts'
import type { Lesson, PeerMemory } from './peer-memory.ts'
import type { PeerSettings } from './peer-settings.ts'
import { Pulse } from './pulse.ts'
import type { RelayClient } from './relay-client.ts'
import type { RelayInfo } from './relay-info.ts'
import { syncSource } from './sync-source.ts'
import { begun } from './wanted.ts'

export interface EventsScope {
  readonly filter: Filter
}

export type EventsSession<Tx> = Session<EventsScope, EventsCheckpoint, Tx>

/** What one relay's definition adds to the rules of the node: a plugin each way, or nothing. */
export interface PeerPolicies {
  readonly down?: WritePolicy | undefined
  readonly up?: WritePolicy | undefined
}

/** By rules that hold whoever offers the event; a bad signature or a policy may be another one tomorrow. */
function refusedForGood(results: readonly IngestResult[]): string[] {
  return results.flatMap(({ id, outcome, code }) =>
    id !== undefined && (forGood.has(outcome) || code === 'event/expired') ? [id] : [],
  )
}

const forGood: ReadonlySet<IngestResult['outcome']> = new Set([
  'superseded',
  'deleted',
  'vanished',
  'banned',
  'expired',
])

interface Parts<Tx> {
  readonly session: EventsSession<Tx>
  readonly settings: PeerSettings
  readonly client: RelayClient
  readonly store: EventStore<Tx>
  readonly ingest: Ingest<Tx>
  readonly info: RelayInfo
  readonly memory: PeerMemory
  readonly policies: PeerPolicies
  readonly counters: Counters
  readonly ownPubkey: string
}

/** Everything the steps of one attempt share. */
export class AttemptState<Tx> {
  readonly session: EventsSession<Tx>
  readonly settings: PeerSettings
  readonly client: RelayClient
  readonly store: EventStore<Tx>
  readonly ingest: Ingest<Tx>
  readonly info: RelayInfo
  readonly policies: PeerPolicies
  readonly counters: Counters
  readonly ownPubkey: string
  readonly pace: Pace
  readonly pulse = new Pulse()
  readonly marks: Record<string, number> = {}
  readonly notes: Record<string, string> = {}
  /** What came from this very peer is not offered back to it. Bounded: the oldest are looked up in the store. */
  readonly fromPeer = new BoundedSet<string>(50_000)
  /** What it acknowledged in this attempt: the comparison and the tail may both come upon an event. */
  readonly acknowledged = new BoundedSet<string>(50_000)
  phase: Progress['phase'] = 'connecting'
  /** Known to be missing on either side and not moved yet. */
  outstanding = 0
  checkpoint: EventsCheckpoint
  /** Wall seconds at which the running scan of stored events began. */
  scanStart: number
  readonly #memory: PeerMemory
  #learned: Learned

  constructor(parts: Parts<Tx>) {
    const { session } = parts
    this.session = session
    this.settings = parts.settings
    this.client = parts.client
    this.store = parts.store
    this.ingest = parts.ingest
    this.info = parts.info
    this.policies = parts.policies
    this.counters = parts.counters
    this.ownPubkey = parts.ownPubkey
    this.#memory = parts.memory
    const { clock, random, signal } = session
    this.pace = new Pace({ clock, random, signal, alive: () => session.alive() })
    this.scanStart = this.nowSeconds()
    this.checkpoint = begun(session.checkpoint ?? emptyCheckpoint, this.settings, this.scanStart)
    this.#learned = this.#memory.recall(session.peer.id, this.checkpoint.learned, this.scanStart)
    this.#learnLimits()
  }

  get filter(): Filter {
    return this.session.link.scope.filter
  }

  get target(): number {
    return this.checkpoint.target ?? 0
  }

  get pulls(): boolean {
    return this.session.link.direction !== 'up'
  }

  get pushes(): boolean {
    return this.session.link.direction !== 'down'
  }

  get learned(): Learned {
    return this.#learned
  }

  nowSeconds(): number {
    return Math.floor(this.session.clock.now() / 1000)
  }

  mark(name: string): void {
    this.marks[name] = this.session.clock.now()
  }

  learn(lesson: Lesson): void {
    this.#learned = this.#memory.learn(this.session.peer.id, lesson, this.nowSeconds())
  }

  /** What the peer was found unable to do is tried again. */
  relearn(): void {
    this.#memory.forget(this.session.peer.id)
    this.#learned = { at: this.nowSeconds() }
    this.#learnLimits()
  }

  /** Only what is new: learning makes all that is known young again. A relay without a document keeps what it said. */
  #learnLimits(): void {
    const { maxSubscriptions, maxMessageLength } = this.info
    const { learned } = this
    if (
      (maxSubscriptions ?? learned.maxSubscriptions) !== learned.maxSubscriptions ||
      (maxMessageLength ?? learned.maxMessageLength) !== learned.maxMessageLength
    )
      this.learn({
        ...(maxSubscriptions && { maxSubscriptions }),
        ...(maxMessageLength && { maxMessageLength }),
      })
  }

  /** Commits data together with what `change` makes of the checkpoint. */
  async commit(
    write: (tx: Tx) => Promise<void>,
    change: (checkpoint: EventsCheckpoint) => EventsCheckpoint = (checkpoint) => checkpoint,
    options?: CommitOptions,
  ): Promise<void> {
    await this.session.commit(async (tx) => {
      await write(tx)
      // Transactions of one store run one after the other, so this reads what the one before it left.
      this.checkpoint = { ...change(this.checkpoint), learned: this.#learned }
      return { checkpoint: this.checkpoint }
    }, options)
    this.pulse.notify()
  }

  /** Moves the checkpoint where there is no data to go with it: lost with the power, it is only found out again. */
  advance(change: (checkpoint: EventsCheckpoint) => EventsCheckpoint): Promise<void> {
    return this.commit(async () => {}, change, { durable: false })
  }

  /** The checkpoint with more seconds covered, never beyond when the scan started: events still arrive after that. */
  covering(checkpoint: EventsCheckpoint, interval: Interval): EventsCheckpoint {
    const clipped: Interval = [interval[0], Math.min(interval[1], this.scanStart)]
    const covered = (coverage: Coverage) => cover(coverage, clipped).map(([a, b]): [number, number] => [a, b])
    const { pass } = checkpoint
    return {
      ...checkpoint,
      coverage: covered(checkpoint.coverage),
      ...(pass && { pass: { ...pass, done: covered(pass.done) } }),
    }
  }

  /** Of what the peer sent for `filter`, what matches it; the rest is counted and dropped (E-56). */
  matching(raws: readonly string[], filter: Filter): readonly string[] {
    const matches = matcher(filter)
    return raws.filter((raw) => {
      const event = parsed(raw)
      // What cannot be read as an event is refused by the rules, with its reason.
      if (event === undefined || matches(event)) return true
      this.counters.unsolicited++
      return false
    })
  }

  /** Checks what the peer sent and stores it, together with the checkpoint. */
  async receive(
    raws: readonly string[],
    change?: (checkpoint: EventsCheckpoint) => EventsCheckpoint,
  ): Promise<readonly IngestResult[]> {
    const { peer, link, signal } = this.session
    const { pubkey } = this.settings
    const context: IngestContext = {
      source: 'sync',
      remote: this.client.url,
      peer: syncSource(peer, link),
      authenticated: pubkey === undefined ? [] : [pubkey],
      more: this.policies.down,
    }
    const checked: readonly Checked[] = await this.ingest.check(raws, context, signal)
    const failed = checked.find(({ result }) => result?.outcome === 'failed')
    // Something of ours broke: covering these events as disposed of would lose them.
    if (failed !== undefined)
      throw new SyncError('store/busy', `an event could not be checked: ${failed.result?.reason}`)
    let results: readonly IngestResult[] = []
    await this.commit(async (tx) => {
      results = await this.ingest.commitIn(tx, checked, peer.id)
      await this.store.refuseIn(tx, refusedForGood(results))
    }, change)
    this.#count(results)
    return results
  }

  #count(results: readonly IngestResult[]): void {
    if (results.length > 0) this.mark('received')
    for (const result of results) {
      const { id, accepted, code, outcome } = result
      this.counters.count(result)
      if (id !== undefined) this.fromPeer.add(id)
      if (accepted) continue
      this.mark('rejected')
      this.notes.rejectedFor = code ?? outcome
      if (id !== undefined) this.notes.rejectedId = id
    }
  }

  progress(): Progress {
    const { received, uploaded, uploadDuplicate } = this.counters
    const remaining = this.phase === 'transferring' ? Math.max(0, this.outstanding) : undefined
    const { bytesIn, bytesOut } = this.client.traffic
    return {
      phase: this.phase,
      done: received + uploaded + uploadDuplicate,
      remaining,
      counters: { ...this.counters.snapshot(), bytesReceived: bytesIn, bytesSent: bytesOut },
      marks: { ...this.marks },
      notes: { ...this.notes },
    }
  }
}

function parsed(raw: string): NostrEvent | undefined {
  try {
    const event = JSON.parse(raw) as NostrEvent
    return Array.isArray(event.tags) && event.tags.every(Array.isArray) ? event : undefined
  } catch {
    return undefined
  }
}
