import type { SourceReplacement } from '../wire/snapshot.ts'
import { type Actor, checkActor } from './actor.ts'
import { RowsError } from './rows-error.ts'
import { lockSource, refuseRetired } from './source.postgres.ts'
import type { Queryable } from './transaction.postgres.ts'

/** The replacement with its ids trimmed; throws `snapshot_session_invalid` unless it can be meant (§6.2). */
export function checkReplacement(
  { userId, sourceId }: Actor,
  replacement: SourceReplacement,
): SourceReplacement {
  const previous = replacement.previous_source_id.trim()
  const next = replacement.new_source_id.trim()
  if (previous !== sourceId) throw invalid('previous_source_id must be the source that asks')
  if (next === '' || next === previous) throw invalid('new_source_id must be another source')
  checkActor({ userId, sourceId: next })
  return { ...replacement, previous_source_id: previous, new_source_id: next }
}

/**
 * Retires one source for another, by the table of §6.2; asking again for the same replacement changes nothing. A retired
 * source can never push again, and its successor begins with its bundle 1.
 */
export async function replaceSource(
  tx: Queryable,
  userPk: string,
  replacement: SourceReplacement,
): Promise<void> {
  const previous = await lockSource(tx, userPk, replacement.previous_source_id)
  const next = await lockSource(tx, userPk, replacement.new_source_id)
  if (previous.state === 'retired') {
    if (previous.replacedBy !== next.sourceId) refuseRetired(previous)
    if (next.state === 'retired') throw known(next.sourceId)
    if (next.state === 'unknown') await reserve(tx, userPk, next.sourceId)
    return
  }
  if (next.state !== 'unknown') throw known(next.sourceId)
  await reserve(tx, userPk, next.sourceId)
  await tx.query(
    `insert into sync.source_state (user_pk, source_id, state, replaced_by_source_id, retirement_reason)
     values ($1, $2, 'retired', $3, $4)
     on conflict (user_pk, source_id) do update
       set state = 'retired', replaced_by_source_id = $3, retirement_reason = $4`,
    [userPk, previous.sourceId, next.sourceId, replacement.reason],
  )
}

async function reserve(tx: Queryable, userPk: string, sourceId: string): Promise<void> {
  await tx.query(`insert into sync.source_state (user_pk, source_id, state) values ($1, $2, 'reserved')`, [
    userPk,
    sourceId,
  ])
}

function invalid(message: string): RowsError {
  return new RowsError('snapshot_session_invalid', message)
}

function known(sourceId: string): RowsError {
  return new RowsError('source_replacement_invalid', `source ${sourceId} is known already: draw a fresh one`)
}
