import { lookup } from 'node:dns/promises'
import { resolve } from 'node:path'
import type { Config } from '../config/schema.ts'
import type { Clock } from '../kernel/clock.ts'
import type { Logger } from '../kernel/logger.ts'
import type { EventHold } from '../planes/events/event-hold.ts'
import type { EventStore } from '../planes/events/event-store.ts'
import { GitCommand, gitProblem } from '../planes/events/git/git-command.ts'
import { GitDataSync } from '../planes/events/git/git-data.ts'
import type { KeptRepositories } from '../planes/events/grasp/kept-repositories.ts'
import { serviceOf } from '../planes/events/proactive/peer-url.ts'
import type { SqliteTx } from '../stores/sqlite/sqlite-tx.ts'
import { isPublicAddress } from '../transports/public-address.ts'

export interface GitDataParts {
  readonly config: Pick<Config, 'gitDir' | 'gitMaxMegabytes' | 'proactive' | 'publicUrls'>
  readonly domain: string
  readonly kept: KeptRepositories
  readonly events: EventStore<SqliteTx>
  readonly hold: EventHold<SqliteTx>
  readonly clock: Clock
  readonly log: Logger
}

/** Undefined where the configuration names no folder; why not, in words, where this machine cannot do it. */
export async function openGitData(parts: GitDataParts): Promise<GitDataSync | string | undefined> {
  const { config, domain, kept, events, hold, clock, log } = parts
  const { gitDir, gitMaxMegabytes, proactive, publicUrls } = config
  if (gitDir === undefined) return undefined
  const git = new GitCommand(clock)
  const problem = await gitProblem(git, new AbortController().signal)
  if (problem !== undefined) {
    log.warn('only events are synced, no git data', { reason: problem })
    return problem
  }
  const ours = new Set([`wss://${domain}`, ...publicUrls].map(serviceOf))
  return await GitDataSync.open({
    root: resolve(gitDir),
    kept,
    store: events,
    hold,
    git,
    addresses: {
      resolve: async (host) => (await lookup(host, { all: true })).map(({ address }) => address),
      isAllowed: (address) => proactive.privateAddresses || isPublicAddress(address),
    },
    isOurs: (url) => ours.has(serviceOf(url)),
    maxBytes: gitMaxMegabytes * 1024 * 1024,
    clock,
    log,
  })
}
