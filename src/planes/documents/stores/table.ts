import { randomUUID } from 'node:crypto'
import { Doc, deleted } from '../crdt/doc.ts'
import { DocumentError } from '../document-error.ts'
import { StagedDoc } from './staged-doc.ts'
import type { StoreKind } from './store-kind.ts'

/** Reads a row from JSON, or throws what says why it is none. */
export interface RowSchema<Row> {
  parse(json: unknown): Row
}

/** Rows by key. Two peers that change different rows never conflict; of one row the later version wins as a whole. */
export class Table<Row> {
  readonly #doc: StagedDoc
  readonly #schema: RowSchema<Row>

  constructor(doc: StagedDoc, schema: RowSchema<Row>) {
    this.#doc = doc
    this.#schema = schema
  }

  /** Adds a row under a new key and answers it. */
  insert(row: Row): string {
    const key = randomUUID()
    this.set(key, row)
    return key
  }

  /** Undefined: there is none. Throws `document/bad-value` when it is not readable as a row. */
  get(key: string): Row | undefined {
    const text = this.#doc.child(key)
    return text === undefined ? undefined : this.#read(key, text)
  }

  /** Adds or replaces. */
  set(key: string, row: Row): void {
    const text = JSON.stringify(row)
    if (text === undefined) throw new DocumentError('document/bad-value', `the row ${key} has no JSON`)
    this.#doc.stageChild(key, text)
  }

  /** False, and nothing is written, when there is none. */
  delete(key: string): boolean {
    if (this.#doc.child(key) === undefined) return false
    this.#doc.stageChild(key, deleted)
    return true
  }

  /** All rows, in no particular order. */
  *rows(): Generator<[string, Row]> {
    for (const [key, text] of this.#doc.entries()) yield [key, this.#read(key, text)]
  }

  search(matches: (row: Row, key: string) => boolean): [string, Row][] {
    return [...this.rows()].filter(([key, row]) => matches(row, key))
  }

  #read(key: string, text: unknown): Row {
    try {
      if (typeof text !== 'string') throw new Error('it is no text')
      return this.#schema.parse(JSON.parse(text))
    } catch (cause) {
      throw new DocumentError('document/bad-value', `the row ${key} is not readable`, { cause })
    }
  }
}

/** Tables of rows of one shape. */
export function table<Row>(schema: RowSchema<Row>): StoreKind<Table<Row>> {
  return {
    type: 'table:v0',
    defaultConfig: () => new Doc(),
    open: async (access) => new Table(await StagedDoc.open(access), schema),
  }
}
