import { RowsError } from './rows-error.ts'
import type { Scope } from './scope.postgres.ts'
import type { Queryable } from './transaction.postgres.ts'

/** What is known of a writer of a scope; `unknown` ones may begin with their first bundle. */
export interface Source {
  readonly sourceId: string
  readonly state: 'unknown' | 'active' | 'reserved' | 'retired'
  /** Of its bundles, the last that was committed; 0 before the first. */
  readonly committed: number
  /** Empty unless it is retired. */
  readonly replacedBy: string
}

/** Locks the source's record, if it has one. */
export async function lockSource(tx: Queryable, userPk: string, sourceId: string): Promise<Source> {
  const { rows } = await tx.query<{
    state: Source['state']
    committed: string
    replaced_by_source_id: string
  }>(
    `select state, max_committed_source_bundle_id::text as committed, replaced_by_source_id
     from sync.source_state where user_pk = $1 and source_id = $2 for update`,
    [userPk, sourceId],
  )
  const row = rows[0]
  if (row === undefined) return { sourceId, state: 'unknown', committed: 0, replacedBy: '' }
  return {
    sourceId,
    state: row.state,
    committed: Number(row.committed),
    replacedBy: row.replaced_by_source_id,
  }
}

export function refuseRetired({ sourceId, state, replacedBy }: Source): void {
  if (state !== 'retired') return
  throw new RowsError('source_retired', 'this source was replaced and can never push again', {
    source_id: sourceId,
    ...(replacedBy === '' ? {} : { replaced_by_source_id: replacedBy }),
  })
}

/** Throws unless `sourceBundleId` is the source's next; `history_pruned` for one that is long committed. */
export function refuseOutOfOrder(source: Source, sourceBundleId: number): void {
  const expected = source.committed + 1
  if (sourceBundleId < expected)
    throw new RowsError(
      'history_pruned',
      `bundle ${sourceBundleId} of this source was committed once and its record is gone; the last was ${source.committed}`,
      { maxCommittedSourceBundleId: source.committed },
    )
  if (sourceBundleId > expected)
    throw new RowsError(
      'source_sequence_out_of_order',
      `bundle ${sourceBundleId} of this source cannot come before ${expected}`,
    )
}

/** Records that the source committed its bundle `sourceBundleId`. */
export async function activateSource(
  tx: Queryable,
  { userPk }: Pick<Scope, 'userPk'>,
  sourceId: string,
  sourceBundleId: number,
): Promise<void> {
  await tx.query(
    `insert into sync.source_state (user_pk, source_id, state, max_committed_source_bundle_id)
     values ($1, $2, 'active', $3)
     on conflict (user_pk, source_id) do update set state = 'active', max_committed_source_bundle_id = $3`,
    [userPk, sourceId, sourceBundleId],
  )
}
