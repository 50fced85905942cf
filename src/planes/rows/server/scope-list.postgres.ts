import type { Queryable } from './transaction.postgres.ts'

export type ScopeStateName = 'uninitialized' | 'initializing' | 'initialized'

/** What the server keeps of one user. */
export interface ScopeSummary {
  readonly user: string
  readonly state: ScopeStateName
  /** The newest bundle; 0 before the first. */
  readonly latestBundle: number
  /** Bundles up to it are gone. */
  readonly retainedFloor: number
  /** Databases that have written, those that were replaced included. */
  readonly sources: number
}

export interface ScopeDetail extends ScopeSummary {
  readonly initializedAt: string | null
  readonly initializedBy: string | null
  /** Who may seed the scope until when, while it is being initialized. */
  readonly lease: { readonly source: string; readonly until: string } | null
  readonly tables: readonly { readonly table: string; readonly rows: number }[]
  readonly sourceList: readonly {
    readonly source: string
    readonly state: 'active' | 'reserved' | 'retired'
    readonly lastBundle: number
    readonly replacedBy: string | null
  }[]
}

const states: readonly ScopeStateName[] = ['uninitialized', 'initializing', 'initialized']

const summary = `
select u.user_pk::text as pk, u.user_id, coalesce(s.state_code, 0) as state, (u.next_bundle_seq - 1)::text as latest,
  u.retained_bundle_floor::text as floor,
  (select count(*) from sync.source_state x where x.user_pk = u.user_pk)::text as sources,
  s.initialized_at, s.initialized_by_source_id, s.initializer_source_id, s.lease_expires_at
from sync.user_state u left join sync.scope_state s on s.user_pk = u.user_pk`

interface SummaryRow {
  readonly pk: string
  readonly user_id: string
  readonly state: number
  readonly latest: string
  readonly floor: string
  readonly sources: string
  readonly initialized_at: Date | null
  readonly initialized_by_source_id: string | null
  readonly initializer_source_id: string | null
  readonly lease_expires_at: Date | null
}

/** Up to `limit` users after `after`, by name. Empty in a database that was never bootstrapped. */
export async function listScopes(
  db: Queryable,
  { after, limit }: { readonly after: string; readonly limit: number },
): Promise<readonly ScopeSummary[]> {
  if (!(await isBootstrapped(db))) return []
  const { rows } = await db.query<SummaryRow>(`${summary} where u.user_id > $1 order by u.user_id limit $2`, [
    after,
    limit,
  ])
  return rows.map(summaryOf)
}

/** Undefined if the user was never seen. */
export async function showScope(db: Queryable, user: string): Promise<ScopeDetail | undefined> {
  if (!(await isBootstrapped(db))) return undefined
  const { rows } = await db.query<SummaryRow>(`${summary} where u.user_id = $1`, [user])
  const [row] = rows
  if (row === undefined) return undefined
  const tables = await db.query<{ name: string; rows: string }>(
    `select c.schema_name || '.' || c.table_name as name, count(r.key_bytes)::text as rows from sync.table_catalog c
     left join sync.row_state r on r.table_id = c.table_id and r.user_pk = $1 and not r.deleted
     group by c.table_id, 1 order by c.table_id`,
    [row.pk],
  )
  const sources = await db.query<{ source_id: string; state: string; last: string; replaced: string }>(
    `select source_id, state, max_committed_source_bundle_id::text as last, replaced_by_source_id as replaced
     from sync.source_state where user_pk = $1 order by source_id`,
    [row.pk],
  )
  const { initializer_source_id: leased, lease_expires_at: until } = row
  return {
    ...summaryOf(row),
    initializedAt: row.initialized_at?.toISOString() ?? null,
    initializedBy: row.initialized_by_source_id,
    lease: leased === null || until === null ? null : { source: leased, until: until.toISOString() },
    tables: tables.rows.map((table) => ({ table: table.name, rows: Number(table.rows) })),
    sourceList: sources.rows.map(({ source_id: source, state, last, replaced }) => ({
      source,
      state: state as 'active' | 'reserved' | 'retired',
      lastBundle: Number(last),
      replacedBy: replaced === '' ? null : replaced,
    })),
  }
}

export async function isBootstrapped(db: Queryable): Promise<boolean> {
  const { rows } = await db.query<{ there: boolean }>(
    `select to_regclass('sync.user_state') is not null as there`,
  )
  return rows[0]!.there
}

function summaryOf(row: SummaryRow): ScopeSummary {
  return {
    user: row.user_id,
    state: states[row.state]!,
    latestBundle: Number(row.latest),
    retainedFloor: Number(row.floor),
    sources: Number(row.sources),
  }
}
