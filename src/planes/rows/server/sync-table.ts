import type { SyncKeyKind } from '../wire/sync-key.ts'

/** How values of a column are treated between the wire and PostgreSQL (§2.14.5). */
export type ColumnKind = 'bytea' | 'number' | 'other'

export interface SyncColumn {
  readonly name: string
  readonly quoted: string
  readonly kind: ColumnKind
  /** Computed by the database: sent to clients, never written (§12 item 17). */
  readonly generated: boolean
}

/** A registered table as the database has it. All names are lowercase. */
export interface SyncTable {
  /** Position in the sorted list of registered tables, from 1; in `sync.table_catalog`. */
  readonly id: number
  readonly schema: string
  readonly name: string
  /** `schema.name`, by which everything is looked up. */
  readonly key: string
  /** For SQL text. */
  readonly quoted: string
  readonly keyColumn: string
  readonly keyKind: SyncKeyKind
  /** Without the scope column. */
  readonly columns: ReadonlyMap<string, SyncColumn>
  readonly byteaColumns: readonly string[]
  readonly numberColumns: readonly SyncColumn[]
  /** The names of all columns, sorted; undefined if the value of one is not staged as it is sent: bytea, generated. */
  readonly sortedColumns: readonly string[] | undefined
  /** All columns are of types that PostgreSQL writes into JSON just as canonical JSON has them, but for some characters. */
  readonly isPlain: boolean
}

/** The registered tables of a service. */
export class SyncTables {
  readonly ordered: readonly SyncTable[]
  readonly #byKey: ReadonlyMap<string, SyncTable>

  /** `ordered` by id. */
  constructor(ordered: readonly SyncTable[]) {
    this.ordered = ordered
    this.#byKey = new Map(ordered.map((table) => [table.key, table]))
  }

  find(schema: string, name: string): SyncTable | undefined {
    return this.#byKey.get(`${schema}.${name}`)
  }

  /** Throws on an id that is not in the catalog. */
  byId(id: number): SyncTable {
    const table = this.ordered[id - 1]
    if (table === undefined) throw new RangeError(`no registered table has the id ${id}`)
    return table
  }
}
