import {
  Doc,
  type DocValue,
  deleted,
  delta,
  List,
  type ListItem,
  type LiveValue,
  mergeDocs,
  mergeValues,
} from '../crdt/doc.ts'
import { encodeDoc } from '../crdt/doc-json.ts'
import { docState } from '../state/store-type.ts'
import type { StoreAccess } from './store-kind.ts'

/**
 * The history of a store that is kept in Docs, and on top of it what a transaction has staged. Reads see both; only the
 * staged delta is written.
 */
export class StagedDoc {
  readonly #access: StoreAccess
  readonly #history: Doc
  readonly #owner = {}
  #delta: Doc | undefined

  private constructor(access: StoreAccess, history: Doc) {
    this.#access = access
    this.#history = history
    access.provide(() => this.#delta && encodeDoc(this.#delta))
  }

  static async open(access: StoreAccess): Promise<StagedDoc> {
    return new StagedDoc(access, await access.history(docState))
  }

  /** What this transaction changes; undefined: nothing. */
  get delta(): Doc | undefined {
    return this.#delta
  }

  stage(path: string, value: DocValue): void {
    this.merge(delta(path, value))
  }

  stageChild(key: string, value: DocValue): void {
    this.merge(new Doc([[key, value]]))
  }

  merge(change: Doc): void {
    this.#access.assertOpen(true)
    this.#delta = mergeDocs(this.#delta ?? new Doc([], false, this.#owner), change, this.#owner)
  }

  /** The value at a path; undefined: missing, or deleted, be it by this transaction or before. */
  get(path: string): LiveValue | undefined {
    this.#access.assertOpen(false)
    const [first, ...rest] = path.split('.').filter((key) => key !== '')
    if (first === undefined) return undefined
    const value = this.#child(first)
    if (rest.length === 0) return value === deleted ? undefined : value
    // A Doc that holds this child alone: paths are walked in one place only.
    return value === undefined ? undefined : new Doc([[first, value]]).get(`${first}.${rest.join('.')}`)
  }

  /** A child by its key as it is, whatever characters it has. */
  child(key: string): LiveValue | undefined {
    this.#access.assertOpen(false)
    const value = this.#child(key)
    return value === deleted ? undefined : value
  }

  /** Live children, in no particular order. */
  *entries(): Generator<[string, LiveValue]> {
    this.#access.assertOpen(false)
    for (const key of this.#history.children.keys()) {
      const value = this.#child(key)
      if (value !== undefined && value !== deleted) yield [key, value]
    }
    for (const key of this.#delta?.children.keys() ?? []) {
      if (this.#history.children.has(key)) continue
      const value = this.#child(key)
      if (value !== undefined && value !== deleted) yield [key, value]
    }
  }

  /** Everything, as one Doc of its own. */
  whole(): Doc {
    return new Doc(this.entries())
  }

  #child(key: string): DocValue | undefined {
    const staged = this.#delta?.children.get(key)
    const before = this.#delta?.atomic ? undefined : this.#history.children.get(key)
    const value = staged === undefined ? before : mergeValues(before, staged)
    return value === undefined ? undefined : detached(value)
  }
}

/** A copy that no later change of the state shows in: states go on in place. */
function detached(value: DocValue): DocValue {
  if (value instanceof Doc)
    return new Doc(
      [...value.children].map(([key, child]) => [key, detached(child)] as const),
      value.atomic,
    )
  if (!(value instanceof List)) return value
  const items = value.items.map((item): ListItem => ({ ...item, value: detached(item.value) }))
  return new List(items, value.atomic)
}
