import { DocumentError } from '../document-error.ts'
import { databaseOf } from '../entry/entry.ts'
import { type DatabaseId, type EntryId, sortedIds } from '../entry/entry-id.ts'
import type { DocumentView } from '../storage/document-storage.ts'

export type Reachability =
  | { readonly kind: 'reachable' }
  | { readonly kind: 'unreachable' }
  /** Cannot be told before these arrive, sorted. */
  | { readonly kind: 'indeterminate'; readonly missing: readonly EntryId[] }

/**
 * Whether every target is an ancestor of some `from`, or one of them. Held entries count whatever their status. The
 * walk never goes below the lowest target, so its cost does not grow with the history under it.
 *
 * @throws DocumentError `document/foreign` when an id belongs to another database
 */
export function reachability(
  view: DocumentView,
  database: DatabaseId,
  from: readonly EntryId[],
  targets: readonly EntryId[],
): Reachability {
  if (targets.length === 0) return { kind: 'reachable' }
  const missing = new Set<EntryId>()
  const look = (id: EntryId) => {
    const held = view.held(id)
    if (held === undefined) {
      missing.add(id)
      return undefined
    }
    if (held.database === database) return held.sealed
    throw new DocumentError('document/foreign', `the entry ${id} belongs to another database`)
  }
  const heights = targets.map((id) => look(id)?.entry.height ?? 0)
  // A target that is not held may lie at any height: only then is there no floor.
  const floor = Math.min(...heights)
  const left = new Set(targets)
  const seen = new Set<EntryId>(from)
  const stack = [...from]
  for (let id = stack.pop(); id !== undefined && left.size > 0; id = stack.pop()) {
    left.delete(id)
    const sealed = look(id)
    if (sealed === undefined || sealed.entry.height <= floor) continue
    for (const parent of sealed.entry.parents) {
      if (seen.has(parent)) continue
      seen.add(parent)
      stack.push(parent)
    }
  }
  if (left.size === 0) return { kind: 'reachable' }
  if (missing.size > 0) return { kind: 'indeterminate', missing: sortedIds(missing) }
  return { kind: 'unreachable' }
}

/** Ids of a snapshot, held and of this database, or the error that names the first that is not. */
export function assertInDatabase(view: DocumentView, database: DatabaseId, ids: Iterable<EntryId>): void {
  for (const id of ids) {
    const sealed = view.entry(id)
    if (sealed === undefined)
      throw new DocumentError('document/unknown-entry', `there is no verified entry ${id}`)
    if (databaseOf(sealed) !== database)
      throw new DocumentError('document/foreign', `the entry ${id} belongs to another database`)
  }
}
