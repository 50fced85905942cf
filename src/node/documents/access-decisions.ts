import {
  DocumentError,
  formatPermission,
  parsePermission,
  parsePublicKey,
  type StoredAccessRequest,
} from '../../planes/documents/index.ts'
import type { DatabaseDirectory } from './database-directory.ts'
import { timeOf } from './database-views.ts'
import type { AccessRequestView, GrantWish, RequestStatus } from './documents-control.ts'
import type { OpenDocuments } from './open-documents.ts'
import { permissionIn } from './permission-words.ts'

/** Who may do what in the databases that this node administers. */
export class AccessDecisions {
  readonly #documents: OpenDocuments
  readonly #directory: DatabaseDirectory

  constructor(documents: OpenDocuments, directory: DatabaseDirectory) {
    this.#documents = documents
    this.#directory = directory
  }

  async requests(status: RequestStatus | undefined): Promise<readonly AccessRequestView[]> {
    const views: AccessRequestView[] = []
    for (const request of this.#documents.sync.access.list(status)) views.push(await this.#view(request))
    return views
  }

  /** Throws as `AccessDesk.approve`, and `document/bad-value` for what is no permission. */
  async approve(id: string, permission: string | undefined): Promise<AccessRequestView> {
    const { sync, instance } = this.#documents
    const granted = permission === undefined ? undefined : permissionIn(permission)
    return this.#view(await sync.access.approve(id, instance.device, granted))
  }

  async reject(id: string): Promise<AccessRequestView> {
    const { sync, instance } = this.#documents
    return this.#view(await sync.access.reject(id, instance.device))
  }

  async grant({ database, key, permission, name }: GrantWish): Promise<void> {
    const opened = await this.#directory.open(database)
    const grant = { permission: permissionIn(permission), status: 'active' as const }
    await opened.transact(async (tx) => {
      const settings = await tx.settings()
      if (key === 'everybody') return settings.setGlobal(grant)
      const known = parsePublicKey(key)
      const called = name ?? settings.auth.keys.get(known)?.name
      settings.setKey(known, called === undefined ? grant : { ...grant, name: called })
    })
  }

  async revoke(database: string, key: string): Promise<void> {
    const { instance } = this.#documents
    if (key === instance.id)
      throw new DocumentError(
        'document/permission-denied',
        'this node would shut itself out: the key is its own',
      )
    const opened = await this.#directory.open(database)
    await opened.transact(async (tx) => {
      const settings = await tx.settings()
      if (key !== 'everybody') return settings.revokeKey(parsePublicKey(key))
      const { global } = settings.auth
      if (global === undefined)
        throw new DocumentError('document/not-found', 'everybody was granted nothing in this database')
      settings.setGlobal({ ...global, status: 'revoked' })
    })
  }

  async #view(request: StoredAccessRequest): Promise<AccessRequestView> {
    const { id, tree, key, name, permission, metadata, requestedAt, status, decision } = request
    const granted = decision?.permission
    return {
      id,
      database: tree,
      database_name: await this.#directory.nameOf(tree),
      key,
      name,
      permission,
      message: metadata === undefined ? null : Buffer.from(metadata, 'base64').toString('utf8'),
      asked_at: timeOf(requestedAt),
      status,
      decided_at: decision === undefined ? null : timeOf(decision.at),
      granted: granted === undefined ? null : formatPermission(parsePermission(granted)),
    }
  }
}
