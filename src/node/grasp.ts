import type { Config } from '../config/schema.ts'
import type { Clock } from '../kernel/clock.ts'
import type { Logger } from '../kernel/logger.ts'
import { SyncError } from '../kernel/sync-error.ts'
import { createSqliteEventHold } from '../planes/events/event-hold.sqlite.ts'
import type { EventHold } from '../planes/events/event-hold.ts'
import type { EventStore } from '../planes/events/event-store.ts'
import type { GitDataSync } from '../planes/events/git/git-data.ts'
import { KeptRepositories } from '../planes/events/grasp/kept-repositories.ts'
import { RepositoryPolicy } from '../planes/events/grasp/repository-policy.ts'
import type { SqliteStore } from '../stores/sqlite/sqlite-store.ts'
import type { SqliteTx } from '../stores/sqlite/sqlite-tx.ts'
import { openGitData } from './git-data.ts'

export interface GraspParts {
  readonly config: Pick<Config, 'proactive' | 'grasp' | 'gitDir' | 'gitMaxMegabytes' | 'publicUrls'>
  readonly store: SqliteStore
  readonly events: EventStore<SqliteTx>
  readonly clock: Clock
  readonly log: Logger
}

/** What a service for git repositories adds to the rules of a relay. */
export interface Grasp {
  readonly rules: RepositoryPolicy
  readonly hold: EventHold<SqliteTx>
  /** Git data, or why it is not kept; undefined where nobody asked for it. */
  readonly git: GitDataSync | string | undefined
}

const maxHeldBytes = 64 * 1024 * 1024
const maxHeldPerAuthor = 2_000
/** How long what was given up is not fetched again (specs proactive §8.11). */
const coldSeconds = 7 * 86_400
const maxCold = 200_000

/**
 * Undefined where the node is no such service.
 *
 * @throws SyncError `config/invalid` for archive settings that contradict each other
 */
export async function openGrasp(parts: GraspParts): Promise<Grasp | undefined> {
  const { config, store, events, clock } = parts
  const { grasp, proactive } = config
  if (proactive.domain === undefined || grasp.policy === 'open') {
    if (config.gitDir === undefined) return undefined
    const message = 'gitDir: git data is kept with proactive.domain and grasp.policy strict only'
    throw new SyncError('config/invalid', message)
  }
  const archive = {
    all: grasp.archiveAll,
    list: grasp.archive,
    services: grasp.archiveServices,
    readOnly: grasp.archiveReadOnly,
  }
  const archives = archive.all || archive.list.length > 0 || archive.services.length > 0
  if (archive.readOnly && !archives)
    throw refused('archiveReadOnly keeps nothing where no archive setting selects anything')
  if (archive.readOnly && grasp.allow.length > 0)
    throw refused('allow means nothing with archiveReadOnly: what lists this service is not kept')
  if (archive.all && (archive.list.length > 0 || archive.services.length > 0))
    throw refused('archiveAll keeps everything; take archive and archiveServices out')
  const bounds = {
    maxEvents: grasp.maxHeld,
    maxBytes: maxHeldBytes,
    maxPerAuthor: maxHeldPerAuthor,
    coldSeconds,
    maxCold,
  }
  const { domain } = proactive
  const rules = { store: events, domain, archive, repositoryAllow: grasp.allow, repositoryDeny: grasp.deny }
  const hold = await createSqliteEventHold({ store, clock, bounds })
  const git = await openGitData({ ...parts, domain, hold, kept: new KeptRepositories(rules) })
  return {
    hold,
    git,
    rules: new RepositoryPolicy({
      ...rules,
      authorDeny: new Set(grasp.denyAuthors),
      holdSeconds: grasp.holdSeconds,
      gitData: typeof git === 'string' ? undefined : git,
    }),
  }
}

function refused(message: string): SyncError {
  return new SyncError('config/invalid', `grasp: ${message}`)
}
