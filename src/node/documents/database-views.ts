import { type Database, type DatabaseId, formatPermission, type Sync } from '../../planes/documents/index.ts'
import type { DatabaseDirectory } from './database-directory.ts'
import type { DatabaseDetail, DatabaseSummary, KeyView, LinkView } from './documents-control.ts'
import type { OpenDocuments } from './open-documents.ts'

export const timeOf = (ms: number): string => new Date(ms).toISOString()

/** What is told of databases and of how they are with peers. */
export class DatabaseViews {
  readonly #documents: OpenDocuments
  readonly #directory: DatabaseDirectory

  constructor(documents: OpenDocuments, directory: DatabaseDirectory) {
    this.#documents = documents
    this.#directory = directory
  }

  async summaries(): Promise<readonly DatabaseSummary[]> {
    const here = await this.#directory.here()
    const awaited = this.#documents.awaited.values().map(({ database }) => database)
    const all: DatabaseSummary[] = []
    for (const id of new Set([...here, ...awaited])) all.push(await this.summary(id))
    return all
  }

  async summary(id: DatabaseId): Promise<DatabaseSummary> {
    const { instance, sync } = this.#documents
    const peers = sync.peers.peersOf(id).length
    const shared = (await sync.syncSettings(id)).syncEnabled
    const common = { id, shared, peers }
    if (!(await this.#directory.isHere(id)))
      return { ...common, name: null, state: 'awaited', entries: 0, permission: null }
    const database = await instance.database(id)
    return {
      ...common,
      name: await this.#directory.nameOf(id),
      state: 'here',
      entries: await database.count(),
      permission: await this.#permission(database),
    }
  }

  async detail(id: DatabaseId): Promise<DatabaseDetail> {
    const { instance, awaited } = this.#documents
    const common = { ...(await this.summary(id)), links: await this.links(id) }
    const wait = awaited.get(id)
    const asked =
      wait === undefined
        ? null
        : { permission: wait.permission, peer: wait.peer, request: wait.request, asked_at: timeOf(wait.at) }
    if (common.state === 'awaited')
      return {
        ...common,
        tips: [],
        held: 0,
        failed: 0,
        stores: [],
        keys: [],
        everybody: null,
        awaited: asked,
      }
    const database = await instance.database(id)
    const counts = await instance.read((view) => {
      return { held: view.heldCount(id), failed: view.heldCount(id, 'failed') }
    })
    const stores = await database.read(async (view) => {
      const index = await view.index()
      return index.list().map((name) => ({ name, type: index.get(name)!.type }))
    })
    const { keys, global } = await database.auth()
    const everybody = global?.status === 'active' ? formatPermission(global.permission) : null
    const shown = [...keys].map(([key, { permission, status, name }]): KeyView => {
      return {
        key,
        name: name ?? null,
        permission: formatPermission(permission),
        status,
        own: key === instance.id,
      }
    })
    const tips = await database.tips()
    return { ...common, tips, ...counts, stores, keys: shown, everybody, awaited: asked }
  }

  /** How databases are with the peers they are shared with; of one, or of all. */
  async links(id?: DatabaseId): Promise<LinkView[]> {
    const { sync } = this.#documents
    const planned = plannedTimes(sync, this.#documents.clock.now())
    const links: LinkView[] = []
    for (const { peer, tree } of sync.peers.relationships()) {
      if ((id !== undefined && tree !== id) || !(await sync.syncSettings(tree)).syncEnabled) continue
      const {
        inStep,
        lastSuccess,
        lastAttempt,
        lastError,
        lastErrorCode,
        successes,
        failures,
        received,
        sent,
      } = await sync.status(peer, tree)
      links.push({
        database: tree,
        peer,
        in_step: inStep,
        last_success_at: lastSuccess === undefined ? null : timeOf(lastSuccess),
        last_attempt_at: lastAttempt === undefined ? null : timeOf(lastAttempt),
        last_error: lastError ?? null,
        last_error_code: lastErrorCode ?? null,
        attempts: { succeeded: successes, failed: failures },
        received,
        sent,
        next_attempt_at: planned.get(`${peer}|${tree}`) ?? null,
      })
    }
    return links
  }

  async #permission(database: Database): Promise<string | null> {
    const permission = await this.#directory.permission(database)
    if (permission !== undefined) return formatPermission(permission)
    const { keys, global } = await database.auth()
    return keys.size === 0 && global?.status !== 'active' ? 'everything' : null
  }
}

function plannedTimes(sync: Sync, now: number): ReadonlyMap<string, string> {
  const times = sync.planned().map(({ peer, tree, inMs }) => {
    return [`${peer}|${tree}`, timeOf(now + Math.max(0, inMs))] as const
  })
  return new Map(times)
}
