import type { NostrEvent } from '../event.ts'
import type { SyncPage, SyncPageCursor, SyncPageRequest } from '../sync-page-frame.ts'
import type { AttemptState } from './attempt-state.ts'
import type { EventsCheckpoint } from './checkpoint.ts'
import type { Interval } from './coverage.ts'
import { refusal } from './relay-answer.ts'
import { reasonPrefix } from './relay-frame.ts'
import { windowFilter } from './window-filter.ts'

/** Silence after a request: the relay does not know the frame. */
const waitMs = 30_000
const lastId = 'f'.repeat(64)

/** The relay does not answer SYNC-PAGE, or not so that a walk can rely on it: find the difference in another way. */
export class SyncPageUnsupported extends Error {
  override readonly name = 'SyncPageUnsupported'
}

/**
 * Walks a range from its oldest second to its newest by keyset pages (specs §3.9), committing each page with the cursor
 * and the seconds it proved complete.
 *
 * @throws SyncPageUnsupported when the relay refuses, or breaks the order that the walk rests on
 */
export async function walkSyncPages<Tx>(state: AttemptState<Tx>, range: Interval): Promise<void> {
  const { learned, info, settings } = state
  if (learned.syncPage?.works === false) throw new SyncPageUnsupported(learned.syncPage.reason)
  if (info.syncPage === undefined && settings.mode !== 'sync_page')
    throw new SyncPageUnsupported('the relay does not say that it answers SYNC-PAGE')
  const filter = windowFilter(state.filter, range)
  const limit = Math.min(settings.maxFilterLimit, info.syncPage?.maxLimit ?? settings.maxFilterLimit)
  let after: SyncPageCursor | null = null
  for (;;) {
    state.session.signal.throwIfAborted()
    const page: SyncPage = await answered(state, { filter, limit, order: 'asc', after, until: null })
    const problem = brokenRule(state, page, after, filter)
    if (problem !== undefined) {
      state.notes.fault = 'peer_protocol_violation'
      throw new SyncPageUnsupported(`its pages cannot be relied on: ${problem}`)
    }
    const { next } = page
    const upTo = page.complete ? range[1] : next === null ? undefined : next[0] - 1
    await state.receive(page.raws, (checkpoint) => advanced(state, checkpoint, next, [range[0], upTo]))
    if (page.complete) return
    after = next
  }
}

function advanced<Tx>(
  state: AttemptState<Tx>,
  checkpoint: EventsCheckpoint,
  next: SyncPageCursor | null,
  [from, to]: readonly [number, number | undefined],
): EventsCheckpoint {
  const pageCursor = next === null ? checkpoint.pageCursor : ([next[0], next[1]] satisfies [number, string])
  const moved = pageCursor === undefined ? checkpoint : { ...checkpoint, pageCursor }
  return to === undefined ? moved : state.covering(moved, [from, to])
}

async function answered<Tx>(state: AttemptState<Tx>, request: SyncPageRequest): Promise<SyncPage> {
  const { client, pace } = state
  for (;;) {
    const reply = await client.page(request, waitMs)
    if (reply.kind === 'page') {
      pace.ease()
      return reply.page
    }
    const prefix = reasonPrefix(reply.reason)
    if (prefix === 'rate-limited') {
      if (await pace.pause()) continue
      throw refusal(client.url, 'SYNC-PAGE', reply.reason)
    }
    throw new SyncPageUnsupported(reply.reason)
  }
}

/** What of the rules of a page is broken, in words: each of them is what completeness rests on (E-93). */
function brokenRule<Tx>(
  state: AttemptState<Tx>,
  { raws, next, complete, rawCount }: SyncPage,
  after: SyncPageCursor | null,
  filter: ReturnType<typeof windowFilter>,
): string | undefined {
  if (rawCount < raws.length) return 'it counts fewer rows than it sends'
  if (state.matching(raws, filter).length < raws.length) return 'it sends what does not match'
  let last: SyncPageCursor | null = after
  for (const raw of raws) {
    const key = keyOf(raw)
    if (key === undefined) return 'it sends what is no event'
    if (last !== null && !isAfter(key, last)) return 'its events are out of order'
    last = key
  }
  if (next === null) return complete && rawCount === 0 ? undefined : 'it names no next key'
  if (last !== null && isAfter(last, next)) return 'its next key lies before its events'
  if (after !== null && !isAfter(next, after) && !(complete && rawCount === 0)) return 'it does not advance'
  if (next[0] > (filter.until ?? Number.MAX_SAFE_INTEGER)) return 'its next key lies outside'
  return undefined
}

function keyOf(raw: string): SyncPageCursor | undefined {
  try {
    const { created_at: time, id } = JSON.parse(raw) as Partial<NostrEvent>
    return Number.isSafeInteger(time) && typeof id === 'string' && id <= lastId
      ? [time as number, id]
      : undefined
  } catch {
    return undefined
  }
}

function isAfter([time, id]: SyncPageCursor, [otherTime, otherId]: SyncPageCursor): boolean {
  return time > otherTime || (time === otherTime && id > otherId)
}
