import type { SqliteTx } from '../../stores/sqlite/sqlite-tx.ts'
import { countSql, type IndexStretch, nthSql } from './event-cursor.sqlite.ts'
import { matchingBatches, type ReadScope } from './event-query.sqlite.ts'
import { chooseAccess, stretchesOf } from './event-scan.sqlite.ts'
import type { Visibility } from './event-store.ts'
import type { Filter } from './filter.ts'
import { planQuery } from './query-plan.ts'
import { SeqSet } from './seq-set.ts'
import type { TimeSlice } from './time-slice.sqlite.ts'

/** Rows counted by one statement: about a millisecond. */
const countedAtOnce = 20_000

/** Distinct events that match any of the filters and that the reader may see. */
export async function countMatches(
  scope: ReadScope,
  filters: readonly Filter[],
  visibility: Visibility,
): Promise<number> {
  const [only, ...others] = filters
  if (only !== undefined && others.length === 0) {
    const stretches = countableStretches(scope, only, visibility)
    if (stretches !== undefined) return countStretches(scope, stretches)
  }
  const seen = filters.length > 1 ? new SeqSet() : undefined
  let count = 0
  for (const filter of filters) {
    for await (const rows of matchingBatches(scope, filter, visibility, 'any')) {
      for (const row of rows) if (seen === undefined || seen.add(row.seq)) count += 1
    }
  }
  return count
}

/** Stretches of index that do not overlap and hold nothing but matches; undefined when rows must be looked at. */
function countableStretches(
  { tx, expired }: ReadScope,
  filter: Filter,
  { restrictedKinds, pubkeys, guard }: Visibility,
): IndexStretch[] | undefined {
  if (guard !== undefined) return undefined
  const access = chooseAccess(tx, filter)
  const plan = planQuery(filter, access)
  if (plan.needsEvent || plan.kinds !== undefined || expired.size > 0 || access.by === 'ids') return undefined
  if (access.by === 'tag' && access.values.length > 1) return undefined
  const stretches = stretchesOf(tx, plan)
  if (restrictedKinds.length === 0) return stretches
  if (access.by === 'tag' || access.by === 'time') return undefined
  const open = stretches.filter(({ values }) => !restrictedKinds.includes(Number(values.at(-1))))
  return pubkeys.length === 0 || open.length === stretches.length ? open : undefined
}

async function countStretches({ tx, slice }: ReadScope, stretches: readonly IndexStretch[]): Promise<number> {
  let count = 0
  for (const stretch of stretches) {
    count += await countStretch(tx, stretch, slice)
    if (slice.spent) await slice.rest()
  }
  return count
}

/** Cuts the stretch into spans of time that each hold about as much as one statement should count. */
async function countStretch(tx: SqliteTx, stretch: IndexStretch, slice: TimeSlice): Promise<number> {
  const { index, values, since } = stretch
  const nth = tx.prepare(nthSql(index))
  const within = tx.prepare(countSql(index))
  let count = 0
  for (let until = stretch.until; until >= since; ) {
    const row = nth.get(...values, since, until, countedAtOnce)
    const from = row === undefined ? since : Number(row.created_at)
    count += Number(within.get(...values, from, until)?.n)
    until = from - 1
    if (slice.spent) await slice.rest()
  }
  return count
}
