/** Ten tables, each but the first referring to the one before. */
export const tableNames = Array.from({ length: 10 }, (_, i) => `t${i}`)

export function sqliteTables(): string {
  return tableNames
    .map(
      (name, i) =>
        `CREATE TABLE ${name} (id TEXT PRIMARY KEY, parent_id TEXT ${
          i === 0 ? '' : `REFERENCES ${tableNames[i - 1]} (id) DEFERRABLE INITIALLY DEFERRED`
        }, title TEXT NOT NULL, body TEXT, amount INTEGER, created_at TEXT NOT NULL);`,
    )
    .join('\n')
}

/** The tables in a schema of PostgreSQL; `synced` or `copied`, with the same keys and references. */
export function postgresTables(schema: string): string {
  const tables = tableNames.map(
    (name) => `create table ${schema}.${name} (_sync_scope_id text not null, id uuid not null, parent_id uuid,
      title text not null, body text, amount bigint, created_at timestamptz not null, primary key (_sync_scope_id, id));`,
  )
  const references = tableNames.slice(1).map(
    (name, i) => `alter table ${schema}.${name} add foreign key (_sync_scope_id, parent_id)
      references ${schema}.${tableNames[i]} (_sync_scope_id, id) deferrable initially deferred;`,
  )
  return [`create schema ${schema};`, ...tables, ...references].join('\n')
}

export interface Row {
  readonly table: string
  readonly id: string
  readonly parentId: string | null
  readonly title: string
  readonly body: string
  readonly amount: number
  readonly createdAt: string
}

/** `total` rows, the same share per table, parents first. */
export function rows(total: number): Row[] {
  const perTable = Math.floor(total / tableNames.length)
  const id = (table: number, i: number) =>
    `${table.toString(16).padStart(8, '0')}-0000-4000-8000-${((i * 7919) % perTable).toString(16).padStart(12, '0')}`
  return tableNames.flatMap((table, t) =>
    Array.from({ length: perTable }, (_, i) => ({
      table,
      id: id(t, i),
      parentId: t === 0 ? null : id(t - 1, (i * 31) % perTable),
      title: `Title ${i} of ${table}`,
      body: `A body of some length, as notes and tasks have it: ${i * 104_729} and ${i}.`,
      amount: i * 1_000_003,
      createdAt: '2026-03-24T18:42:11+00:00',
    })),
  )
}
