import type { Session } from '../../../kernel/plane.ts'
import type { Progress } from '../../../kernel/progress.ts'
import { SyncError } from '../../../kernel/sync-error.ts'
import { BoundedSet } from '../bounded-set.ts'
import type { EventStore } from '../event-store.ts'
import type { Filter } from '../filter.ts'
import type { Checked, Ingest, IngestResult } from '../ingest.ts'
import { type EventsCheckpoint, emptyCheckpoint } from './checkpoint.ts'
import { type Coverage, cover, type Interval } from './coverage.ts'
import { Pulse } from './pulse.ts'
import type { RelayClient } from './relay-client.ts'
import type { RelayInfo } from './relay-info.ts'
import { syncSource } from './sync-source.ts'

export interface EventsScope {
  readonly filter: Filter
}

export type EventsSession<Tx> = Session<EventsScope, EventsCheckpoint, Tx>

/** What an attempt has moved so far. Received = accepted + duplicate + rejected. */
export interface Counters {
  received: number
  accepted: number
  duplicate: number
  rejected: number
  /** Ids the peer offers that were refused here before, and are not fetched again. */
  refusedBefore: number
  /** Ids the peer offered and then did not deliver. */
  missing: number
  uploaded: number
  /** The peer held it already. */
  uploadDuplicate: number
  /** Refused for good; each is a dead letter of the link. */
  uploadRefused: number
  /** No final answer; tried again by a later attempt. */
  uploadPending: number
  rounds: number
  bytesSent: number
  bytesReceived: number
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

/** Everything the steps of one attempt share. */
export class AttemptState<Tx> {
  readonly session: EventsSession<Tx>
  readonly client: RelayClient
  readonly store: EventStore<Tx>
  readonly ingest: Ingest<Tx>
  readonly info: RelayInfo
  readonly pulse = new Pulse()
  readonly counters: Counters = {
    received: 0,
    accepted: 0,
    duplicate: 0,
    rejected: 0,
    refusedBefore: 0,
    missing: 0,
    uploaded: 0,
    uploadDuplicate: 0,
    uploadRefused: 0,
    uploadPending: 0,
    rounds: 0,
    bytesSent: 0,
    bytesReceived: 0,
  }
  /** What came from this very peer is not offered back to it. Bounded: the oldest are forgotten, and cost a duplicate. */
  readonly fromPeer = new BoundedSet<string>(50_000)
  phase: Progress['phase'] = 'connecting'
  /** Known to be missing on either side and not moved yet. */
  outstanding = 0
  checkpoint: EventsCheckpoint
  /** Wall seconds at which the scan of stored events began. */
  readonly startedAt: number

  constructor(parts: {
    session: EventsSession<Tx>
    client: RelayClient
    store: EventStore<Tx>
    ingest: Ingest<Tx>
    info: RelayInfo
  }) {
    this.session = parts.session
    this.client = parts.client
    this.store = parts.store
    this.ingest = parts.ingest
    this.info = parts.info
    this.checkpoint = parts.session.checkpoint ?? emptyCheckpoint
    this.startedAt = this.nowSeconds()
  }

  get filter(): Filter {
    return this.session.link.scope.filter
  }

  get pulls(): boolean {
    return this.session.link.direction !== 'up'
  }

  get pushes(): boolean {
    return this.session.link.direction !== 'down'
  }

  nowSeconds(): number {
    return Math.floor(this.session.clock.now() / 1000)
  }

  /** Commits data together with what `change` makes of the checkpoint. */
  async commit(
    write: (tx: Tx) => Promise<void>,
    change: (checkpoint: EventsCheckpoint) => EventsCheckpoint = (checkpoint) => checkpoint,
  ): Promise<void> {
    await this.session.commit(async (tx) => {
      await write(tx)
      // Transactions of one store run one after the other, so this reads what the one before it left.
      this.checkpoint = change(this.checkpoint)
      return { checkpoint: this.checkpoint }
    })
    this.pulse.notify()
  }

  /** Moves the checkpoint where there is no data to go with it. */
  advance(change: (checkpoint: EventsCheckpoint) => EventsCheckpoint): Promise<void> {
    return this.commit(async () => {}, change)
  }

  /** The checkpoint with more seconds covered, never beyond when the scan started: events still arrive after that. */
  covering(checkpoint: EventsCheckpoint, intervals: readonly Interval[]): EventsCheckpoint {
    const clipped = intervals.map(([from, to]): Interval => [from, Math.min(to, this.startedAt)])
    return {
      ...checkpoint,
      coverage: clipped.reduce(cover, checkpoint.coverage as Coverage).map(([a, b]) => [a, b]),
    }
  }

  /** Checks what the peer sent and stores it, together with the checkpoint. */
  async receive(
    raws: readonly string[],
    change?: (checkpoint: EventsCheckpoint) => EventsCheckpoint,
  ): Promise<readonly IngestResult[]> {
    const { peer, link } = this.session
    const context = { source: 'sync', remote: this.client.url, peer: syncSource(peer, link) } as const
    const checked: readonly Checked[] = await this.ingest.check(raws, context, this.session.signal)
    const failed = checked.find(({ result }) => result?.outcome === 'failed')
    // Something of ours broke: covering these events as disposed of would lose them.
    if (failed !== undefined)
      throw new SyncError('store/busy', `an event could not be checked: ${failed.result?.reason}`)
    let results: readonly IngestResult[] = []
    await this.commit(async (tx) => {
      results = await this.ingest.commitIn(tx, checked)
      await this.store.refuseIn(tx, refusedForGood(results))
    }, change)
    this.#count(results)
    return results
  }

  #count(results: readonly IngestResult[]): void {
    for (const { id, outcome } of results) {
      this.counters.received++
      if (outcome === 'stored' || outcome === 'ephemeral') this.counters.accepted++
      else if (outcome === 'duplicate') this.counters.duplicate++
      else this.counters.rejected++
      if (id !== undefined) this.fromPeer.add(id)
    }
  }

  progress(): Progress {
    const { received, uploaded, uploadDuplicate } = this.counters
    const remaining = this.phase === 'transferring' ? Math.max(0, this.outstanding) : undefined
    return {
      phase: this.phase,
      done: received + uploaded + uploadDuplicate,
      remaining,
      counters: { ...this.counters },
    }
  }
}
