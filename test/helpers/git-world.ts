import { join } from 'node:path'
import { type Clock, systemClock } from '../../src/kernel/clock.ts'
import { silentLogger } from '../../src/kernel/logger.ts'
import type { NostrEvent } from '../../src/planes/events/event.ts'
import { createSqliteEventHold } from '../../src/planes/events/event-hold.sqlite.ts'
import { createSqliteEventStore } from '../../src/planes/events/event-store.sqlite.ts'
import { GitDataSync } from '../../src/planes/events/git/git-data.ts'
import { repositoryPath } from '../../src/planes/events/git/repository-set.ts'
import { npubOf } from '../../src/planes/events/grasp/announcement.ts'
import { KeptRepositories } from '../../src/planes/events/grasp/kept-repositories.ts'
import { RepositoryPolicy } from '../../src/planes/events/grasp/repository-policy.ts'
import { HoldRelease } from '../../src/planes/events/hold-release.ts'
import { createIngest } from '../../src/planes/events/ingest.ts'
import { defaultLimits } from '../../src/planes/events/limits.ts'
import { createInlineVerifier } from '../../src/planes/events/verifier.inline.ts'
import { createWritePolicy } from '../../src/planes/events/write-policy.ts'
import { createSqliteStore } from '../../src/stores/sqlite/sqlite-store.ts'
import type { Author } from '../peers/author.ts'
import { temporaryFolder } from './temporary-folder.ts'

export const serviceDomain = 'git.example.org'

const bounds = { maxEvents: 1_000, maxBytes: 1e7, maxPerAuthor: 500, coldSeconds: 604_800, maxCold: 1_000 }

export interface GitWorldOptions {
  readonly clock?: Clock
  readonly maxBytes?: number
  readonly isOurs?: (url: string) => boolean
  readonly isAllowed?: (address: string) => boolean
}

/** A service that keeps git data: its own store, hold, policy and repositories. Nothing runs by itself until `start`. */
export async function gitWorld({
  clock = systemClock,
  maxBytes = 1e8,
  isOurs = (url) => url.includes(serviceDomain),
  isAllowed = () => true,
}: GitWorldOptions = {}) {
  await using opening = new AsyncDisposableStack()
  const folder = opening.use(await temporaryFolder())
  const log = silentLogger
  const store = opening.use(await createSqliteStore({ dir: folder.path }))
  const events = opening.use(
    await createSqliteEventStore({ store, clock, log, relayUrls: [], restrictedKinds: [] }),
  )
  const hold = await createSqliteEventHold({ store, clock, bounds })
  const archive = { all: false, list: [], services: [], readOnly: false }
  const rules = { store: events, domain: serviceDomain, archive, repositoryAllow: [], repositoryDeny: [] }
  const root = folder.join('git')
  const addresses = { resolve: () => Promise.resolve(['127.0.0.1']), isAllowed }
  const kept = new KeptRepositories(rules)
  const data = opening.use(
    await GitDataSync.open({ root, kept, store: events, hold, addresses, isOurs, maxBytes, clock, log }),
  )
  const repositories = new RepositoryPolicy({
    ...rules,
    authorDeny: new Set(),
    holdSeconds: 600,
    gitData: data,
  })
  const policy = createWritePolicy({ limits: defaultLimits, more: [repositories.policy] })
  const verifier = createInlineVerifier()
  const ingest = createIngest({ store: events, verifier, policy, limits: defaultLimits, clock, hold })
  const release = opening.use(new HoldRelease({ hold, store: events, ingest, clock, log, sweepMs: 60_000 }))
  opening.use(data.onReady((keys) => release.satisfy(keys)))
  const stack = opening.move()
  return {
    data,
    hold,
    events,
    root,
    folder,
    /** Where an owner's repository is. */
    path: (owner: Author, identifier = 'tool') =>
      repositoryPath(root, owner.pubkey, identifier) ?? join(root, 'none'),
    offer: async (event: NostrEvent, source: 'client' | 'sync' = 'sync') =>
      (await ingest.accept([JSON.stringify(event)], { source, remote: 'test' }))[0]!,
    stored: async (event: NostrEvent) => (await events.known([event.id])).size === 1,
    /** Resolves once the event is stored; woken by the store. */
    untilStored: async (event: NostrEvent) => {
      const came = Promise.withResolvers<void>()
      using _listener = events.onAccepted((accepted) => {
        if (accepted.some(({ id }) => id === event.id)) came.resolve()
      })
      if ((await events.known([event.id])).size === 0) await came.promise
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

/** A repository that lists the service, and these places to clone it from. */
export const announceGit = (
  owner: Author,
  clones: readonly string[],
  { d = 'tool', tags = [], at }: { d?: string; tags?: string[][]; at?: number } = {},
): NostrEvent =>
  owner.write({
    kind: 30_617,
    tags: [
      ['d', d],
      ['relays', `wss://${serviceDomain}`],
      ['clone', `https://${serviceDomain}/${npubOf(owner.pubkey)}/${encodeURIComponent(d)}.git`, ...clones],
      ...tags,
    ],
    ...(at !== undefined && { created_at: at }),
  })

/** What the refs of a repository are, as a maintainer signs it. */
export const signState = (
  author: Author,
  refs: Readonly<Record<string, string>>,
  { d = 'tool', at }: { d?: string; at?: number } = {},
): NostrEvent =>
  author.write({
    kind: 30_618,
    tags: [['d', d], ...Object.entries(refs)],
    ...(at !== undefined && { created_at: at }),
  })
