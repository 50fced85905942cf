import type { NostrEvent } from '../event.ts'
import { peekId } from '../event-parser.ts'
import type { Filter } from '../filter.ts'
import type { AttemptState } from './attempt-state.ts'
import type { EventsCheckpoint } from './checkpoint.ts'
import type { Interval } from './coverage.ts'
import { type FetchResult, refusal } from './relay-answer.ts'
import { reasonPrefix } from './relay-frame.ts'

/** No relay hands out fewer events at once, unless it says so; a smaller page is never taken for a clamped one. */
export const smallestClamp = 10

export interface Page {
  readonly raws: readonly string[]
  readonly ids: readonly string[]
  readonly times: readonly number[]
  readonly hint: FetchResult['hint']
}

/** One REQ of the walk. Without EOSE in time, or closed, nothing is known about the page, and that throws. */
export async function fetchPage<Tx>(state: AttemptState<Tx>, filter: Filter): Promise<Page> {
  const limit = pageLimit(state)
  const result = await answered(state, { ...filter, limit })
  const raws: string[] = []
  const ids: string[] = []
  const times: number[] = []
  // What does not match was not asked for; letting it steer the walk would let a peer skip seconds.
  for (const raw of state.matching(result.raws, filter)) {
    const id = peekId(raw)
    const time = createdAt(raw)
    if (id === undefined || time === undefined) continue
    raws.push(raw)
    ids.push(id)
    times.push(time)
  }
  state.mark('eose')
  return { raws, ids, times, hint: result.hint }
}

/** The relay's answer, after the pauses and with the smaller limits it may ask for (specs §2.18). */
async function answered<Tx>(state: AttemptState<Tx>, filter: Filter): Promise<FetchResult> {
  const { client, pace, settings } = state
  for (let limit = filter.limit ?? settings.maxFilterLimit; ; ) {
    const result = await client.fetch({ ...filter, limit }, limit * 2, settings.pollingTimeoutMs)
    if (result.end === 'eose') {
      pace.ease()
      return result
    }
    const prefix = reasonPrefix(result.reason)
    if (prefix === 'rate-limited' && (await pace.pause())) continue
    const smaller = (prefix === 'invalid' || prefix === 'unsupported') && /limit/i.test(result.reason)
    if (!smaller || limit <= smallestClamp) throw refusal(client.url, 'a REQ', result.reason)
    limit = Math.max(smallestClamp, limit >> 1)
    state.learn({ maxLimit: limit })
  }
}

function createdAt(raw: string): number | undefined {
  try {
    const { created_at } = JSON.parse(raw) as Partial<NostrEvent>
    return Number.isSafeInteger(created_at) ? created_at : undefined
  } catch {
    return undefined
  }
}

function pageLimit<Tx>({ settings, info, learned }: AttemptState<Tx>): number {
  const most = settings.maxFilterLimit
  return Math.min(most, info.maxLimit ?? most, learned.maxLimit ?? most)
}

export const covered =
  <Tx>(state: AttemptState<Tx>, interval: Interval) =>
  (checkpoint: EventsCheckpoint): EventsCheckpoint =>
    state.covering(checkpoint, interval)
