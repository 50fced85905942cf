import { SyncError } from '../../../kernel/sync-error.ts'
import { decodeHex, encodeHex, minFrameLimit } from '../../../negentropy/index.ts'
import { everything, type Reconciler } from '../event-store.ts'
import type { Filter } from '../filter.ts'
import type { AttemptState } from './attempt-state.ts'
import type { Interval } from './coverage.ts'
import { type NegReply, refusal } from './relay-answer.ts'
import { reasonPrefix } from './relay-frame.ts'

/** A relay that does not speak NIP-77 often says nothing at all. */
const openWaitMs = 10_000
const messageWaitMs = 60_000
/** Hex doubles a message; this fits the common 128 KiB limit of a WebSocket message. */
const frameLimit = 60_000
/** Windows are halved down to this when the relay refuses their size. */
const minWindowSeconds = 60
/** Events may be dated ahead by a clock that is wrong; beyond this there are none worth a window of their own. */
const futureSeconds = 86_400

/** The relay does not speak NIP-77, or not to us: page instead. */
export class NegentropyUnsupported extends Error {
  override readonly name = 'NegentropyUnsupported'
}

export interface Difference {
  readonly have: readonly string[]
  readonly need: readonly string[]
}

/** The relay let the session go while what it had revealed was being moved: done with that, it is opened anew. */
export interface Interrupted {
  readonly interrupted: string
}

/** Sessions in a row that end early without having revealed anything. */
const maxFruitless = 3

/**
 * Finds the difference between our events and the peer's for the link's filter, over the whole of `range`, newest
 * window first. Windows start as large as the range and are halved when the relay refuses their size.
 *
 * Yields what each message revealed, a window once it is completely known, and each interruption: the consumer moves
 * everything found so far before it asks for more, or the next session would find it again.
 */
export async function* reconcile<Tx>(
  state: AttemptState<Tx>,
  range: Interval,
): AsyncGenerator<Difference | Interrupted | { readonly complete: Interval }> {
  const windows: Interval[] = [range]
  let fruitless = 0
  for (let window = windows.pop(); window !== undefined; window = windows.pop()) {
    const end = yield* reconcileWindow(state, window)
    if (end.kind === 'done') {
      fruitless = 0
      yield { complete: window }
    } else if (end.kind === 'interrupted') {
      fruitless = end.learned ? 0 : fruitless + 1
      if (fruitless >= maxFruitless) {
        throw new SyncError('peer/busy', `${state.client.url} keeps ending the reconciliation: ${end.reason}`)
      }
      windows.push(window)
      yield { interrupted: end.reason }
    } else windows.push(...smaller(window, state.nowSeconds() + futureSeconds, end.reason))
  }
}

/** Two parts of a window; what lies ahead of all clocks is set apart first, as nearly all of time has no events. */
function smaller([from, to]: Interval, horizon: number, reason: string): [Interval, Interval] {
  if (to - from < minWindowSeconds) throw new NegentropyUnsupported(reason)
  const middle = from < horizon && to > horizon ? horizon : from + Math.floor((to - from) / 2)
  return [
    [from, middle],
    [middle + 1, to],
  ]
}

type WindowEnd =
  | { readonly kind: 'done' }
  | { readonly kind: 'too-big'; readonly reason: string }
  | { readonly kind: 'interrupted'; readonly reason: string; readonly learned: boolean }

async function* reconcileWindow<Tx>(
  state: AttemptState<Tx>,
  window: Interval,
): AsyncGenerator<Difference, WindowEnd> {
  const { client, session } = state
  const filter = windowFilter(state.filter, window)
  await using reconciler = await openReconciler(state, filter)
  const id = client.nextId()
  let message = await reconciler.initiate()
  let learned = false
  try {
    for (let first = true; ; first = false) {
      session.signal.throwIfAborted()
      state.counters.rounds++
      state.counters.bytesSent += message.byteLength
      const hex = encodeHex(message)
      const reply = first
        ? await client.negOpen(id, filter, hex, openWaitMs)
        : await client.negMessage(id, hex, messageWaitMs)
      if (reply.kind !== 'message') return refused(client.url, reply, first, learned)
      const received = fromHex(client.url, reply.hex)
      state.counters.bytesReceived += received.byteLength
      const { reply: next, have, need } = await stepOf(reconciler, received, client.url)
      if (have.length > 0 || need.length > 0) {
        learned = true
        yield { have, need }
      }
      if (next === undefined) return { kind: 'done' }
      message = next
    }
  } finally {
    await client.negClose(id)
  }
}

/** What anything but a message means for the window. Throws what ends the reconciliation as a whole. */
function refused(
  url: string,
  reply: Exclude<NegReply, { kind: 'message' }>,
  first: boolean,
  learned: boolean,
): WindowEnd {
  const { reason } = reply
  if (reply.kind === 'unsupported') {
    if (first) throw new NegentropyUnsupported(reason)
    throw new SyncError('peer/unreachable', `${url} stopped answering within a reconciliation: ${reason}`)
  }
  const prefix = reasonPrefix(reason)
  const tooBig = reply.max !== undefined || (prefix === 'blocked' && /too (big|many|large)/i.test(reason))
  if (tooBig) return { kind: 'too-big', reason }
  if (prefix === 'closed') return { kind: 'interrupted', reason, learned }
  if (prefix === 'rate-limited') throw refusal(url, 'NEG-OPEN', reason)
  if (prefix === 'auth-required' || prefix === 'restricted') throw refusal(url, 'NEG-OPEN', reason)
  throw new NegentropyUnsupported(reason)
}

function fromHex(url: string, hex: string): Uint8Array {
  try {
    return decodeHex(hex)
  } catch (error) {
    throw new SyncError('peer/protocol', `${url} sent a negentropy message that is not hex`, { cause: error })
  }
}

async function stepOf(reconciler: Reconciler, message: Uint8Array, url: string) {
  try {
    return await reconciler.step(message)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new SyncError('peer/protocol', `${url} sent a broken negentropy message: ${reason}`, {
      cause: error,
    })
  }
}

function openReconciler<Tx>(state: AttemptState<Tx>, filter: Filter): Promise<Reconciler> {
  const cap = state.info.maxMessageLength
  const fits = cap === undefined ? frameLimit : Math.floor((cap - JSON.stringify(filter).length - 128) / 2)
  const limit = Math.min(frameLimit, fits)
  if (limit < minFrameLimit)
    throw new NegentropyUnsupported(`messages of at most ${cap} bytes are too small for it`)
  return state.store.reconciler({ role: 'initiator', filter, visibility: everything, frameLimit: limit })
}

/** The link's filter within a window; bounds the whole of time needs are left out, for peers that match filters by text. */
export function windowFilter(filter: Filter, [from, to]: Interval): Filter {
  const since = Math.max(filter.since ?? 0, from)
  const until = Math.min(filter.until ?? Number.MAX_SAFE_INTEGER, to)
  return {
    ...filter,
    ...(since > 0 ? { since } : {}),
    ...(until < Number.MAX_SAFE_INTEGER ? { until } : {}),
  }
}

/** One round of the whole filter: equal sets are answered with nothing to add. Undefined: the relay did not answer. */
export async function isEqualSet<Tx>(state: AttemptState<Tx>): Promise<boolean | undefined> {
  const { client } = state
  const id = client.nextId()
  await using reconciler = await openReconciler(state, state.filter)
  const hex = encodeHex(await reconciler.initiate())
  try {
    const reply = await client.negOpen(id, state.filter, hex, openWaitMs)
    if (reply.kind !== 'message') return undefined
    const { reply: next, have, need } = await stepOf(reconciler, fromHex(client.url, reply.hex), client.url)
    return next === undefined && have.length === 0 && need.length === 0
  } finally {
    await client.negClose(id)
  }
}
