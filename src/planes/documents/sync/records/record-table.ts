import type { Database } from '../../database.ts'
import { type RowSchema, type Table, table } from '../../stores/table.ts'

/** One table of the sync's own database, kept in memory as well: it is asked at every request, and nobody else writes it. */
export class RecordTable<Row> {
  readonly #database: Database
  readonly #name: string
  readonly #schema: RowSchema<Row>
  readonly #rows = new Map<string, Row>()
  /** One change at a time: two that began on the same state would be two branches, and one of a row would be lost. */
  #last: Promise<unknown> = Promise.resolve()

  private constructor(database: Database, name: string, schema: RowSchema<Row>) {
    this.#database = database
    this.#name = name
    this.#schema = schema
  }

  static async open<Row>(
    database: Database,
    name: string,
    schema: RowSchema<Row>,
  ): Promise<RecordTable<Row>> {
    const records = new RecordTable(database, name, schema)
    await database.read(async (view) => {
      const stored = await view.getStore(name, table(schema))
      for (const [key, row] of stored.rows()) records.#rows.set(key, row)
    })
    return records
  }

  get size(): number {
    return this.#rows.size
  }

  get(key: string): Row | undefined {
    return this.#rows.get(key)
  }

  entries(): Iterable<[string, Row]> {
    return this.#rows.entries()
  }

  values(): Iterable<Row> {
    return this.#rows.values()
  }

  /**
   * Replaces a row by what `change` makes of it; nothing is written when that is the same object, and undefined removes
   * it. Answers what is there then.
   */
  update(key: string, change: (row: Row | undefined) => Row | undefined): Promise<Row | undefined> {
    return this.#inTurn(async () => {
      const before = this.#rows.get(key)
      const after = change(before)
      if (after === before) return before
      await this.#write((rows) => (after === undefined ? rows.delete(key) : rows.set(key, after)))
      if (after === undefined) this.#rows.delete(key)
      else this.#rows.set(key, after)
      return after
    })
  }

  async #write(work: (rows: Table<Row>) => unknown): Promise<void> {
    await this.#database.transact(async (tx) => work(await tx.getStore(this.#name, table(this.#schema))))
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work)
    this.#last = result.catch(() => {})
    return result
  }
}
