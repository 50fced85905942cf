import { Doc, mergeDocs } from '../crdt/doc.ts'
import { DocumentError } from '../document-error.ts'
import {
  type AuthSettings,
  assertRecords,
  type Delegation,
  type Grant,
  isProtected,
  readAuth,
} from './auth-settings.ts'
import { readStrategy } from './height-strategy.ts'
import { canAdmin, covers, type Permission } from './permission.ts'

/** What comes of the settings when a change is applied. */
export interface SettingsChange {
  readonly before: AuthSettings
  readonly after: AuthSettings
  readonly doc: Doc
}

/**
 * Applies a change and checks what holds whoever makes it: the records can be read, and a database that was protected
 * stays so.
 *
 * @throws DocumentError `document/bad-settings`
 */
export function applyChange(settings: Doc, change: Doc): SettingsChange {
  assertRecords(change)
  const doc = mergeDocs(settings, change)
  const [before, after] = [readAuth(settings), readAuth(doc)]
  const auth = doc.children.get('auth')
  if (auth !== undefined && !(auth instanceof Doc)) throw bad('auth would no longer be a document')
  if (before.keys.size > 0 && after.keys.size === 0) throw bad('the database would lose all its keys')
  if (isProtected(before) && !isProtected(after)) throw bad('the database would no longer be protected')
  if (doc.has('height_strategy') && readStrategy(doc, 'height_strategy') === undefined)
    throw bad('the height strategy is neither incremental nor timestamp')
  return { before, after, doc }
}

/**
 * Whether somebody of this strength may make the change: nobody touches or makes what is stronger than himself.
 *
 * @throws DocumentError `document/permission-denied`
 */
export function assertMayChange(own: Permission, { before, after }: SettingsChange): void {
  if (!canAdmin(own)) throw denied('only an admin changes settings')
  const grant = (had: Grant | undefined, has: Grant | undefined, what: string) => {
    if (sameGrant(had, has)) return
    if (had !== undefined && !covers(own, had.permission))
      throw denied(`${what} is stronger than its changer`)
    if (has !== undefined && !covers(own, has.permission))
      throw denied(`${what} would be stronger than its changer`)
  }
  for (const key of new Set([...before.keys.keys(), ...after.keys.keys()]))
    grant(before.keys.get(key), after.keys.get(key), `the key ${key}`)
  grant(before.global, after.global, 'the global grant')
  for (const tree of new Set([...before.delegations.keys(), ...after.delegations.keys()])) {
    const [had, has] = [before.delegations.get(tree), after.delegations.get(tree)]
    if (sameDelegation(had, has)) continue
    for (const delegation of [had, has])
      if (delegation !== undefined && !covers(own, delegation.bounds.max))
        throw denied(`the delegation to ${tree} lets through more than its changer has`)
  }
}

function sameGrant(a: Grant | undefined, b: Grant | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

function sameDelegation(a: Delegation | undefined, b: Delegation | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

function bad(why: string): DocumentError {
  return new DocumentError('document/bad-settings', `the settings are refused: ${why}`)
}

function denied(why: string): DocumentError {
  return new DocumentError('document/permission-denied', `the settings are refused: ${why}`)
}
