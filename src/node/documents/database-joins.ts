import {
  covers,
  type DatabaseId,
  type DatabaseTicket,
  DocumentError,
  formatPermission,
  type Permission,
  type PublicKey,
  parseTicket,
  syncOnCommit,
} from '../../planes/documents/index.ts'
import type { AwaitedDatabase } from './awaited-databases.ts'
import type { DatabaseDirectory } from './database-directory.ts'
import type { DatabaseViews } from './database-views.ts'
import type { DocumentsProgress, JoinReport, JoinWish, Waiting } from './documents-control.ts'
import type { OpenDocuments } from './open-documents.ts'
import { permissionIn } from './permission-words.ts'

/** How often it is looked whether a request was decided, milliseconds: nobody tells us. */
const askAgainMs = 1_000
/** Limits of the protocol. */
const maxMessageBytes = 4_096
const maxNameLength = 128

interface Join extends Waiting {
  readonly ticket: DatabaseTicket
  readonly wish: JoinWish
}

/** Brings databases of others here. */
export class DatabaseJoins {
  readonly #documents: OpenDocuments
  readonly #directory: DatabaseDirectory
  readonly #views: DatabaseViews

  constructor(documents: OpenDocuments, directory: DatabaseDirectory, views: DatabaseViews) {
    this.#documents = documents
    this.#directory = directory
    this.#views = views
  }

  /** @throws DocumentError `document/bad-ticket`, `document/bad-value`, and as `Sync.syncTree` does */
  async join(wish: JoinWish, { signal, onProgress }: Waiting = {}): Promise<JoinReport> {
    const ticket = parseTicket(wish.ticket)
    if (ticket.peer === this.#documents.instance.id)
      throw new DocumentError(
        'document/bad-ticket',
        'this ticket is of this node itself: the database is here',
      )
    if (ticket.addresses.length === 0)
      throw new DocumentError(
        'document/bad-ticket',
        'the ticket has no addresses: whoever made it takes no connections; ask for one made by a node that does',
      )
    const join = { ticket, wish, signal, onProgress }
    this.#tell(join, 'connecting')
    const before = this.#documents.awaited.get(ticket.database)
    // Who only waits, waits for what was asked for before.
    const wanted = wish.permission ?? (wish.wait === true ? before?.permission : undefined)
    if (wanted === undefined) return await this.#fetch(join, undefined)
    return await this.#ask(join, permissionIn(wanted), before)
  }

  async #ask(join: Join, permission: Permission, before: AwaitedDatabase | undefined): Promise<JoinReport> {
    const { ticket, wish, signal } = join
    const { sync, instance, awaited, clock } = this.#documents
    const name = wish.name ?? before?.name ?? 'a Syncline node'
    if (name.trim() === '' || name.length > maxNameLength)
      throw new DocumentError('document/bad-value', `a name has 1 to ${maxNameLength} characters`)
    const message = wish.message ?? before?.message
    const metadata = message === undefined ? undefined : Buffer.from(message)
    if (metadata !== undefined && metadata.length > maxMessageBytes)
      throw new DocumentError('document/bad-value', `a message has at most ${maxMessageBytes} bytes`)
    const asked = { key: instance.device, name, permission, ...(metadata && { metadata }) }
    const answer = await sync.requestAccess(ticket, asked, signal)
    // The device's key is shown anyway.
    sync.setAccessKey(ticket.database, undefined)
    const { peer } = answer
    // Before anything comes: a node that is killed goes on by itself.
    await this.#keep(ticket.database, peer)
    if (answer.status === 'granted') return await this.#fetch(join, peer)
    const { request } = answer
    const { database } = ticket
    const said = { name, ...(message !== undefined && { message }) }
    const at = clock.now()
    await awaited.set({ database, permission: formatPermission(permission), peer, request, at, ...said })
    if (wish.wait !== true) return await this.#report('pending', database, peer)
    await this.#untilGranted(join, peer, permission)
    return await this.#report('joined', database, peer)
  }

  /** Until the database is here and the node may do in it what it asked for. */
  async #untilGranted(join: Join, peer: PublicKey, permission: Permission): Promise<void> {
    const { ticket, signal } = join
    const { sync, awaited, clock } = this.#documents
    const { database } = ticket
    for (;;) {
      this.#tell(join, 'waiting for a decision')
      await sync.syncTree(peer, database, signal).catch((error: unknown) => {
        if (!isPassing(error)) throw error
      })
      const found = await this.#granted(database)
      if (found !== undefined && covers(found, permission)) break
      await clock.sleep(askAgainMs, signal)
    }
    await awaited.delete(database)
  }

  async #granted(database: DatabaseId): Promise<Permission | undefined> {
    if (!(await this.#directory.isHere(database))) return undefined
    return this.#directory.permission(await this.#documents.instance.database(database))
  }

  async #fetch(join: Join, known: PublicKey | undefined): Promise<JoinReport> {
    const { ticket, signal, onProgress } = join
    const { sync, awaited } = this.#documents
    const { database } = ticket
    using _telling = this.#tellEntries(database, onProgress)
    const peer = known ?? (await sync.syncWithTicket(ticket, signal).catch(advise)).peer
    if (known !== undefined) await sync.syncTree(known, database, signal)
    await this.#keep(database, peer)
    await awaited.delete(database)
    return await this.#report('joined', database, peer)
  }

  /** In step from now on, whatever happens to this attempt. */
  async #keep(database: DatabaseId, peer: PublicKey): Promise<void> {
    const { sync } = this.#documents
    await sync.peers.relate(peer, database)
    if (!(await sync.syncSettings(database)).syncEnabled) await sync.setSyncSettings(database, syncOnCommit)
  }

  async #report(status: JoinReport['status'], database: DatabaseId, peer: PublicKey): Promise<JoinReport> {
    const { name, entries, permission } = await this.#views.summary(database)
    const request = status === 'joined' ? null : (this.#documents.awaited.get(database)?.request ?? null)
    return { status, database, name, peer, entries, permission, request }
  }

  #tell({ onProgress }: Join, step: DocumentsProgress['step'], entries = 0): void {
    onProgress?.({ step, entries })
  }

  /** Tells what has arrived after every write, until disposed. */
  #tellEntries(id: DatabaseId, onProgress: Waiting['onProgress']): Disposable {
    const { instance } = this.#documents
    return instance.onWrite(async ({ database }) => {
      if (database !== id || onProgress === undefined) return
      onProgress({ step: 'syncing', entries: await instance.read((view) => view.count(id)) })
    })
  }
}

/** What may be over the next time. */
function isPassing(error: unknown): boolean {
  if (!(error instanceof DocumentError)) return false
  const codes: readonly string[] = [
    'document/peer-denied',
    'document/unreachable',
    'document/sync-incomplete',
  ]
  return codes.includes(error.code)
}

function advise(error: unknown): never {
  if (!(error instanceof DocumentError) || error.code !== 'document/peer-denied') throw error
  const message =
    "this node's key may not read the database; ask for access with --permission read, write or admin"
  throw new DocumentError(error.code, message, { cause: error })
}
