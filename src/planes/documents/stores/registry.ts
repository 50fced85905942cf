import { encodeStrategy, type HeightStrategy, storeStrategy } from '../auth/height-strategy.ts'
import { Doc } from '../crdt/doc.ts'
import type { StagedDoc } from './staged-doc.ts'

/** What the index knows of a store. */
export interface StoreRecord {
  readonly type: string
  readonly config: Doc
}

/** The index of a database: which stores there are, of which type, with which configuration (`_index`). */
export class Registry {
  readonly #doc: StagedDoc

  constructor(doc: StagedDoc) {
    this.#doc = doc
  }

  /** Undefined: it is not registered, or its record is not readable. */
  get(name: string): StoreRecord | undefined {
    const record = this.#doc.child(name)
    if (!(record instanceof Doc)) return undefined
    const [type, config] = [record.get('type'), record.get('config')]
    return typeof type === 'string' ? { type, config: config instanceof Doc ? config : new Doc() } : undefined
  }

  has(name: string): boolean {
    return this.get(name) !== undefined
  }

  set(name: string, { type, config }: StoreRecord): void {
    this.#doc.stageChild(name, Doc.from({ type, config: config.asAtomic() }))
  }

  /** Sorted by name. */
  list(): string[] {
    const names = [...this.#doc.entries()].map(([name]) => name)
    return names.filter((name) => this.has(name)).sort()
  }

  /** The heights a store has of its own; undefined: it has those of the database. */
  heightStrategy(name: string): HeightStrategy | undefined {
    const record = this.#doc.child(name)
    return record instanceof Doc ? storeStrategy(new Doc([[name, record]]), name) : undefined
  }

  setHeightStrategy(name: string, strategy: HeightStrategy): void {
    const settings = Doc.from({ settings: { height_strategy: encodeStrategy(strategy) } })
    this.#doc.stageChild(name, settings)
  }

  /** Stores this transaction's changes to the index mention. */
  get staged(): string[] {
    return [...(this.#doc.delta?.children.keys() ?? [])]
  }
}
