import type { Clock } from '../../../kernel/clock.ts'
import type { Logger } from '../../../kernel/logger.ts'
import type { NostrEvent } from '../event.ts'
import { deletedAddresses, deletedIds, deletion, vanishRequest } from '../event-rules.ts'
import { type EventStore, everything } from '../event-store.ts'
import { Pulse } from '../sync/pulse.ts'
import type { Declaration } from './profile.ts'
import { WantIndex, type WantIndexOptions } from './want-index.ts'

export interface HeldDeclaration {
  readonly declaration: Declaration
  readonly author: string
}

export interface DiscoveryOptions extends WantIndexOptions {
  readonly store: Pick<EventStore<unknown>, 'page' | 'onAccepted'>
  readonly clock: Clock
  readonly log: Logger
  /** Milliseconds for which accepted events are collected before they are looked at together. */
  readonly windowMs: number
  /** Declarations that are not in the store yet, and wanted in part all the same. */
  readonly held?: () => readonly HeldDeclaration[]
  /** The index is another one now. Awaited before anything more is looked at. */
  readonly onChange: (wants: WantIndex) => Promise<void>
}

const pageEvents = 500
/** Rebuilding reads every declaration there is: whoever deletes in a row pays with waiting, not with our work. */
const rebuildEveryMs = 60_000

/**
 * Reads what this node itself accepted, published, synced and imported alike, and keeps the index of what is wanted in
 * step with it (specs proactive §4.1). It reads the store in the order of arrival and never a bounded feed, so it cannot
 * lag behind, lose an event or depend on the limits of our own relay; after a restart it starts from what is stored.
 */
export class Discovery implements AsyncDisposable {
  readonly #options: DiscoveryOptions
  readonly #kinds: readonly number[]
  readonly #pulse = new Pulse()
  readonly #stop = new AbortController()
  readonly #listener: Disposable
  #wants: WantIndex
  /** Arrival number up to which everything was looked at. */
  #position = 0
  #stale = false
  /** Something that `onChange` has not carried out yet. */
  #unreported = false
  #rebuiltAt = 0
  #running: Promise<void> = Promise.resolve()

  private constructor(options: DiscoveryOptions) {
    this.#options = options
    const { declaringKinds, childKinds } = options.profile
    this.#kinds = [...new Set([...declaringKinds, ...childKinds, deletion, vanishRequest])].sort(
      (a, b) => a - b,
    )
    this.#wants = new WantIndex(options)
    const wanted = new Set(this.#kinds)
    this.#listener = options.store.onAccepted((events) => {
      if (events.some(({ kind }) => wanted.has(kind))) this.#pulse.notify()
    })
  }

  /** Looks at all that is stored, and from then on at what is accepted. */
  static async open(options: DiscoveryOptions): Promise<Discovery> {
    const discovery = new Discovery(options)
    await discovery.#rebuild()
    await options.onChange(discovery.#wants)
    discovery.#running = discovery.#follow()
    return discovery
  }

  get wants(): WantIndex {
    return this.#wants
  }

  /** Something that is not stored was declared or given up: looked at within one window. */
  notify(): void {
    this.#pulse.notify()
  }

  /** Reports the index as it is within one window, changed or not. */
  touch(): void {
    this.#unreported = true
    this.#pulse.notify()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener[Symbol.dispose]()
    this.#stop.abort()
    this.#pulse.notify()
    await this.#running
  }

  async #follow(): Promise<void> {
    const { clock, windowMs, log, onChange } = this.#options
    const { signal } = this.#stop
    while (!signal.aborted) {
      await this.#pulse.wait()
      // From the first event on and not from the last: however many follow, none waits longer than one window.
      await clock.sleep(windowMs, signal).catch(() => {})
      if (signal.aborted) return
      try {
        if (await this.#advance()) this.#unreported = true
        if (this.#stale && (await this.#mayRebuild())) this.#unreported = true
        if (this.#takeHeld()) this.#unreported = true
        if (!this.#unreported) continue
        this.#unreported = false
        await onChange(this.#wants)
      } catch (error) {
        if (signal.aborted) return
        this.#unreported = true
        log.error('what was accepted could not be looked at; trying again', { error: String(error) })
        this.#pulse.notify()
      }
    }
  }

  async #mayRebuild(): Promise<boolean> {
    const { clock } = this.#options
    if (clock.monotonic() - this.#rebuiltAt < rebuildEveryMs) {
      this.#pulse.notify()
      return false
    }
    await this.#rebuild()
    return true
  }

  /** From all that is stored now: what was deleted, has expired or vanished is no longer in it. */
  async #rebuild(): Promise<void> {
    this.#rebuiltAt = this.#options.clock.monotonic()
    this.#wants = new WantIndex(this.#options)
    this.#position = 0
    this.#stale = false
    await this.#advance()
    this.#stale = false
    this.#takeHeld()
  }

  #takeHeld(): boolean {
    let changed = false
    for (const { declaration, author } of this.#options.held?.() ?? [])
      changed = this.#wants.declare(declaration, author) || changed
    return changed
  }

  async #advance(): Promise<boolean> {
    const { store } = this.#options
    let changed = false
    for (;;) {
      this.#stop.signal.throwIfAborted()
      const page = await store.page({
        filter: { kinds: this.#kinds },
        order: 'seq',
        after: this.#position,
        limit: pageEvents,
        visibility: everything,
      })
      for (const { raw, seq } of page.events) {
        changed = this.#take(JSON.parse(raw) as NostrEvent) || changed
        this.#position = seq
      }
      if (page.complete) return changed
    }
  }

  #take(event: NostrEvent): boolean {
    const { profile } = this.#options
    if (event.kind === deletion || event.kind === vanishRequest) {
      if (!this.#concerns(event)) return false
      this.#stale = true
      this.#pulse.notify()
      return false
    }
    const declaration = profile.declare(event)
    const claim = profile.claim(event)
    const declared = declaration !== undefined && this.#wants.declare(declaration, event.pubkey)
    const claimed = claim !== undefined && this.#wants.claim(claim)
    return declared || claimed
  }

  /** Whether it may have removed something the index rests on; whether it did is seen by reading the store again. */
  #concerns(event: NostrEvent): boolean {
    const { declaringKinds } = this.#options.profile
    const knows = this.#wants.knows(event.pubkey)
    if (event.kind === vanishRequest) return knows
    return (
      (knows && deletedAddresses(event).some(({ kind }) => declaringKinds.includes(kind))) ||
      deletedIds(event).some((id) => this.#wants.mentions(id))
    )
  }
}
