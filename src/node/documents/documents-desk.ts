import {
  type DatabaseId,
  DocumentError,
  formatAddress,
  formatTicket,
  parsePublicKey,
  syncOnCommit,
} from '../../planes/documents/index.ts'
import { AccessDecisions } from './access-decisions.ts'
import { DatabaseDirectory } from './database-directory.ts'
import { DatabaseJoins } from './database-joins.ts'
import { DatabaseViews, timeOf } from './database-views.ts'
import type {
  AttemptView,
  DatabaseDetail,
  DocumentsControl,
  HistoryWish,
  IssuedTicket,
  PeerView,
  StorePlace,
} from './documents-control.ts'
import type { OpenDocuments } from './open-documents.ts'
import { isLocal } from './public-addresses.ts'
import { readValue, removeValue, writeValue } from './store-values.ts'
import { syncNow } from './sync-now.ts'

const maxNameLength = 200

/** Everything that can be asked of documents that are open. */
export class DocumentsDesk implements DocumentsControl {
  readonly views: DatabaseViews
  readonly directory: DatabaseDirectory
  readonly #documents: OpenDocuments
  readonly #joins: DatabaseJoins
  readonly #access: AccessDecisions

  constructor(documents: OpenDocuments) {
    this.#documents = documents
    this.directory = new DatabaseDirectory(documents)
    this.views = new DatabaseViews(documents, this.directory)
    this.#joins = new DatabaseJoins(documents, this.directory, this.views)
    this.#access = new AccessDecisions(documents, this.directory)
  }

  async create({ name }: { readonly name: string }): Promise<DatabaseDetail> {
    if (name.trim() === '' || name.length > maxNameLength)
      throw new DocumentError(
        'document/bad-value',
        `a database is called by 1 to ${maxNameLength} characters`,
      )
    const { instance } = this.#documents
    const database = await instance.createDatabase({ key: instance.device, name })
    return this.views.detail(database.id)
  }

  list() {
    return this.views.summaries()
  }

  async show(database: string) {
    return this.views.detail(await this.directory.find(database))
  }

  async read(place: StorePlace) {
    return readValue(await this.directory.open(place.database), place)
  }

  async write(place: StorePlace & { readonly path: string; readonly value: unknown }) {
    return writeValue(await this.directory.open(place.database), place)
  }

  async remove(place: StorePlace & { readonly path: string }) {
    return removeValue(await this.directory.open(place.database), place)
  }

  async share({ database, everySeconds }: Parameters<DocumentsControl['share']>[0]) {
    const { sync } = this.#documents
    const { id } = await this.directory.open(database)
    const known = await sync.syncSettings(id)
    const intervalSeconds = everySeconds ?? known.intervalSeconds
    const interval = intervalSeconds === undefined ? {} : { intervalSeconds }
    await sync.setSyncSettings(id, { ...syncOnCommit, ...interval })
    return this.views.detail(id)
  }

  async unshare(database: string) {
    const { sync, awaited } = this.#documents
    const id = await this.directory.find(database)
    await sync.setSyncSettings(id, undefined)
    await awaited.delete(id)
  }

  async ticket(database: string): Promise<IssuedTicket> {
    const { sync } = this.#documents
    const addresses = sync.addresses()
    if (addresses.length === 0)
      throw new DocumentError(
        'document/transport',
        'nobody can connect to this node for documents, so a ticket would lead nowhere: run it with "syncline up --documents"',
      )
    const { id } = await this.directory.open(database)
    if (!(await sync.syncSettings(id)).syncEnabled) await sync.setSyncSettings(id, syncOnCommit)
    return {
      database: id,
      ticket: formatTicket(sync.createTicket(id)),
      addresses: addresses.map(formatAddress),
      local: addresses.every(isLocal),
    }
  }

  join(...args: Parameters<DocumentsControl['join']>) {
    return this.#joins.join(...args)
  }

  sync(...[wish, waiting = {}]: Parameters<DocumentsControl['sync']>) {
    return syncNow(this.#documents, this.directory, wish, waiting)
  }

  requests(...[status]: Parameters<DocumentsControl['requests']>) {
    return this.#access.requests(status)
  }

  approve({ request, permission }: Parameters<DocumentsControl['approve']>[0]) {
    return this.#access.approve(request, permission)
  }

  reject(request: string) {
    return this.#access.reject(request)
  }

  async grant(wish: Parameters<DocumentsControl['grant']>[0]) {
    await this.#access.grant(wish)
    return this.show(wish.database)
  }

  async revoke({ database, key }: Parameters<DocumentsControl['revoke']>[0]) {
    await this.#access.revoke(database, key)
    return this.show(database)
  }

  async peers(): Promise<readonly PeerView[]> {
    const { sync } = this.#documents
    const views: PeerView[] = []
    for (const { key, display_name, addresses, first_seen } of sync.peers.peers()) {
      const databases = sync.peers.treesOf(key)
      views.push({
        key,
        name: display_name ?? (await this.#nameIn(databases, key)),
        addresses: addresses.map(formatAddress),
        databases,
        first_seen_at: timeOf(first_seen),
      })
    }
    return views
  }

  removePeer(key: string) {
    return this.#documents.sync.peers.remove(parsePublicKey(key))
  }

  async history({ database, peer, limit }: HistoryWish): Promise<readonly AttemptView[]> {
    const { sync } = this.#documents
    const tree = database === undefined ? undefined : await this.directory.find(database)
    const peers = peer === undefined ? sync.peers.peers().map(({ key }) => key) : [parsePublicKey(peer)]
    const views: AttemptView[] = []
    for (const each of peers)
      for (const attempt of await sync.history(each)) {
        if (tree !== undefined && attempt.tree !== tree) continue
        const { startedAt, durationMs, received, sent, bytes, requests, error } = attempt
        const moved = { received, sent, bytes, requests, error: error ?? null }
        const times = { started_at: timeOf(startedAt), duration_ms: durationMs }
        views.push({ peer: each, database: attempt.tree, ...times, ...moved })
      }
    return views.sort((a, b) => (a.started_at < b.started_at ? 1 : -1)).slice(0, limit)
  }

  /** What a database calls a peer that it lets in. */
  async #nameIn(databases: readonly DatabaseId[], key: string): Promise<string | null> {
    for (const id of databases) {
      if (!(await this.directory.isHere(id))) continue
      const { keys } = await (await this.#documents.instance.database(id)).auth()
      const grant = [...keys].find(([known]) => known === key)?.[1]
      if (grant?.name !== undefined) return grant.name
    }
    return null
  }
}
