import type { LinkId } from '../../kernel/link.ts'
import type { RunRecord } from '../../kernel/run.ts'
import { normalizeServer } from '../../planes/events/definition/normalize-server.ts'
import {
  type ControlFailure,
  type ControlOptions,
  dispatchModes,
  type Result,
  type ServerControl,
  type SyncNowOptions,
} from '../sync-control.ts'
import { failure, refusal } from './control-failure.ts'
import { checkOptions } from './definition-check.ts'
import type { ServerEntry } from './server-directory.ts'
import { serverStats, syncStats } from './server-runtime.ts'
import { managerOf, type Servers, type ServersParts } from './servers.ts'
import { syncHealth } from './sync-health.ts'

type ParrhesiaSide = Pick<
  ServerControl,
  | 'putServer'
  | 'getServer'
  | 'listServers'
  | 'removeServer'
  | 'startServer'
  | 'stopServer'
  | 'syncNow'
  | 'serverStats'
  | 'syncStats'
  | 'syncHealth'
>

/** The control plane by Parrhesia's names (spec events §2.1, §2.15, §2.16). */
export function createServerControl<Tx>(servers: Servers<Tx>, parts: ServersParts<Tx>): ParrhesiaSide {
  const { clock } = parts

  const control: ParrhesiaSide = {
    async putServer(server, options) {
      const manager = managerOf(options)
      if (typeof manager !== 'string') return manager
      const profile = 'strict'
      const checked = normalizeServer(server, { ...checkOptions(parts.selfUrls()), profile })
      return checked.ok
        ? servers.put({ manager, definition: checked.value, profile })
        : refusal(checked.details)
    },

    async getServer(id, options) {
      const found = await find(id, options)
      return found.ok ? { ok: true, value: servers.shown(found.value) } : found
    },

    async listServers(options) {
      const manager = managerOf(options)
      if (typeof manager !== 'string') return manager
      return { ok: true, value: (await servers.list(manager)).map((entry) => servers.shown(entry)) }
    },

    removeServer: (id, options) => withId(id, options, (manager) => servers.remove(manager, id)),
    startServer: (id, options) => withId(id, options, (manager) => servers.setState(manager, id, 'running')),
    stopServer: (id, options) => withId(id, options, (manager) => servers.setState(manager, id, 'stopped')),

    async syncNow(id, options = {}) {
      const wrong = wrongRange(options)
      if (wrong !== undefined) return wrong
      const started = await control.startServer(id, options)
      if (!started.ok) return started
      const found = await find(id, options)
      return found.ok ? syncNow(found.value, options) : found
    },

    async serverStats(id, options) {
      const server = await control.getServer(id, options)
      return server.ok ? { ok: true, value: serverStats(server.value) } : server
    },

    async syncStats(options) {
      const listed = await control.listServers(options)
      return listed.ok ? { ok: true, value: syncStats(listed.value) } : listed
    },

    async syncHealth(options) {
      const manager = managerOf(options)
      if (typeof manager !== 'string') return manager
      const entries = await servers.list(manager)
      return { ok: true, value: syncHealth(entries, await servers.quarantined(manager), clock.now()) }
    },
  }

  async function find(id: string, options?: ControlOptions): Promise<Result<ServerEntry>> {
    const manager = managerOf(options)
    if (typeof manager !== 'string') return manager
    if (typeof id !== 'string') return badId
    const entry = await servers.find(manager, id)
    if (entry === undefined) return failure('unknown_server', `there is no server ${id}`)
    return 'ok' in entry ? entry : { ok: true, value: entry }
  }

  /** A part of time is looked at again by taking it out of what is covered. */
  async function syncNow({ links }: ServerEntry, options: SyncNowOptions): Promise<Result<null>> {
    const { since, until, mode, wait } = options
    const again = since !== undefined || until !== undefined
    if (again) {
      const ids = links.map(({ link }) => link.id)
      // A running attempt would save the coverage it began with once more.
      await servers.cancel(ids)
      await parts.directory.uncover(ids, [since ?? 0, until ?? Number.MAX_SAFE_INTEGER])
    }
    const word = mode ?? (again ? 'backfill' : 'sync')
    const asked = links.map(async ({ link }) => {
      const result = await parts.scheduler.trigger(link.id, word)
      if (wait === true && result.kind !== 'refused') await caughtUp(link.id, result.finished)
    })
    await Promise.all(asked)
    return done
  }

  /** Until the attempt ended, or did all it was asked and is live. */
  async function caughtUp(id: LinkId, finished: Promise<unknown>): Promise<void> {
    const since = clock.now()
    const { promise, resolve } = Promise.withResolvers<void>()
    const check = (run: RunRecord | undefined) => {
      if (run?.progress?.phase === 'live' && (run.caughtUpAt ?? 0) >= since) resolve()
    }
    using _listening = parts.scheduler.onUpdate(({ link, run }) => {
      if (link.id === id) check(run)
    })
    check(parts.scheduler.running(id))
    finished.then(() => resolve(), resolve)
    await promise
  }

  return control
}

const done = { ok: true, value: null } as const
const badId = failure('invalid_server_id', 'the id of a server is a text')

async function withId(
  id: unknown,
  options: ControlOptions | undefined,
  work: (manager: string) => Promise<Result<null>>,
): Promise<Result<null>> {
  const manager = managerOf(options)
  if (typeof manager !== 'string') return manager
  return typeof id === 'string' ? work(manager) : badId
}

function wrongRange({ mode, since, until }: SyncNowOptions): ControlFailure | undefined {
  if (mode !== undefined && !dispatchModes.includes(mode))
    return failure('invalid_mode', `mode must be one of ${dispatchModes.join(', ')}`)
  const isSecond = (value: number | undefined) =>
    value === undefined || (Number.isSafeInteger(value) && value >= 0)
  if (isSecond(since) && isSecond(until) && (since ?? 0) <= (until ?? Number.MAX_SAFE_INTEGER))
    return undefined
  return failure('invalid_range', 'since and until are seconds from 0, and since is not after until')
}
