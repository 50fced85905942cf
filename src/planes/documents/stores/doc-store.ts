import { Doc, deleted, List, type LiveValue, type PlainValue, toValue } from '../crdt/doc.ts'
import { DocumentError } from '../document-error.ts'
import { StagedDoc } from './staged-doc.ts'
import type { StoreKind } from './store-kind.ts'

/** A nested map. Dots in paths separate components; two peers that change different keys never conflict. */
export class DocStore {
  readonly #doc: StagedDoc

  constructor(doc: StagedDoc) {
    this.#doc = doc
  }

  /** Undefined: missing or deleted. Lists are walked by index. */
  get(path: string): LiveValue | undefined {
    return this.#doc.get(path)
  }

  has(path: string): boolean {
    return this.get(path) !== undefined
  }

  /** Throws `document/not-found`, or `document/bad-value` when it is of another kind. */
  getText(path: string): string {
    const value = this.#existing(path)
    if (typeof value === 'string') return value
    throw wrongKind(path, 'text')
  }

  /** A number where it is exact, a bigint beyond 2^53 - 1. */
  getInt(path: string): number | bigint {
    const value = this.#existing(path)
    if (typeof value === 'number' || typeof value === 'bigint') return value
    throw wrongKind(path, 'integer')
  }

  getDoc(path: string): Doc {
    const value = this.#existing(path)
    if (value instanceof Doc) return value
    throw wrongKind(path, 'document')
  }

  getList(path: string): List {
    const value = this.#existing(path)
    if (value instanceof List) return value
    throw wrongKind(path, 'list')
  }

  /** Any value that was stored with `setJson`. */
  getJson(path: string): unknown {
    const text = this.getText(path)
    try {
      return JSON.parse(text)
    } catch (cause) {
      throw new DocumentError('document/bad-value', `${path} is no JSON`, { cause })
    }
  }

  /**
   * A plain Doc is merged into the one that is there, an atomic one replaces it. Throws `document/bad-value`,
   * `document/bad-path`.
   */
  set(path: string, value: PlainValue): void {
    this.#doc.stage(path, toValue(value))
  }

  setJson(path: string, value: unknown): void {
    const text = JSON.stringify(value)
    if (text === undefined) throw new DocumentError('document/bad-value', `${path} has a value without JSON`)
    this.#doc.stage(path, text)
  }

  /** Answers what was there. */
  replace(path: string, value: PlainValue): LiveValue | undefined {
    const before = this.get(path)
    this.set(path, value)
    return before
  }

  /** `change` gets what is there (undefined: nothing) and answers what is to be there; a list, only what changed of it. */
  modify(path: string, change: (value: LiveValue | undefined) => PlainValue): void {
    const before = this.get(path)
    const after = toValue(change(before))
    const list = before instanceof List && after instanceof List
    this.#doc.stage(path, list ? after.changesSince(before) : after)
  }

  getOrInsert(path: string, value: PlainValue): LiveValue {
    if (!this.has(path)) this.set(path, value)
    return this.get(path)!
  }

  /** Appends to a list, making it where there is none. */
  push(path: string, value: PlainValue): void {
    this.modify(path, (list) => (list instanceof List ? list : new List()).push(toValue(value)))
  }

  /** False, and nothing is written, when nothing is there. */
  delete(path: string): boolean {
    if (!this.has(path)) return false
    this.#doc.stage(path, deleted)
    return true
  }

  /** Top-level keys, in no particular order. */
  keys(): string[] {
    return [...this.#doc.entries()].map(([key]) => key)
  }

  /** Everything, this transaction's changes included. */
  getAll(): Doc {
    return this.#doc.whole()
  }

  #existing(path: string): LiveValue {
    const value = this.get(path)
    if (value !== undefined) return value
    throw new DocumentError('document/not-found', `there is nothing at ${path}`)
  }
}

export const docStore: StoreKind<DocStore> = {
  type: 'docstore:v0',
  defaultConfig: () => new Doc(),
  open: async (access) => new DocStore(await StagedDoc.open(access)),
}

function wrongKind(path: string, kind: string): DocumentError {
  return new DocumentError('document/bad-value', `what is at ${path} is no ${kind}`)
}
