import type { Clock } from '../../../kernel/clock.ts'
import type { Logger } from '../../../kernel/logger.ts'
import { planChunks } from './chunk-plan.ts'
import type { MirrorDirectory, MirrorRelay } from './mirror-directory.ts'
import type { Profile } from './profile.ts'
import type { Want, WantIndex } from './want-index.ts'

export interface MirrorOptions {
  readonly profile: Profile
  readonly directory: MirrorDirectory
  readonly clock: Clock
  readonly log: Logger
  /** Relays mirrored whatever is wanted of them, in one spelling; they are asked the layers per peer. */
  readonly bootstrap: readonly string[]
  /** Relays at most; what more are wanted for is left out and counted. */
  readonly maxRelays: number
  readonly chunkSize: number
  readonly chunkBytes: number
  /** Milliseconds for which a relay stays although nothing is wanted of it any more. */
  readonly graceMs: number
}

export interface MirrorStatus {
  readonly relays: number
  /** Relays wanted beyond `maxRelays`. */
  readonly relaysLeftOut: number
  readonly chunks: number
}

/**
 * Makes what the relays are asked the same as what is wanted of them. What is confirmed and what is in flight are both
 * links: a chunk of values is one link per filter, with a coverage of its own that survives restarts, and the kernel
 * brings it up to date, live and by its history, as it does any other. So nothing here waits for a relay.
 */
export class Mirror {
  readonly #options: MirrorOptions
  /** Since when nothing was wanted of a relay; monotonic ms. */
  readonly #idleSince = new Map<string, number>()
  #status: MirrorStatus = { relays: 0, relaysLeftOut: 0, chunks: 0 }

  constructor(options: MirrorOptions) {
    this.#options = options
  }

  get status(): MirrorStatus {
    return this.#status
  }

  /**
   * Looks at the whole of what is wanted and carries out the difference; nothing to do is nothing written.
   *
   * @returns milliseconds until a relay has been idle for long enough to go; undefined when none is idle
   */
  async reconcile(wants: WantIndex): Promise<number | undefined> {
    const { directory, profile } = this.#options
    const held = new Map((await directory.relays(profile.name)).map((relay) => [relay.url, relay]))
    const { wanted, leftOut } = this.#chosen(wants.derive(), held)
    let chunks = 0
    for (const [url, want] of wanted) {
      this.#idleSince.delete(url)
      chunks += await this.#reconcileRelay(url, want, held.get(url))
    }
    const left = [...held.values()].filter(({ url }) => !wanted.has(url))
    const waits: number[] = []
    for (const relay of left) {
      const wait = await this.#release(relay)
      if (wait !== undefined) waits.push(wait)
    }
    this.#status = { relays: wanted.size + waits.length, relaysLeftOut: leftOut, chunks }
    return waits.length === 0 ? undefined : Math.min(...waits)
  }

  /** Of more relays than may be: those that are mirrored already, then those wanted for the most. */
  #chosen(
    all: Map<string, Want>,
    held: ReadonlyMap<string, MirrorRelay>,
  ): { readonly wanted: ReadonlyMap<string, Want>; readonly leftOut: number } {
    const { bootstrap, maxRelays, profile, log } = this.#options
    const perPeer = new Map(
      profile.layers.filter(({ per }) => per === 'peer').map(({ name }) => [name, new Set([''])]),
    )
    for (const url of bootstrap) all.set(url, new Map([...perPeer, ...(all.get(url) ?? [])]))
    if (all.size <= maxRelays) return { wanted: all, leftOut: 0 }
    const rank = (url: string) => (bootstrap.includes(url) ? 2 : held.has(url) ? 1 : 0)
    const size = (want: Want) => [...want.values()].reduce((sum, values) => sum + values.size, 0)
    const sorted = [...all].sort(
      ([a, ofA], [b, ofB]) => rank(b) - rank(a) || size(ofB) - size(ofA) || (a < b ? -1 : 1),
    )
    const leftOut = all.size - maxRelays
    log.warn('more relays are named than may be mirrored', { profile: profile.name, leftOut, maxRelays })
    return { wanted: new Map(sorted.slice(0, maxRelays)), leftOut }
  }

  /** @returns how many chunks the relay is asked then */
  async #reconcileRelay(url: string, want: Want, relay: MirrorRelay | undefined): Promise<number> {
    const { directory, profile, chunkSize, bootstrap } = this.#options
    const held = relay?.chunks ?? []
    const chunkBytes = Math.min(this.#options.chunkBytes, relay?.maxFilterBytes ?? Number.POSITIVE_INFINITY)
    const maxChunks = relay?.maxChunks ?? Number.POSITIVE_INFINITY
    const { add, drop } = planChunks(want, held, { chunkSize, chunkBytes, maxChunks })
    if (add.length === 0 && drop.length === 0) return held.length
    await directory.change(profile, {
      url,
      isBootstrap: bootstrap.includes(url),
      add,
      drop,
    })
    return held.length - drop.length + add.length
  }

  /** What a relay is no longer wanted for it is asked no more, at once; the relay itself goes when it stays that way. */
  async #release({ url, chunks }: MirrorRelay): Promise<number | undefined> {
    const { directory, profile, clock, graceMs } = this.#options
    if (chunks.length > 0) await directory.change(profile, { url, isBootstrap: false, add: [], drop: chunks })
    const now = clock.monotonic()
    const since = this.#idleSince.get(url) ?? now
    this.#idleSince.set(url, since)
    const wait = since + graceMs - now
    if (wait > 0) return wait
    this.#idleSince.delete(url)
    await directory.remove(profile.name, url)
    return undefined
  }
}
