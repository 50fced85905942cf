import type { Config } from '../config/schema.ts'
import type { Clock } from '../kernel/clock.ts'
import type { Logger } from '../kernel/logger.ts'
import type { Scheduler } from '../kernel/scheduler.ts'
import type { Store } from '../kernel/store.ts'
import { SyncError } from '../kernel/sync-error.ts'
import type { EventStore } from '../planes/events/event-store.ts'
import { gitProfile } from '../planes/events/proactive/git-profile.ts'
import { outboxProfile } from '../planes/events/proactive/outbox-profile.ts'
import { peerUrl, serviceOf } from '../planes/events/proactive/peer-url.ts'
import type { Profile } from '../planes/events/proactive/profile.ts'
import { ProfileRunner, type ProfileStatus } from '../planes/events/proactive/profile-runner.ts'
import { MirroredRelays } from './mirrored-relays.ts'

export interface ProactiveSyncOptions<Tx> {
  readonly config: Config['proactive']
  readonly store: Store<Tx>
  readonly events: EventStore<Tx>
  readonly scheduler: Scheduler<Tx>
  /** Addresses of this node: whatever names them is not another relay. */
  readonly selfUrls: () => readonly string[]
  readonly clock: Clock
  readonly log: Logger
}

/** Every profile the configuration asks for, at work. */
export class ProactiveSync implements AsyncDisposable {
  readonly #runners: readonly ProfileRunner[]
  readonly #resources: AsyncDisposableStack

  private constructor(runners: readonly ProfileRunner[], resources: AsyncDisposableStack) {
    this.#runners = runners
    this.#resources = resources
  }

  static async open<Tx>(options: ProactiveSyncOptions<Tx>): Promise<ProactiveSync> {
    const { config, store, events, scheduler, clock, log, selfUrls } = options
    await using opening = new AsyncDisposableStack()
    const directory = new MirroredRelays({
      store,
      privateAddresses: config.privateAddresses,
      cancel: ({ id }) => scheduler.cancel(id),
      wake: (peer) => scheduler.wake(peer),
    })
    const canonical = (text: string) => {
      const url = peerUrl(text, config.privateAddresses)
      return url === undefined || isOurs(url, config.domain, selfUrls()) ? undefined : url
    }
    const bootstrap = config.bootstrapRelays.map((text) => {
      const url = peerUrl(text, true)
      if (url !== undefined) return url
      throw new SyncError('config/invalid', `proactive.bootstrapRelays: "${text}" is no relay URL`)
    })
    const { maxRelays } = config
    const common = {
      store: events,
      directory,
      canonical,
      maxRelays,
      windowMs: config.batchWindowMs,
      clock,
      log,
    }
    const runners: ProfileRunner[] = []
    for (const profile of profilesOf(config))
      runners.push(
        opening.use(
          await ProfileRunner.open({
            ...common,
            profile,
            bootstrap: profile.layers.some(({ per }) => per === 'peer') ? bootstrap : [],
          }),
        ),
      )
    return new ProactiveSync(runners, opening.move())
  }

  status(): readonly ProfileStatus[] {
    return this.#runners.map(({ status }) => status)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources[Symbol.asyncDispose]()
  }
}

function profilesOf({ domain, outboxAuthors, outboxKinds }: Config['proactive']): readonly Profile[] {
  const outbox = new Set(outboxAuthors)
  return [
    ...(domain === undefined ? [] : [gitProfile]),
    ...(outbox.size === 0 ? [] : [outboxProfile(outbox, outboxKinds.length === 0 ? undefined : outboxKinds)]),
  ]
}

/** By host and port, exactly: a name that merely holds ours is somebody else's. */
function isOurs(url: string, domain: string | undefined, selfUrls: readonly string[]): boolean {
  const service = serviceOf(url)
  const mine = [...(domain === undefined ? [] : [`wss://${domain}`]), ...selfUrls].map(serviceOf)
  return mine.includes(service)
}
