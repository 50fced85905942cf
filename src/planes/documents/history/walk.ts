import { compareIds, type EntryId, sortedIds } from '../entry/entry-id.ts'
import type { Dag, DagNode } from './dag.ts'
import { nodeOf } from './dag.ts'
import { Heap } from './heap.ts'

/** The canonical order: height, then id bytes. Parents come before their children. */
function compareNodes(a: DagNode, b: DagNode): number {
  return a.height - b.height || compareIds(a.id, b.id)
}

/**
 * Walks a DAG from some entries towards its roots, the last in canonical order first, each once. What is pending at
 * any moment is the cut between what was taken and what was not: nothing below it was looked at.
 *
 * @throws DocumentError `document/unknown-entry` for a start that is not in the DAG
 */
export class Descent {
  readonly #dag: Dag
  readonly #heap = new Heap<DagNode>(compareNodes)
  readonly #seen = new Set<EntryId>()

  constructor(dag: Dag, from: Iterable<EntryId>) {
    this.#dag = dag
    for (const id of from) this.#add(nodeOf(dag, id))
  }

  get pending(): readonly DagNode[] {
    return this.#heap.items
  }

  /** Takes the next; its parents are pending then. */
  next(): DagNode | undefined {
    const node = this.#heap.pop()
    if (node === undefined) return undefined
    for (const parent of node.parents) {
      if (this.#seen.has(parent)) continue
      const found = this.#dag.node(parent)
      // A store's parents are in the store, and a verified entry's parents are verified.
      if (found !== undefined) this.#add(found)
    }
    return node
  }

  #add(node: DagNode): void {
    if (this.#seen.has(node.id)) return
    this.#seen.add(node.id)
    this.#heap.push(node)
  }
}

/** Everything reachable from `tips`, in canonical order. Costs the whole history: for small DAGs and for tests. */
export function closure(dag: Dag, tips: Iterable<EntryId>): DagNode[] {
  const descent = new Descent(dag, tips)
  const nodes: DagNode[] = []
  for (let node = descent.next(); node !== undefined; node = descent.next()) nodes.push(node)
  return nodes.reverse()
}

interface Coloured {
  readonly node: DagNode
  /** Reachable from what is left out. */
  hidden: boolean
}

/**
 * What is reachable from `from` and not from `without`, in canonical order. Looks no further down than the two have
 * something that differs: the cost is that of the difference, and of what `without` has above it.
 *
 * @throws DocumentError `document/unknown-entry`
 */
export function difference(dag: Dag, from: Iterable<EntryId>, without: Iterable<EntryId>): DagNode[] {
  const heap = new Heap<Coloured>((a, b) => compareNodes(a.node, b.node))
  const seen = new Map<EntryId, Coloured>()
  const found: DagNode[] = []
  let open = 0
  const add = (id: EntryId, hidden: boolean) => {
    const known = seen.get(id)
    if (known !== undefined) {
      if (hidden && !known.hidden) {
        known.hidden = true
        open -= 1
      }
      return
    }
    const coloured = { node: nodeOf(dag, id), hidden }
    seen.set(id, coloured)
    heap.push(coloured)
    if (!hidden) open += 1
  }
  for (const id of without) add(id, true)
  for (const id of from) add(id, false)
  // All that could still hide a node is above it, so a node's colour is final when its turn comes.
  while (open > 0) {
    const { node, hidden } = heap.pop()!
    if (!hidden) {
      open -= 1
      found.push(node)
    }
    for (const parent of node.parents) add(parent, hidden)
  }
  return found.reverse()
}

/** Of `ids`, those that none of the others builds on, sorted. Looks no lower than the lowest of them. */
export function maximal(dag: Dag, ids: Iterable<EntryId>): EntryId[] {
  const left = new Set(ids)
  if (left.size < 2) return sortedIds(left)
  const candidates = [...left].map((id) => nodeOf(dag, id))
  const lowest = Math.min(...candidates.map(({ height }) => height))
  const stack = [...candidates]
  const seen = new Set<EntryId>()
  for (let node = stack.pop(); node !== undefined && left.size > 1; node = stack.pop()) {
    for (const parent of node.parents) {
      if (seen.has(parent)) continue
      seen.add(parent)
      left.delete(parent)
      const found = dag.node(parent)
      if (found !== undefined && found.height > lowest) stack.push(found)
    }
  }
  return sortedIds(left)
}

/**
 * The merge base: the highest entry that every path from every tip to a root of the DAG passes through. Not the lowest
 * common ancestor, which another path may bypass. Undefined when there is none: two peers made the store on their own.
 *
 * @throws DocumentError `document/unknown-entry`
 */
export function mergeBase(dag: Dag, tips: readonly EntryId[]): EntryId | undefined {
  const descent = new Descent(dag, tips)
  for (;;) {
    // One pending node is a cut of one node: whatever lies below is reached through it, unless a root was passed.
    const [only, ...others] = descent.pending
    if (only === undefined) return undefined
    if (others.length === 0) return only.id
    if (descent.next()!.parents.length === 0) return undefined
  }
}

/** Everything reachable from `tips` down to `base`, which is left out: the path to fold onto its state. */
export function pathFrom(dag: Dag, base: EntryId, tips: readonly EntryId[]): DagNode[] {
  const stopped: Dag = { node: (id) => (id === base ? undefined : dag.node(id)) }
  return closure(
    stopped,
    tips.filter((tip) => tip !== base),
  )
}
