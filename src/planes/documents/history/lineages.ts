import { type Entry, storeHeight } from '../entry/entry.ts'
import type { DatabaseId, EntryId } from '../entry/entry-id.ts'
import type { DocumentBatch, DocumentView } from '../storage/document-storage.ts'
import { RecentMap } from '../storage/recent-map.ts'
import { nodeOf, storeDag, treeDag } from './dag.ts'
import { Lineage, type StoreHead } from './lineage.ts'
import { maximal } from './walk.ts'

const maxCached = 10_000

/** The lineages of verified entries, those lately used kept in memory. They are a function of content: never stale. */
export class Lineages {
  readonly #byId = new RecentMap<EntryId, Lineage>(maxCached)

  /** Of all ancestors of `parents`, themselves included; the parents must be verified. */
  at(view: DocumentView, database: DatabaseId, parents: readonly EntryId[]): Lineage {
    const [first] = parents
    if (first === undefined) return Lineage.empty
    if (parents.length === 1) return this.#of(view, database, first)
    const lineages = parents.map((id) => this.#of(view, database, id))
    return join(view, database, lineages)
  }

  /** Makes the lineage of a new verified entry from that of its parents, and stores it when it is told in full. */
  record(batch: DocumentBatch, id: EntryId, entry: Entry, parents: Lineage): void {
    const lineage = extend(parents, id, entry)
    if (lineage.stored) batch.saveLineage(id, lineage.encode())
    this.#byId.set(id, lineage)
  }

  /** Down to the nearest ancestors whose lineage is known, then up again. Iterative: histories are deep. */
  #of(view: DocumentView, database: DatabaseId, id: EntryId): Lineage {
    const known = this.#recall(view, id)
    if (known !== undefined) return known
    const dag = treeDag(view, database)
    // Kept here as well: the cache may be smaller than the way.
    const found = new Map<EntryId, Lineage>()
    const stack = [id]
    for (let at = stack.at(-1); at !== undefined; at = stack.at(-1)) {
      if (found.has(at)) {
        stack.pop()
        continue
      }
      const recalled = this.#recall(view, at)
      if (recalled !== undefined) {
        found.set(at, recalled)
        continue
      }
      const { sealed, parents } = nodeOf(dag, at)
      const missing = parents.filter((parent) => !found.has(parent))
      if (missing.length > 0) {
        stack.push(...missing)
        continue
      }
      const lineage = extend(
        join(
          view,
          database,
          parents.map((parent) => found.get(parent)!),
        ),
        at,
        sealed.entry,
      )
      found.set(at, lineage)
      this.#byId.set(at, lineage)
    }
    return found.get(id)!
  }

  #recall(view: DocumentView, id: EntryId): Lineage | undefined {
    const cached = this.#byId.get(id)
    if (cached !== undefined) return cached
    const stored = view.lineage(id)
    if (stored === undefined) return undefined
    const lineage = Lineage.decode(stored)
    this.#byId.set(id, lineage)
    return lineage
  }
}

function extend(parents: Lineage, id: EntryId, entry: Entry): Lineage {
  const heads = new Map<string, StoreHead>()
  for (const node of entry.stores) heads.set(node.name, { tips: [id], height: storeHeight(entry, node) })
  return parents.with(heads)
}

/** Several histories come together. */
function join(view: DocumentView, database: DatabaseId, lineages: readonly Lineage[]): Lineage {
  const different = [...new Set(lineages)]
  const [first, ...others] = different
  if (first === undefined) return Lineage.empty
  if (others.length === 0) return first
  const names = new Set(different.flatMap((lineage) => lineage.stores()))
  const heads = new Map<string, StoreHead>()
  for (const name of names) {
    const found = different.flatMap((lineage) => lineage.head(name) ?? [])
    heads.set(name, joinHeads(view, database, name, found))
  }
  return Lineage.joined(heads, different)
}

/** A store's tips are those of all sides that no other of them builds on. */
function joinHeads(
  view: DocumentView,
  database: DatabaseId,
  store: string,
  heads: readonly StoreHead[],
): StoreHead {
  const ids = new Set(heads.flatMap(({ tips }) => tips))
  const same = heads.find(({ tips }) => tips.length === ids.size)
  if (same !== undefined && heads.every(({ tips }) => tips.length === ids.size)) return same
  const dag = storeDag(view, database, store)
  const tips = maximal(dag, ids)
  return { tips, height: Math.max(...tips.map((tip) => nodeOf(dag, tip).height)) }
}
