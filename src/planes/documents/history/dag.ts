import { DocumentError } from '../document-error.ts'
import { databaseOf, type SealedEntry, storeHeight, storeNode } from '../entry/entry.ts'
import type { DatabaseId, EntryId } from '../entry/entry-id.ts'
import type { DocumentView } from '../storage/document-storage.ts'

/** An entry as a node of one DAG: the database's own, or that of one of its stores. */
export interface DagNode {
  readonly id: EntryId
  readonly height: number
  readonly parents: readonly EntryId[]
  readonly sealed: SealedEntry
}

/** A way to look at the verified entries of one database as a DAG. Unknown and foreign ids are not in it. */
export interface Dag {
  node(id: EntryId): DagNode | undefined
}

/** The DAG of the whole database. */
export function treeDag(view: DocumentView, database: DatabaseId): Dag {
  return {
    node(id) {
      const sealed = view.entry(id)
      if (sealed === undefined || databaseOf(sealed) !== database) return undefined
      return { id, height: sealed.entry.height, parents: sealed.entry.parents, sealed }
    },
  }
}

/** The DAG of one store, in the heights that order it. */
export function storeDag(view: DocumentView, database: DatabaseId, store: string): Dag {
  return {
    node(id) {
      const sealed = view.entry(id)
      if (sealed === undefined || databaseOf(sealed) !== database) return undefined
      const node = storeNode(sealed.entry, store)
      return node && { id, height: storeHeight(sealed.entry, node), parents: node.parents, sealed }
    },
  }
}

/** The node, or `document/unknown-entry`: not held, not verified, or of another database. */
export function nodeOf(dag: Dag, id: EntryId): DagNode {
  const node = dag.node(id)
  if (node === undefined)
    throw new DocumentError('document/unknown-entry', `there is no verified entry ${id} in this database`)
  return node
}
