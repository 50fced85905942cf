import type { Queryable } from './transaction.postgres.ts'

/** What the database says about a table, as far as the rules of §3.3 need it. */
export interface TableShape {
  /** `schema.table` */
  readonly key: string
  /** `r` for an ordinary table; see pg_class.relkind. */
  readonly kind: string
  /** `p` for a permanent one; see pg_class.relpersistence. */
  readonly persistence: string
  readonly columns: readonly ColumnShape[]
  readonly uniques: readonly UniqueShape[]
  readonly foreignKeys: readonly ForeignKey[]
}

export interface ColumnShape {
  readonly name: string
  /** Name of the base type: `uuid`, `text`, `int4`, … */
  readonly type: string
  /** Type category of pg_type: `N` for numbers. */
  readonly category: string
  readonly notNull: boolean
  readonly generated: boolean
}

export interface UniqueShape {
  readonly name: string
  /** In order; null stands for an expression. */
  readonly columns: readonly (string | null)[]
  readonly partial: boolean
}

/** A foreign key of a registered table. */
export interface ForeignKey {
  readonly constraint: string
  readonly child: string
  readonly childColumns: readonly string[]
  readonly parent: string
  readonly parentColumns: readonly string[]
  /** `s` SIMPLE, `f` FULL, `p` PARTIAL. */
  readonly match: string
  /** `a` NO ACTION, `r` RESTRICT, `c` CASCADE, `n` SET NULL, `d` SET DEFAULT. */
  readonly onDelete: string
  readonly onUpdate: string
  readonly deferrable: boolean
}

const query = `
select n.nspname || '.' || c.relname as key, c.relkind as kind, c.relpersistence as persistence,
  (select coalesce(json_agg(json_build_object(
      'name', a.attname, 'type', coalesce(base.typname, t.typname), 'category', coalesce(base.typcategory, t.typcategory),
      'notNull', a.attnotnull, 'generated', a.attgenerated <> '' or a.attidentity = 'a') order by a.attnum), '[]')
    from pg_attribute a join pg_type t on t.oid = a.atttypid
      left join pg_type base on t.typtype = 'd' and base.oid = t.typbasetype
    where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped)::text as columns,
  (select coalesce(json_agg(json_build_object('name', ic.relname, 'partial', i.indpred is not null,
      'columns', (select json_agg(a.attname order by k.n)
        from unnest(i.indkey::int2[]) with ordinality k(attnum, n)
        left join pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum and k.attnum > 0
        where k.n <= i.indnkeyatts)) order by ic.relname), '[]')
    from pg_index i join pg_class ic on ic.oid = i.indexrelid
    where i.indrelid = c.oid and i.indisunique)::text as uniques,
  (select coalesce(json_agg(json_build_object('constraint', f.conname, 'child', n.nspname || '.' || c.relname,
      'parent', pn.nspname || '.' || p.relname, 'match', f.confmatchtype, 'onDelete', f.confdeltype,
      'onUpdate', f.confupdtype, 'deferrable', f.condeferrable,
      'childColumns', (select json_agg(a.attname order by k.n) from unnest(f.conkey) with ordinality k(attnum, n)
        join pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum),
      'parentColumns', (select json_agg(a.attname order by k.n) from unnest(f.confkey) with ordinality k(attnum, n)
        join pg_attribute a on a.attrelid = p.oid and a.attnum = k.attnum)) order by f.conname), '[]')
    from pg_constraint f join pg_class p on p.oid = f.confrelid join pg_namespace pn on pn.oid = p.relnamespace
    where f.conrelid = c.oid and f.contype = 'f')::text as foreign_keys
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname || '.' || c.relname = any($1::text[]) and c.relkind in ('r', 'p', 'v', 'm', 'f')`

/** The shapes of those of `keys` (`schema.table`) that exist. */
export async function readTableShapes(
  db: Queryable,
  keys: readonly string[],
): Promise<Map<string, TableShape>> {
  const { rows } = await db.query<Record<string, string>>(query, [keys])
  return new Map(
    rows.map((row) => [
      row.key!,
      {
        key: row.key!,
        kind: row.kind!,
        persistence: row.persistence!,
        columns: JSON.parse(row.columns!) as ColumnShape[],
        uniques: JSON.parse(row.uniques!) as UniqueShape[],
        foreignKeys: JSON.parse(row.foreign_keys!) as ForeignKey[],
      },
    ]),
  )
}
