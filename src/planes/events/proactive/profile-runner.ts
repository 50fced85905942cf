import type { Clock } from '../../../kernel/clock.ts'
import type { Logger } from '../../../kernel/logger.ts'
import type { EventStore } from '../event-store.ts'
import { Discovery, type HeldDeclaration } from './discovery.ts'
import { Mirror, type MirrorStatus } from './mirror.ts'
import type { MirrorDirectory } from './mirror-directory.ts'
import type { Profile } from './profile.ts'
import type { LeftOut } from './want-index.ts'

export interface ProfileRunnerOptions {
  readonly profile: Profile
  readonly store: Pick<EventStore<unknown>, 'page' | 'onAccepted'>
  readonly directory: MirrorDirectory
  /** The one spelling of a relay that an event names; undefined for what is none, or is this node itself. */
  readonly canonical: (url: string) => string | undefined
  readonly held?: () => readonly HeldDeclaration[]
  readonly bootstrap: readonly string[]
  readonly maxRelays: number
  readonly windowMs: number
  readonly clock: Clock
  readonly log: Logger
}

export interface ProfileStatus extends MirrorStatus {
  readonly profile: string
  readonly subjects: number
  readonly leftOut: Readonly<LeftOut>
}

/** Values in one filter (specs proactive §11.3), and what fits into a message of the smallest relays in use. */
const chunkSize = 100
const chunkBytes = 14_000
/** How long a relay that nothing is wanted of is kept: an announcement is often followed by a corrected one. */
const graceMs = 60_000

/** One profile at work: what is accepted here decides what relays are asked. */
export class ProfileRunner implements AsyncDisposable {
  readonly #options: ProfileRunnerOptions
  readonly #mirror: Mirror
  readonly #stop = new AbortController()
  #discovery: Discovery | undefined
  #grace = new AbortController()

  private constructor(options: ProfileRunnerOptions) {
    this.#options = options
    const { profile, directory, clock, log, bootstrap, maxRelays } = options
    const bounds = { maxRelays, chunkSize, chunkBytes, graceMs }
    this.#mirror = new Mirror({ profile, directory, clock, log, bootstrap, ...bounds })
  }

  /** Resolves once the relays are asked what is wanted by all that is stored. */
  static async open(options: ProfileRunnerOptions): Promise<ProfileRunner> {
    const runner = new ProfileRunner(options)
    const { profile, store, canonical, held, windowMs, clock, log } = options
    runner.#discovery = await Discovery.open({
      profile,
      store,
      canonical,
      windowMs,
      clock,
      log,
      ...(held && { held }),
      onChange: async (wants) => {
        const wait = await runner.#mirror.reconcile(wants)
        if (wait !== undefined) runner.#lookAgain(wait)
      },
    })
    return runner
  }

  /** What is held has changed: looked at within one window. */
  notify(): void {
    this.#discovery?.notify()
  }

  get status(): ProfileStatus {
    const wants = this.#discovery?.wants
    const leftOut = wants?.leftOut ?? { peers: 0, badPeers: 0, subjects: 0, children: 0 }
    return {
      profile: this.#options.profile.name,
      ...this.#mirror.status,
      subjects: wants?.size ?? 0,
      leftOut,
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#discovery?.[Symbol.asyncDispose]()
  }

  /** A relay may have been idle for long enough by then, although nothing was accepted meanwhile. */
  #lookAgain(waitMs: number): void {
    this.#grace.abort()
    this.#grace = new AbortController()
    const signal = AbortSignal.any([this.#grace.signal, this.#stop.signal])
    this.#options.clock.sleep(waitMs, signal).then(
      () => this.#discovery?.touch(),
      () => {},
    )
  }
}
