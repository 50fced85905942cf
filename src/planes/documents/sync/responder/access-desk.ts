import { randomUUID } from 'node:crypto'
import { formatPermission, maxPriority, type Permission, parsePermission } from '../../auth/permission.ts'
import type { Database } from '../../database.ts'
import { DocumentError } from '../../document-error.ts'
import type { KeyPair } from '../../entry/key-pair.ts'
import type { Instance } from '../../instance.ts'
import { isAllowed } from '../access.ts'
import type { AccessRecord, AccessRecords } from '../records/access-requests.ts'
import type { Requester } from '../wire/envelope.ts'
import type { AccessRequest } from '../wire/request.ts'
import type { ResponseOf } from '../wire/response.ts'
import { WireRefusal } from './wire-refusal.ts'

export interface StoredAccessRequest extends AccessRecord {
  readonly id: string
}

/** Decides by itself who is let in. */
export interface AccessPolicy {
  /** Grants in the name of this key, which has to be an admin of the database. */
  readonly approver: KeyPair
  /** The permission to grant, which need not be the one asked for; undefined: a person decides. */
  decide(request: StoredAccessRequest): Permission | undefined | Promise<Permission | undefined>
}

export interface AccessDeskOptions {
  readonly instance: Instance
  readonly records: AccessRecords
  readonly now: () => number
  readonly policy?: AccessPolicy | undefined
  readonly limits?: AccessLimits | undefined
}

export interface AccessLimits {
  /** Undecided requests of all. */
  readonly pending: number
  /** Undecided requests of one key. */
  readonly pendingPerKey: number
}

const weakestAdmin: Permission = { type: 'admin', priority: maxPriority }

const defaultLimits: AccessLimits = { pending: 1_000, pendingPerKey: 16 }

/** Takes requests for access, and decides them or keeps them until somebody does. */
export class AccessDesk {
  readonly #options: AccessDeskOptions
  readonly #limits: AccessLimits
  /** One at a time: bounds are checked before a request is kept, and nobody is let in twice. */
  #last: Promise<unknown> = Promise.resolve()

  constructor(options: AccessDeskOptions) {
    this.#options = options
    this.#limits = options.limits ?? defaultLimits
  }

  /** Oldest first. */
  list(status?: AccessRecord['status']): readonly StoredAccessRequest[] {
    const all = [...this.#options.records.entries()].map(([id, record]) => ({ id, ...record }))
    const found = status === undefined ? all : all.filter((request) => request.status === status)
    return found.sort((a, b) => a.requestedAt - b.requestedAt || (a.id < b.id ? -1 : 1))
  }

  get(id: string): StoredAccessRequest | undefined {
    const record = this.#options.records.get(id)
    return record && { id, ...record }
  }

  /** The database is here and shared; the requester is who he says. */
  ask(database: Database, requester: Requester, request: AccessRequest): Promise<ResponseOf<'access'>> {
    return this.#inTurn(() => this.#ask(database, requester, request))
  }

  /**
   * Lets the requester in, by default as he asked.
   *
   * @throws DocumentError `document/access-request` for one that is unknown or decided, `document/permission-denied` unless `by`
   *   is an admin of the database, or may not grant so much
   */
  approve(id: string, by: KeyPair, permission?: Permission): Promise<StoredAccessRequest> {
    return this.#inTurn(() => this.#approve(id, by, permission))
  }

  /** Throws as `approve` does. */
  reject(id: string, by: KeyPair): Promise<StoredAccessRequest> {
    return this.#inTurn(async () => {
      await this.#pending(id, by)
      return await this.#decide(id, 'rejected', { by: by.publicKey, at: this.#options.now() })
    })
  }

  async #ask(
    database: Database,
    requester: Requester,
    request: AccessRequest,
  ): Promise<ResponseOf<'access'>> {
    const granted = (permission: Permission) => ({ type: 'access', status: 'granted', permission }) as const
    if (await isAllowed(database, requester.key, request.permission)) return granted(request.permission)
    const asked = await this.#keep(requester, request)
    const { policy } = this.#options
    const permission = await policy?.decide(asked)
    if (policy === undefined || permission === undefined)
      return { type: 'access', status: 'pending', request: asked.id }
    await this.#approve(asked.id, policy.approver, permission)
    return granted(permission)
  }

  async #keep(requester: Requester, request: AccessRequest): Promise<StoredAccessRequest> {
    const pending = this.list('pending')
    const metadata =
      request.metadata === undefined ? undefined : Buffer.from(request.metadata).toString('base64')
    const permission = formatPermission(request.permission)
    const { tree, name } = request
    const own = pending.filter(({ key }) => key === requester.key)
    const same = own.find((other) => {
      return (
        other.tree === tree &&
        other.name === name &&
        other.permission === permission &&
        other.metadata === metadata
      )
    })
    if (same !== undefined) return same
    if (pending.length >= this.#limits.pending || own.length >= this.#limits.pendingPerKey)
      throw new WireRefusal('busy', 'too many requests for access wait for a decision')
    const id = randomUUID()
    const record: AccessRecord = {
      tree,
      key: requester.key,
      device: requester.device,
      name,
      permission,
      ...(metadata === undefined ? {} : { metadata }),
      requestedAt: this.#options.now(),
      status: 'pending',
    }
    await this.#options.records.update(id, () => record)
    return { id, ...record }
  }

  async #approve(id: string, by: KeyPair, permission?: Permission): Promise<StoredAccessRequest> {
    const { database, request } = await this.#pending(id, by)
    const granted = permission ?? parsePermission(request.permission)
    await database.transact(async (tx) => {
      const settings = await tx.settings()
      settings.setKey(request.key, { permission: granted, status: 'active', name: request.name })
    })
    const decision = {
      by: by.publicKey,
      at: this.#options.now(),
      permission: formatPermission(granted),
    }
    return await this.#decide(id, 'approved', decision)
  }

  async #pending(id: string, by: KeyPair) {
    const request = this.get(id)
    if (request === undefined)
      throw new DocumentError('document/access-request', `there is no request for access ${id}`)
    if (request.status !== 'pending')
      throw new DocumentError(
        'document/access-request',
        `the request for access ${id} is ${request.status} already`,
      )
    const database = await this.#options.instance.database(request.tree, { key: by })
    if (!(await database.canAccess(by.publicKey, weakestAdmin)))
      throw new DocumentError('document/permission-denied', `${by.publicKey} is no admin of ${request.tree}`)
    return { request, database }
  }

  async #decide(
    id: string,
    status: 'approved' | 'rejected',
    decision: NonNullable<AccessRecord['decision']>,
  ): Promise<StoredAccessRequest> {
    const record = await this.#options.records.update(
      id,
      (record) => record && { ...record, status, decision },
    )
    return { id, ...record! }
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work)
    this.#last = result.catch(() => {})
    return result
  }
}
