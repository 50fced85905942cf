import { bundleRowText } from './payload-text.postgres.ts'
import type { Queryable } from './transaction.postgres.ts'

/** Rows of bundles as JSON text, separated by commas. */
export interface RowsText {
  readonly text: string
  readonly count: number
}

/**
 * Rows of one bundle after the first `held`: up to `maxRows`, and no more than fit into `maxBytes` of payload, but for the
 * first.
 */
export async function readBundleRows(
  db: Queryable,
  userPk: string,
  bundleSeq: number,
  held: number,
  maxRows: number,
  maxBytes: number,
): Promise<RowsText> {
  const { rows } = await db.query<{ text: string | null; count: string }>(
    `select string_agg(${bundleRowText}, ',' order by r.row_ordinal) as text, count(*)::text as count
     from (
       select *, sum(octet_length(payload_wire::text)) over (order by row_ordinal
           rows between unbounded preceding and 1 preceding) as before
       from (select * from sync.bundle_rows where user_pk = $1 and bundle_seq = $2 and row_ordinal > $3
         order by row_ordinal limit $4) page
     ) r join sync.table_catalog c on c.table_id = r.table_id
     where coalesce(r.before, 0) < $5`,
    [userPk, bundleSeq, held, maxRows, maxBytes],
  )
  return { text: rows[0]!.text ?? '', count: Number(rows[0]!.count) }
}

/** The rows of each of the bundles from `first` to `last`, whole. */
export async function readWholeBundles(
  db: Queryable,
  userPk: string,
  first: number,
  last: number,
): Promise<ReadonlyMap<number, string>> {
  const { rows } = await db.query<{ seq: string; text: string }>(
    `select r.bundle_seq::text as seq, string_agg(${bundleRowText}, ',' order by r.row_ordinal) as text
     from sync.bundle_rows r join sync.table_catalog c on c.table_id = r.table_id
     where r.user_pk = $1 and r.bundle_seq between $2 and $3 group by r.bundle_seq`,
    [userPk, first, last],
  )
  return new Map(rows.map((row) => [Number(row.seq), row.text]))
}
