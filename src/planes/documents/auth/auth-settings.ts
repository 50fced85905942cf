import { Doc, type DocValue } from '../crdt/doc.ts'
import { DocumentError } from '../document-error.ts'
import { type DatabaseId, type EntryId, isEntryId, sortedIds } from '../entry/entry-id.ts'
import { type PublicKey, parsePublicKey } from '../entry/key-pair.ts'
import { maxPriority, type Permission, type PermissionBounds } from './permission.ts'

export type KeyStatus = 'active' | 'revoked'

/** What a key, or everybody (the global grant), may do. */
export interface Grant {
  readonly permission: Permission
  readonly status: KeyStatus
  readonly name?: string
}

/** The keys of another database act here, within bounds. */
export interface Delegation {
  readonly bounds: PermissionBounds
  /** The floor: no claim may show an older state of that database. */
  readonly tips: readonly EntryId[]
}

/** Who may do what, as `_settings.auth` has it. Records that cannot be read give nobody anything. */
export interface AuthSettings {
  readonly keys: ReadonlyMap<PublicKey, Grant>
  readonly delegations: ReadonlyMap<DatabaseId, Delegation>
  readonly global: Grant | undefined
}

export const noAuth: AuthSettings = { keys: new Map(), delegations: new Map(), global: undefined }

/** Once true, only signed entries count: there is a key, whatever its status, or an active global grant. */
export function isProtected({ keys, global }: AuthSettings): boolean {
  return keys.size > 0 || global?.status === 'active'
}

/** Reads the settings as they stand. */
export function readAuth(settings: Doc): AuthSettings {
  const auth = settings.get('auth')
  if (!(auth instanceof Doc)) return noAuth
  const keys = new Map<PublicKey, Grant>()
  for (const [key, record] of childrenOf(auth.get('keys'))) {
    const grant = attempt(() => readGrant(record))
    if (grant !== undefined && attempt(() => parsePublicKey(key)) !== undefined)
      keys.set(key as PublicKey, grant)
  }
  const delegations = new Map<DatabaseId, Delegation>()
  for (const [tree, record] of childrenOf(auth.get('delegations'))) {
    const delegation = attempt(() => readDelegation(tree, record))
    if (delegation !== undefined) delegations.set(tree as DatabaseId, delegation)
  }
  const record = auth.get('global')
  const global = record === undefined ? undefined : attempt(() => readGrant(record))
  return { keys, delegations, global }
}

/**
 * Every auth record a change writes must be whole and readable, so that no merge can make a third thing of two.
 *
 * @throws DocumentError `document/bad-settings`
 */
export function assertRecords(change: Doc): void {
  const auth = change.children.get('auth')
  if (!(auth instanceof Doc)) return
  for (const [name, value] of auth.children) {
    if (name === 'global') assertRecord(value, readGrant)
    else if (name === 'keys')
      for (const [key, record] of recordsOf(value)) {
        parsePublicKey(key)
        assertRecord(record, readGrant)
      }
    else if (name === 'delegations')
      for (const [tree, record] of recordsOf(value)) assertRecord(record, (doc) => readDelegation(tree, doc))
    else throw bad(`auth has no ${name}`)
  }
}

export function grantDoc({ permission, status, name }: Grant): Doc {
  const label = name === undefined ? {} : { name }
  const fields = {
    ...label,
    permissions: permissionDoc(permission),
    status: status === 'active' ? 'Active' : 'Revoked',
  }
  return Doc.from(fields, { atomic: true })
}

export function delegationDoc(tree: DatabaseId, { bounds: { max, min }, tips }: Delegation): Doc {
  const bounds =
    min === undefined ? { max: permissionDoc(max) } : { max: permissionDoc(max), min: permissionDoc(min) }
  const list = Object.fromEntries(sortedIds(tips).map((tip, i) => [String(i), tip]))
  return Doc.from({ permission_bounds: bounds, tree: { root: tree, tips: list } }, { atomic: true })
}

function recordsOf(value: DocValue): Iterable<readonly [string, DocValue]> {
  if (value instanceof Doc) return value.children
  throw bad('a table of auth records is no document')
}

function assertRecord(record: DocValue, read: (doc: Doc) => unknown): void {
  if (typeof record === 'symbol') return
  if (!(record instanceof Doc) || !record.atomic) throw bad('an auth record is not written whole')
  read(record)
}

function readGrant(record: DocValue): Grant {
  if (!(record instanceof Doc)) throw bad('a grant is no document')
  const status = record.get('status')
  if (status !== 'Active' && status !== 'Revoked')
    throw bad('the status of a key is neither Active nor Revoked')
  const name = record.get('name')
  if (name !== undefined && typeof name !== 'string') throw bad('the name of a key is no text')
  const permission = readPermission(record.get('permissions'))
  const grant = { permission, status: status === 'Active' ? 'active' : 'revoked' } as const
  return name === undefined ? grant : { ...grant, name }
}

function readDelegation(tree: string, record: DocValue): Delegation {
  if (!(record instanceof Doc) || !isEntryId(tree)) throw bad('a delegation is no document of a database')
  const [max, min] = [record.get('permission_bounds.max'), record.get('permission_bounds.min')]
  if (record.get('tree.root') !== tree) throw bad('a delegation names two databases')
  const tips = [...childrenOf(record.get('tree.tips'))].map(([, tip]) => {
    if (typeof tip !== 'string' || !isEntryId(tip)) throw bad('a tip of a delegation is no entry id')
    return tip
  })
  const bounds = { max: readPermission(max), ...(min === undefined ? {} : { min: readPermission(min) }) }
  return { bounds, tips: sortedIds(tips) }
}

function readPermission(value: DocValue | undefined): Permission {
  if (!(value instanceof Doc)) throw bad('a permission is no document')
  const type = value.get('type')
  if (type === 'Read') return { type: 'read' }
  const priority = value.get('priority')
  if ((type !== 'Write' && type !== 'Admin') || !isPriority(priority))
    throw bad('a permission is not readable')
  return { type: type === 'Write' ? 'write' : 'admin', priority }
}

function isPriority(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= maxPriority
}

function permissionDoc(permission: Permission): Doc {
  if (permission.type === 'read') return Doc.from({ type: 'Read' })
  return Doc.from({ type: permission.type === 'write' ? 'Write' : 'Admin', priority: permission.priority })
}

function childrenOf(value: unknown): Iterable<[string, DocValue]> {
  return value instanceof Doc ? value.entries() : []
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof DocumentError) return undefined
    throw error
  }
}

function bad(why: string): DocumentError {
  return new DocumentError('document/bad-settings', `the settings are refused: ${why}`)
}
