import { RowsError } from './rows-error.ts'

/** Who asks: an authenticated user, and which of the user's databases (§2.2). */
export interface Actor {
  readonly userId: string
  /** Needed for everything but pull and snapshots without replacement. */
  readonly sourceId: string
}

/** Ids are parts of index keys and of notifications, both of which have limits of their own in PostgreSQL. */
const maxIdBytes = 1_000

/** The actor with its ids trimmed; throws `authentication_failed` if one that is needed is blank, or cannot be an id. */
export function checkActor({ userId, sourceId }: Actor, needsSource = true): Actor {
  const actor = { userId: userId.trim(), sourceId: sourceId.trim() }
  if (actor.userId === '')
    throw new RowsError('authentication_failed', 'the request has no authenticated user')
  if (needsSource && actor.sourceId === '')
    throw new RowsError('authentication_failed', 'the request does not say which source it comes from')
  for (const id of [actor.userId, actor.sourceId])
    if (id.includes('\0') || !id.isWellFormed() || Buffer.byteLength(id) > maxIdBytes)
      throw new RowsError(
        'authentication_failed',
        `a user or source id is longer than ${maxIdBytes} bytes, or holds characters that no text may hold`,
      )
  return actor
}
