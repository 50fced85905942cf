import { randomUUID } from 'node:crypto'
import { DocumentError } from '../document-error.ts'
import { maxValueDepth } from '../document-limits.ts'
import { comparePositions, type NewUniqueId, type Position, positionBetween, reduced } from './position.ts'

/** What stands where something was deleted: it wins over earlier values and loses to later ones. */
export const deleted = Symbol('deleted')
export type Deleted = typeof deleted

/** Whole numbers of 64 bits; a number where it is exact, a bigint beyond 2^53 - 1. */
export type Scalar = null | boolean | number | bigint | string

export type DocValue = Scalar | Doc | List | Deleted
/** A value as readers see it. */
export type LiveValue = Scalar | Doc | List

/** Says whose a Doc or List is while it is being built: its owner changes it in place, everybody else copies it. */
export type Owner = object

/**
 * A nested map that merges: a delta as written by one entry, or the state many of them come to. Never changes for its
 * readers; `with` and `without` answer another one.
 */
export class Doc {
  /** Replaces what was there instead of being merged into it. */
  readonly atomic: boolean
  readonly #children: Map<string, DocValue>
  readonly #owner: Owner | undefined

  constructor(children: Iterable<readonly [string, DocValue]> = [], atomic = false, owner?: Owner) {
    this.#children = new Map(children)
    this.atomic = atomic
    this.#owner = owner
  }

  /** From a plain object; nested plain objects become Docs and arrays Lists. Throws `document/bad-value`. */
  static from(plain: Readonly<Record<string, PlainValue>>, options: { readonly atomic?: boolean } = {}): Doc {
    const children = Object.entries(plain).map(([key, value]) => [key, toValue(value, 1)] as const)
    return new Doc(children, options.atomic)
  }

  /** Children with tombstones, in no particular order. */
  get children(): ReadonlyMap<string, DocValue> {
    return this.#children
  }

  /** Live children. */
  get size(): number {
    let size = 0
    for (const value of this.#children.values()) if (value !== deleted) size += 1
    return size
  }

  /** Live keys, in no particular order. */
  *keys(): Generator<string> {
    for (const [key] of this.entries()) yield key
  }

  *entries(): Generator<[string, LiveValue]> {
    for (const [key, value] of this.#children) if (value !== deleted) yield [key, value]
  }

  /** Undefined: missing, deleted, or a scalar is in the way. Lists are walked by live index. */
  get(path: string): LiveValue | undefined {
    const value = this.#find(pathOf(path))
    return value === deleted ? undefined : value
  }

  has(path: string): boolean {
    return this.get(path) !== undefined
  }

  /** Exactly this node was deleted; what was below a deleted node is neither present nor a tombstone. */
  isTombstone(path: string): boolean {
    return this.#find(pathOf(path)) === deleted
  }

  /** This, with a value set: the deltas that lead there are merged, see `delta`. */
  with(path: string, value: DocValue): Doc {
    return mergeDocs(this, delta(path, value))
  }

  /** This, with a tombstone at the path, whether something was there or not. */
  without(path: string): Doc {
    return this.with(path, deleted)
  }

  /** What JSON can say of it: without tombstones, bigints as text. */
  toJson(): Record<string, unknown> {
    return Object.fromEntries(this.entries().map(([key, value]) => [key, toPlain(value)]))
  }

  /** @internal The same children, changed by the owner in place, or copied for him first. */
  ownedBy(owner: Owner): Doc {
    return this.#owner === owner ? this : new Doc(this.#children, this.atomic, owner)
  }

  /** @internal Only on a Doc that the caller owns. */
  put(key: string, value: DocValue): void {
    this.#children.set(key, value)
  }

  /** @internal The same, but it replaces what was there. */
  asAtomic(): Doc {
    return this.atomic ? this : new Doc(this.#children, true)
  }

  #find(path: readonly string[]): DocValue | undefined {
    let at: DocValue | undefined = this
    for (const key of path) {
      if (at instanceof Doc) at = at.#children.get(key)
      else if (at instanceof List && /^\d+$/.test(key)) at = at.at(Number(key))
      else return undefined
    }
    return at
  }
}

export interface ListItem {
  readonly position: Position
  readonly value: DocValue
}

/** A list whose items keep their places whatever others insert. Deleted ones stay as tombstones. */
export class List {
  readonly atomic: boolean
  readonly #items: readonly ListItem[]

  /** @param items sorted by position, each position once */
  constructor(items: readonly ListItem[] = [], atomic = false) {
    this.#items = items
    this.atomic = atomic
  }

  static from(values: readonly PlainValue[]): List {
    return listOf(values, 0)
  }

  /** With tombstones, by position. */
  get items(): readonly ListItem[] {
    return this.#items
  }

  get live(): readonly LiveValue[] {
    return this.#items.flatMap(({ value }) => (value === deleted ? [] : [value]))
  }

  get size(): number {
    return this.#items.reduce((size, { value }) => size + Number(value !== deleted), 0)
  }

  at(index: number): LiveValue | undefined {
    return this.live[index]
  }

  push(value: DocValue, newId?: NewUniqueId): List {
    return this.insert(this.size, value, newId)
  }

  /** @param index over live items, 0 … size. Throws `document/bad-value`. */
  insert(index: number, value: DocValue, newId?: NewUniqueId): List {
    const live = this.#livePositions()
    if (!Number.isInteger(index) || index < 0 || index > live.length)
      throw new DocumentError('document/bad-value', `there is no place ${index} in a list of ${live.length}`)
    // After every tombstone that follows the item before, so that what is appended is last in the whole list.
    const before = index === live.length ? this.#items.at(-1)?.position : live[index - 1]
    const position = positionBetween(before, live[index], newId)
    return mergeLists(this, new List([{ position, value }]))
  }

  set(index: number, value: DocValue): List {
    const position = this.#livePositions()[index]
    if (position === undefined)
      throw new DocumentError('document/bad-value', `there is no item ${index} in a list of ${this.size}`)
    return mergeLists(this, new List([{ position, value }]))
  }

  remove(index: number): List {
    return this.set(index, deleted)
  }

  /**
   * The delta that makes this of `before`: only items that were added, changed or removed. Writing the whole list would
   * bring back what others remove meanwhile.
   */
  changesSince(before: List): List {
    const known = new Map(before.items.map((item) => [item.position, item.value]))
    const changed = this.#items.filter(({ position, value }) => !Object.is(known.get(position), value))
    return new List(changed)
  }

  /** @internal */
  asAtomic(): List {
    return this.atomic ? this : new List(this.#items, true)
  }

  #livePositions(): Position[] {
    return this.#items.flatMap(({ position, value }) => (value === deleted ? [] : [position]))
  }
}

/**
 * What comes of `left` when `right` follows it. Read as functions on what was there before, a value is: a scalar or
 * tombstone, an atomic Doc or List, "be this"; a plain Doc or List, "let this be in it". Merging composes those
 * functions, so it is associative: any grouping of deltas gives the same state, as long as their order stays.
 */
export function mergeValues(left: DocValue | undefined, right: DocValue, owner?: Owner): DocValue {
  if (right instanceof Doc) {
    if (left === undefined || right.atomic) return right
    return left instanceof Doc ? mergeDocs(left, right, owner) : right.asAtomic()
  }
  if (right instanceof List) {
    if (left === undefined || right.atomic) return right
    return left instanceof List ? mergeLists(left, right) : right.asAtomic()
  }
  return right
}

/** The same for two Docs. With an owner, what he owns of `left` is changed in place. */
export function mergeDocs(left: Doc, right: Doc, owner: Owner = {}): Doc {
  if (right.atomic) return right
  const merged = left.ownedBy(owner)
  for (const [key, value] of right.children)
    merged.put(key, mergeValues(merged.children.get(key), value, owner))
  return merged
}

/** The union by position; the same position, the merge of its values. */
function mergeLists(left: List, right: List): List {
  if (right.atomic) return right
  const [last, first] = [left.items.at(-1), right.items[0]]
  if (last === undefined || first === undefined || comparePositions(last.position, first.position) < 0)
    return new List([...left.items, ...right.items], left.atomic)
  const items: ListItem[] = []
  let [i, j] = [0, 0]
  while (i < left.items.length || j < right.items.length) {
    const [a, b] = [left.items[i], right.items[j]]
    const order = a === undefined ? 1 : b === undefined ? -1 : comparePositions(a.position, b.position)
    if (order === 0) items.push({ position: a!.position, value: mergeValues(a!.value, b!.value) })
    else items.push(order < 0 ? a! : b!)
    if (order <= 0) i += 1
    if (order >= 0) j += 1
  }
  return new List(items, left.atomic)
}

/** The delta that sets one path: nested Docs with the value at the end. Components that are empty are ignored. */
export function delta(path: string, value: DocValue): Doc {
  const keys = pathOf(path)
  if (keys.length === 0) throw new DocumentError('document/bad-path', 'a path has at least one component')
  let at = value
  for (const key of keys.toReversed()) at = new Doc([[key, at]])
  return at as Doc
}

function pathOf(path: string): string[] {
  const keys = path.split('.').filter((key) => key !== '')
  if (keys.length >= maxValueDepth)
    throw new DocumentError('document/bad-path', `a path has at most ${maxValueDepth - 1} components`)
  return keys
}

export type PlainValue = LiveValue | readonly PlainValue[] | { readonly [key: string]: PlainValue }

const int64 = 2n ** 63n

/** Checks and converts what a caller hands in. Throws `document/bad-value`. */
export function toValue(plain: PlainValue, depth = 0): LiveValue {
  if (depth > maxValueDepth)
    throw new DocumentError('document/bad-value', `a value is nested more than ${maxValueDepth} deep`)
  if (plain === null || typeof plain === 'string' || typeof plain === 'boolean') return plain
  if (plain instanceof Doc || plain instanceof List) return plain
  if (typeof plain === 'number') {
    if (Number.isSafeInteger(plain)) return Object.is(plain, -0) ? 0 : plain
    throw new DocumentError(
      'document/bad-value',
      `${plain} is no whole number of at most 53 bits; use a bigint or a text`,
    )
  }
  if (typeof plain === 'bigint') return toInt(plain)
  if (Array.isArray(plain)) return listOf(plain, depth)
  if (typeof plain !== 'object')
    throw new DocumentError('document/bad-value', `a document cannot hold a ${typeof plain}`)
  return new Doc(Object.entries(plain).map(([key, value]) => [key, toValue(value, depth + 1)]))
}

function listOf(values: readonly PlainValue[], depth: number): List {
  const items = values.map((value, i): ListItem => {
    return { position: reduced(BigInt(i), 1n, randomUUID()), value: toValue(value, depth + 1) }
  })
  return new List(items)
}

/** A number where it is exact. */
export function toInt(value: bigint): number | bigint {
  if (value >= int64 || value < -int64)
    throw new DocumentError('document/bad-value', `${value} needs more than 64 bits`)
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

function toPlain(value: LiveValue): unknown {
  if (value instanceof Doc) return value.toJson()
  if (value instanceof List) return value.live.map(toPlain)
  return typeof value === 'bigint' ? String(value) : value
}
