import { systemClock } from '../../src/kernel/clock.ts'
import { type Logger, silentLogger } from '../../src/kernel/logger.ts'
import { type Bulk, createBulk } from '../../src/planes/events/bulk/bulk.ts'
import { createSqliteEventStore } from '../../src/planes/events/event-store.sqlite.ts'
import type { EventStore } from '../../src/planes/events/event-store.ts'
import type { Filter } from '../../src/planes/events/filter.ts'
import { HttpAuth } from '../../src/planes/events/http-auth.ts'
import { createIngest } from '../../src/planes/events/ingest.ts'
import { defaultLimits, type Limits } from '../../src/planes/events/limits.ts'
import { Acl } from '../../src/planes/events/policy/acl.ts'
import { openGrantTable } from '../../src/planes/events/policy/grant-table.sqlite.ts'
import { Moderation } from '../../src/planes/events/policy/moderation.ts'
import { openModerationTable } from '../../src/planes/events/policy/moderation-table.sqlite.ts'
import { ReadPolicy, type ReadRule } from '../../src/planes/events/policy/read-policy.ts'
import { writeByGrant } from '../../src/planes/events/policy/write-by-grant.ts'
import type { ManagementCall } from '../../src/planes/events/relay/management.ts'
import { createRelay, type Relay, type RelayOptions } from '../../src/planes/events/relay/relay.ts'
import { createWorkerVerifier } from '../../src/planes/events/verifier.workers.ts'
import { createWritePolicy } from '../../src/planes/events/write-policy.ts'
import { createSqliteStore } from '../../src/stores/sqlite/sqlite-store.ts'
import type { SqliteTx } from '../../src/stores/sqlite/sqlite-tx.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

export interface RealRelayOptions
  extends Pick<
    Partial<RelayOptions<SqliteTx>>,
    'clock' | 'challenge' | 'syncPage' | 'clientAddress' | 'relayUrls' | 'allowedOrigins' | 'compression'
  > {
  readonly restrictedKinds?: readonly number[]
  /** Read and written only by who was granted it: see `acl`. */
  readonly protectedFilters?: readonly Filter[]
  readonly readRules?: readonly ReadRule[]
  readonly readAccess?: 'open' | 'authenticated'
  /** Who may manage it by NIP-86; nobody: it is not served. */
  readonly admins?: readonly string[]
  readonly limits?: Partial<Limits>
  readonly log?: Logger
}

export interface RealRelay extends AsyncDisposable {
  readonly relay: Relay
  readonly store: EventStore<SqliteTx>
  readonly acl: Acl
  /** What was asked of the management interface. */
  readonly calls: readonly ManagementCall[]
  readonly bulk: Bulk
  readonly limits: Limits
  readonly url: string
}

/** A relay as a node runs it, on a free port of this machine and a SQLite file of its own. */
export async function realRelay(options: RealRelayOptions = {}): Promise<RealRelay> {
  await using opening = new AsyncDisposableStack()
  const folder = opening.use(await temporaryFolder())
  const {
    clock = systemClock,
    log = silentLogger,
    restrictedKinds = [1059],
    relayUrls = [],
    protectedFilters = [],
    readRules,
    readAccess,
    admins = [],
    ...rest
  } = options
  const limits: Limits = { ...defaultLimits, ...options.limits }
  const database = opening.use(await createSqliteStore({ dir: folder.path, clock: systemClock, log }))
  const store = opening.use(
    await createSqliteEventStore({ store: database, relayUrls, restrictedKinds, clock, log }),
  )
  const verifier = opening.use(createWorkerVerifier({ workers: 1 }))
  const acl = await Acl.open(await openGrantTable(database), protectedFilters)
  const moderation = await Moderation.open(await openModerationTable(database))
  const policy = createWritePolicy({ limits, more: [moderation.write, writeByGrant(acl)] })
  const ingest = createIngest({ store, verifier, policy, limits, clock, relayUrls })
  const readPolicy = new ReadPolicy({ restrictedKinds, access: readAccess, rules: readRules, acl })
  const info = { name: 'test relay', self: 'ab'.repeat(32), version: '1.2.3' }
  const isAllowed = (pubkey: string) => admins.includes(pubkey)
  const calls: ManagementCall[] = []
  const management = {
    auth: new HttpAuth({ verifier, limits, clock, isAllowed }),
    audit: async (call: ManagementCall) => void calls.push(call),
  }
  const relay = opening.use(
    createRelay({
      moderation,
      restrictsWrites: () => moderation.restrictsWrites,
      ...(admins.length > 0 ? { management } : {}),
      ...rest,
      store,
      ingest,
      verifier,
      limits,
      clock,
      log,
      readPolicy,
      relayUrls,
      info,
    }),
  )
  await relay.listen({ host: '127.0.0.1', port: 0 })
  const resources = opening.move()
  const bulk = createBulk({ store, ingest, limits, readPolicy })
  return {
    relay,
    store,
    acl,
    calls,
    bulk,
    limits,
    url: relay.url,
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}
