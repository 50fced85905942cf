import type { OutboxItem } from '../../../kernel/outbox.ts'
import { SyncError } from '../../../kernel/sync-error.ts'
import { Watchdog } from '../../../kernel/watchdog.ts'
import type { StoredEvent } from '../event.ts'
import type { AttemptState } from './attempt-state.ts'
import { mayLeave } from './may-leave.ts'
import type { PublishResult } from './relay-answer.ts'
import { reasonPrefix } from './relay-frame.ts'
import { Tally } from './tally.ts'

/** Bytes on their way without an OK yet; the number of events is a setting, and whichever is reached first holds back. */
const windowBytes = 1024 * 1024
const readAtOnce = 200
/** A refusal for good is remembered so long, and then tried once more: rules of relays change. */
const refusalMs = 30 * 86_400_000
/** An event that never got a final answer becomes a dead letter after so many attempts. */
const maxAttempts = 5
const retryAfterMs = 60_000
/** Of an outbox, per attempt; the next attempt takes more. */
const maxPending = 10_000

type Verdict = 'done' | 'duplicate' | 'refused' | 'pause' | 'retry'

/** What the relay's OK means for the event (specs §4.14): by prefix first, by wording where a relay uses none. */
export function classify({ accepted, reason }: PublishResult): Verdict {
  const prefix = reasonPrefix(reason)
  if (accepted) return prefix === 'duplicate' ? 'duplicate' : 'done'
  if (prefix === 'duplicate' || /duplicate|already have|have newer|replaced/i.test(reason)) return 'duplicate'
  if (prefix === 'rate-limited' || /rate.?limit|too many|slow down/i.test(reason)) return 'pause'
  if (prefix === 'error' || prefix === '') return 'retry'
  return 'refused'
}

/**
 * Offers events to the peer, many at once. Only an acknowledged event counts; one refused for good becomes a dead
 * letter with the relay's words, one without an answer stays pending in the outbox.
 */
export class Upload<Tx> {
  readonly #state: AttemptState<Tx>
  readonly #running = new Set<Promise<void>>()
  /** Ids that are in the outbox and leave it when delivered. */
  #queued: Set<string> | undefined
  #inFlightBytes = 0
  /** Offered since the last pause between two batches. */
  #sinceDelay = 0
  /** While the relay asks to slow down: ends when the pause does. */
  #pausing: Promise<boolean> | undefined
  #failure: unknown
  #settled: () => void = () => {}
  #watchdog: Watchdog | undefined

  constructor(state: AttemptState<Tx>) {
    this.#state = state
  }

  /** Offers what earlier attempts could not deliver and is due again, refusals of long ago included. */
  async pushDue(): Promise<void> {
    const { clock, outbox, link } = this.#state.session
    await this.#state.commit(async (tx) => void (await outbox.reviveDue(tx, link.id, clock.now())))
    const pending = await this.#pending()
    const held = await this.#state.store.known(pending.map(({ key }) => key))
    await this.#forget(new Set(pending.map(({ key }) => key)).difference(held))
    await this.push(pending.filter(({ notBefore }) => notBefore <= clock.now()).map(({ key }) => key))
  }

  /** Also those not due yet: negentropy finds them missing there again, and then they are delivered all the same. */
  async #pending(): Promise<readonly OutboxItem[]> {
    const { outbox, link } = this.#state.session
    const items = await this.#state.session.read((tx) =>
      outbox.due(tx, link.id, Number.MAX_SAFE_INTEGER, maxPending),
    )
    this.#queued = new Set(items.map(({ key }) => key))
    return items
  }

  /** Offers stored events by id; unknown ones (deleted meanwhile) are left out. */
  async push(ids: readonly string[], tally: Tally = new Tally()): Promise<void> {
    this.#state.outstanding += ids.length
    tally.add(ids.length)
    for (let at = 0; at < ids.length; at += readAtOnce) {
      const slice = ids.slice(at, at + readAtOnce)
      await this.offer(await this.#state.store.get(slice), slice.length, tally)
    }
  }

  /** Offers events already read; `counted` of them are in `outstanding`. */
  async offer(events: readonly StoredEvent[], counted: number, tally?: Tally): Promise<void> {
    const { session } = this.#state
    if (this.#queued === undefined) await this.#pending()
    const dead = await this.#deadAmong(events)
    const echoes = await this.#echoes(events)
    await this.#forget(echoes)
    let offered = 0
    for (const event of events) {
      if (dead.has(event.id) || echoes.has(event.id)) continue
      const leaves = await mayLeave(event, this.#departure())
      if (leaves === 'later') await this.#record(event.id, 'retry', 'error: the plugin gave no verdict')
      if (leaves !== true) continue
      await this.#room(event.raw.length)
      session.signal.throwIfAborted()
      offered++
      this.#start(event, tally)
    }
    const left = counted - Math.min(counted, offered)
    this.#state.outstanding -= left
    tally?.done(left)
  }

  /** What came from this very peer, in this attempt or in any before, is not offered back to it (E-132); nothing twice. */
  async #echoes(events: readonly StoredEvent[]): Promise<ReadonlySet<string>> {
    const { fromPeer, acknowledged, store, session } = this.#state
    const there = (id: string) => fromPeer.has(id) || acknowledged.has(id)
    const unsure = events.map(({ id }) => id).filter((id) => !there(id))
    const stored = unsure.length === 0 ? new Set<string>() : await store.cameFrom(session.peer.id, unsure)
    return new Set(events.map(({ id }) => id).filter((id) => there(id) || stored.has(id)))
  }

  #departure(): Parameters<typeof mayLeave>[1] {
    const { client, info, settings, policies, session } = this.#state
    return {
      url: client.url,
      supportedNips: info.supportedNips,
      expiring: settings.uploadExpiring,
      ownPubkey: this.#state.ownPubkey,
      sameOwner: settings.acceptProtected,
      policy: policies.up,
      nowSeconds: this.#state.nowSeconds(),
      peer: { id: session.peer.id, link: session.link.id },
    }
  }

  /** Resolves when every offered event has its answer. */
  async finish(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running)
    this.#watchdog?.[Symbol.dispose]()
    this.#watchdog = undefined
    if (this.#failure !== undefined) throw this.#failure
  }

  async #deadAmong(events: readonly StoredEvent[]): Promise<ReadonlySet<string>> {
    if (events.length === 0) return new Set()
    const { outbox, link } = this.#state.session
    return this.#state.session.read((tx) =>
      outbox.deadAmong(
        tx,
        link.id,
        events.map(({ id }) => id),
      ),
    )
  }

  async #room(bytes: number): Promise<void> {
    const { client, session, settings } = this.#state
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure
      await this.#pausing
      await client.calm()
      await this.#delay()
      const full = this.#running.size >= settings.uploadPipeline || this.#inFlightBytes + bytes > windowBytes
      // One event larger than the window still goes, alone.
      if (!full || this.#running.size === 0) return
      session.signal.throwIfAborted()
      await new Promise<void>((resolve) => {
        this.#settled = resolve
      })
    }
  }

  /** The pause between two batches that a relay may be given. */
  async #delay(): Promise<void> {
    const { session, settings } = this.#state
    if (settings.uploadDelayMs === 0 || this.#sinceDelay < settings.uploadBatchSize) return
    this.#sinceDelay = 0
    await session.clock.sleep(settings.uploadDelayMs, session.signal)
    session.alive()
  }

  #start(event: StoredEvent, tally: Tally | undefined): void {
    const { client, session, settings } = this.#state
    this.#sinceDelay++
    this.#watchdog ??= new Watchdog(session.clock, settings.publishTimeoutMs, () => {
      this.#watchdog = undefined
      client.expirePublishes('error: no answer from the relay')
    })
    this.#inFlightBytes += event.raw.length
    const work = this.#publish(event)
      .then(() => tally?.done(1))
      .catch((error: unknown) => {
        this.#failure ??= error
      })
      .finally(() => {
        this.#inFlightBytes -= event.raw.length
        this.#running.delete(work)
        this.#settled()
      })
    this.#running.add(work)
  }

  async #publish(event: StoredEvent): Promise<void> {
    const { client, session, counters, pace } = this.#state
    for (;;) {
      const result = await client.publish(event.id, event.raw)
      this.#watchdog?.alive()
      session.alive()
      const verdict = classify(result)
      if (verdict === 'pause') {
        await this.#pause(result.reason)
        continue
      }
      this.#state.outstanding--
      if (verdict === 'done') {
        counters.uploaded++
        pace.ease()
      } else if (verdict === 'duplicate') counters.uploadDuplicate++
      else return this.#record(event.id, verdict, result.reason)
      this.#state.acknowledged.add(event.id)
      if (this.#queued?.delete(event.id)) await this.#delivered(event.id)
      this.#state.pulse.notify()
      return
    }
  }

  /** The whole link waits, twice as long each time; nothing is lost by it. */
  async #pause(reason: string): Promise<void> {
    const { pace, client } = this.#state
    this.#pausing ??= pace.pause().finally(() => {
      this.#pausing = undefined
    })
    const waited = await this.#pausing
    this.#watchdog?.alive()
    if (waited) return
    const message = `${client.url} keeps asking to slow down: ${reason}`
    throw new SyncError('peer/busy', message, { fault: 'rate_limited', linkOnly: true })
  }

  #delivered(id: string): Promise<void> {
    const { outbox, link } = this.#state.session
    return this.#state.commit((tx) => outbox.done(tx, link.id, [id]))
  }

  /** What we no longer hold, or have from the peer itself, is owed to nobody. */
  async #forget(ids: ReadonlySet<string>): Promise<void> {
    const owed = [...ids].filter((id) => this.#queued?.delete(id))
    const { outbox, link } = this.#state.session
    if (owed.length > 0) await this.#state.commit((tx) => outbox.done(tx, link.id, owed))
  }

  async #record(id: string, verdict: 'refused' | 'retry', reason: string): Promise<void> {
    const { outbox, link, clock } = this.#state.session
    const { counters } = this.#state
    const forgottenAt = clock.now() + refusalMs
    await this.#state.commit(async (tx) => {
      if (verdict === 'refused') return outbox.bury(tx, link.id, id, reason, forgottenAt)
      const attempts = await outbox.retry(tx, link.id, id, reason, clock.now() + retryAfterMs)
      if (attempts >= maxAttempts)
        await outbox.bury(tx, link.id, id, `${reason} (after ${attempts} attempts)`, forgottenAt)
    })
    if (verdict === 'refused') counters.uploadRefused++
    else counters.uploadPending++
  }
}
