import type { OutboxItem } from '../../../kernel/outbox.ts'
import { SyncError } from '../../../kernel/sync-error.ts'
import { Watchdog } from '../../../kernel/watchdog.ts'
import type { NostrEvent, StoredEvent } from '../event.ts'
import { isProtected } from '../kind.ts'
import type { AttemptState } from './attempt-state.ts'
import type { PublishResult } from './relay-answer.ts'
import { reasonPrefix } from './relay-frame.ts'

/** Events on their way without an OK yet, by number and by size: whichever is reached first holds back the rest. */
const windowEvents = 256
const windowBytes = 1024 * 1024
const readAtOnce = 200
/** No OK at all for this long while some are due: the window is given up and its events stay pending. */
const okTimeoutMs = 15_000
/** An event that never got a final answer becomes a dead letter after so many attempts. */
const maxAttempts = 5
const retryAfterMs = 60_000
/** Of an outbox, per attempt; the next attempt takes more. */
const maxPending = 10_000
const firstPauseMs = 1_000
const maxPauses = 8

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
  #pauses = 0
  #resumeAt = 0
  #failure: unknown
  #settled: () => void = () => {}
  #watchdog: Watchdog | undefined

  constructor(state: AttemptState<Tx>) {
    this.#state = state
  }

  /** Offers what earlier attempts could not deliver and is due again. */
  async pushDue(): Promise<void> {
    const { clock } = this.#state.session
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
  async push(ids: readonly string[]): Promise<void> {
    this.#state.outstanding += ids.length
    for (let at = 0; at < ids.length; at += readAtOnce) {
      const slice = ids.slice(at, at + readAtOnce)
      await this.offer(await this.#state.store.get(slice), slice.length)
    }
  }

  /** Offers events already read; `counted` of them are in `outstanding`. */
  async offer(events: readonly StoredEvent[], counted: number): Promise<void> {
    const { session, fromPeer } = this.#state
    if (this.#queued === undefined) await this.#pending()
    const dead = await this.#deadAmong(events)
    await this.#forget(new Set(events.map(({ id }) => id).filter((id) => fromPeer.has(id))))
    let offered = 0
    for (const event of events) {
      if (dead.has(event.id) || fromPeer.has(event.id) || mayNotLeave(event)) continue
      await this.#room(event.raw.length)
      session.signal.throwIfAborted()
      offered++
      this.#start(event)
    }
    this.#state.outstanding -= counted - Math.min(counted, offered)
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
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure
      const { session } = this.#state
      const pauseMs = this.#resumeAt - session.clock.monotonic()
      if (pauseMs > 0) await session.clock.sleep(pauseMs, session.signal)
      const full = this.#running.size >= windowEvents || this.#inFlightBytes + bytes > windowBytes
      // One event larger than the window still goes, alone.
      if (!full || this.#running.size === 0) return
      await new Promise<void>((resolve) => {
        this.#settled = resolve
      })
    }
  }

  #start(event: StoredEvent): void {
    const { client, session } = this.#state
    this.#watchdog ??= new Watchdog(session.clock, okTimeoutMs, () => {
      this.#watchdog = undefined
      client.expirePublishes('error: no answer from the relay')
    })
    this.#inFlightBytes += event.raw.length
    const work = this.#publish(event)
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
    const { client, session, counters } = this.#state
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
        this.#pauses = 0
      } else if (verdict === 'duplicate') counters.uploadDuplicate++
      else return this.#record(event.id, verdict, result.reason)
      if (this.#queued?.delete(event.id)) await this.#delivered(event.id)
      this.#state.pulse.notify()
      return
    }
  }

  /** The whole link waits, twice as long each time; nothing is lost by it. */
  async #pause(reason: string): Promise<void> {
    const { clock, signal, random } = this.#state.session
    if (this.#pauses >= maxPauses)
      throw new SyncError('peer/busy', `the relay keeps asking to slow down: ${reason}`)
    if (this.#resumeAt <= clock.monotonic()) {
      this.#resumeAt = clock.monotonic() + firstPauseMs * 2 ** this.#pauses++ * (0.5 + random() / 2)
    }
    await clock.sleep(this.#resumeAt - clock.monotonic(), signal)
    this.#watchdog?.alive()
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
    await this.#state.commit(async (tx) => {
      if (verdict === 'refused') return outbox.bury(tx, link.id, id, reason)
      const attempts = await outbox.retry(tx, link.id, id, reason, clock.now() + retryAfterMs)
      if (attempts >= maxAttempts)
        await outbox.bury(tx, link.id, id, `${reason} (after ${attempts} attempts)`)
    })
    if (verdict === 'refused') counters.uploadRefused++
    else counters.uploadPending++
  }
}

/** Protected events only travel with their author (NIP-70), and we are not. */
function mayNotLeave(event: StoredEvent): boolean {
  return event.raw.includes('"-"') && isProtected(JSON.parse(event.raw) as NostrEvent)
}
