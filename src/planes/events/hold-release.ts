import type { Clock } from '../../kernel/clock.ts'
import type { Logger } from '../../kernel/logger.ts'
import type { NostrEvent } from './event.ts'
import type { EventHold } from './event-hold.ts'
import { firstValue } from './event-rules.ts'
import type { EventStore } from './event-store.ts'
import type { Ingest } from './ingest.ts'
import { isAddressable, isReplaceable } from './kind.ts'
import { Pulse } from './sync/pulse.ts'

/** What waits for an event waits for one of these: its id, its address, or its address under any author. */
function satisfiedBy(event: NostrEvent): readonly string[] {
  const { id, kind, pubkey } = event
  if (!isAddressable(kind)) return isReplaceable(kind) ? [id, `${kind}:${pubkey}:`] : [id]
  const d = firstValue(event, 'd')
  return [id, `${kind}:${pubkey}:${d}`, `${kind}:*:${d}`]
}

export interface HoldReleaseOptions<Tx> {
  readonly hold: EventHold<Tx>
  readonly store: Pick<EventStore<Tx>, 'onAccepted'>
  readonly ingest: Pick<Ingest<Tx>, 'accept'>
  readonly clock: Clock
  readonly log: Logger
  /** How often what waited for too long is given up; ms. */
  readonly sweepMs: number
}

const batch = 200
const recheckMs = 2_000
/** Keys not looked at yet; with more, the oldest are looked at before more are taken. Each is some 100 bytes. */
const maxKeys = 100_000

/**
 * Looks again at what is held as soon as something it waits for was accepted, in the order of `created_at`. What is accepted
 * then may release more: it ends, as each event leaves the hold once. One that still may not be stored stays, with its time.
 */
export class HoldRelease<Tx> implements AsyncDisposable {
  readonly #options: HoldReleaseOptions<Tx>
  readonly #keys = new Set<string>()
  readonly #pulse = new Pulse()
  readonly #stop = new AbortController()
  readonly #listeners = new DisposableStack()
  readonly #held = new Set<string>()
  readonly #again = new Set<string>()
  readonly #running: Promise<unknown>

  constructor(options: HoldReleaseOptions<Tx>) {
    this.#options = options
    const { store, hold } = options
    this.#listeners.use(
      store.onAccepted((events) => {
        for (const event of events) for (const key of satisfiedBy(event)) this.#add(key)
        this.#pulse.notify()
      }),
    )
    this.#listeners.use(
      hold.onHeld((keys) => {
        for (const key of keys) this.#held.add(key)
      }),
    )
    this.#running = Promise.all([this.#work(), this.#sweep(), this.#recheck()])
  }

  /** Something that is no event came true: git data arrived, a list was changed. */
  satisfy(keys: readonly string[]): void {
    for (const key of keys) this.#add(key)
    this.#pulse.notify()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listeners.dispose()
    this.#stop.abort()
    this.#pulse.notify()
    await this.#running
  }

  /** What is forgotten here is found when the event is offered again, or by nobody: it is bounded for a reason. */
  #add(key: string): void {
    this.#keys.add(key)
    if (this.#keys.size <= maxKeys) return
    const [oldest] = this.#keys
    if (oldest !== undefined) this.#keys.delete(oldest)
  }

  async #work(): Promise<void> {
    const { log } = this.#options
    while (!this.#stop.signal.aborted) {
      await this.#pulse.wait()
      const keys = [...this.#keys]
      const again = [...this.#again]
      this.#keys.clear()
      this.#again.clear()
      try {
        await this.#options.hold.forget(keys)
        await this.#release([...keys, ...again])
      } catch (error) {
        if (this.#stop.signal.aborted) return
        log.error('what is held could not be looked at again', { error: String(error) })
      }
    }
  }

  async #release(keys: readonly string[]): Promise<void> {
    const { hold, ingest } = this.#options
    const seen = new Set<string>()
    for (;;) {
      this.#stop.signal.throwIfAborted()
      const waiting = (await hold.waitingFor(keys, batch + seen.size)).filter(
        ({ event }) => !seen.has(event.id),
      )
      if (waiting.length === 0) return
      for (const { event } of waiting) seen.add(event.id)
      // Everything but what it waited for was looked at when it came, by the rules for the way it came.
      const raws = waiting.map(({ raw }) => raw)
      const results = await ingest.accept(raws, { source: 'import', remote: 'held' }, this.#stop.signal)
      const gone = results.flatMap(({ id, outcome }) =>
        id === undefined || outcome === 'held' || outcome === 'failed' ? [] : [id],
      )
      await hold.release(gone)
    }
  }

  /** What it waits for may have been accepted between its judgement and its commit: then nothing else would look again. */
  async #recheck(): Promise<void> {
    const { clock } = this.#options
    const { signal } = this.#stop
    while (!signal.aborted) {
      await clock.sleep(recheckMs, signal).catch(() => {})
      if (this.#held.size === 0) continue
      // Not as what came true: what was given up is as far from being accepted as it was.
      for (const key of this.#held) this.#again.add(key)
      this.#held.clear()
      this.#pulse.notify()
    }
  }

  async #sweep(): Promise<void> {
    const { hold, clock, sweepMs, log } = this.#options
    const { signal } = this.#stop
    while (!signal.aborted) {
      await clock.sleep(sweepMs, signal).catch(() => {})
      if (signal.aborted) return
      await hold
        .sweep()
        .catch((error: unknown) =>
          log.error('what waited for too long could not be given up', { error: String(error) }),
        )
    }
  }
}
