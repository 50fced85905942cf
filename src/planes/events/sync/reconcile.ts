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

/** The relay does not speak NIP-77, or not to us: page instead. */
export class NegentropyUnsupported extends Error {
  override readonly name = 'NegentropyUnsupported'
}

export interface Difference {
  readonly have: readonly string[]
  readonly need: readonly string[]
}

/**
 * Finds the difference between our events and the peer's for the link's filter, over the whole of `range`, newest
 * window first. Windows start as large as the range and are halved when the relay refuses their size.
 *
 * Yields what each message revealed, and a window once it is completely known.
 */
export async function* reconcile<Tx>(
  state: AttemptState<Tx>,
  range: Interval,
): AsyncGenerator<Difference | { readonly complete: Interval }> {
  const windows: Interval[] = [range]
  for (let window = windows.pop(); window !== undefined; window = windows.pop()) {
    const refused = yield* reconcileWindow(state, window)
    if (refused === undefined) {
      yield { complete: window }
      continue
    }
    const [from, to] = window
    if (to - from < minWindowSeconds) throw new NegentropyUnsupported(refused)
    const middle = from + Math.floor((to - from) / 2)
    windows.push([from, middle], [middle + 1, to])
  }
}

/** @returns the relay's words when it refuses the window's size, undefined when the window is done */
async function* reconcileWindow<Tx>(
  state: AttemptState<Tx>,
  window: Interval,
): AsyncGenerator<Difference, string | undefined> {
  const { client, session } = state
  const filter = windowFilter(state.filter, window)
  await using reconciler = await openReconciler(state, filter)
  const id = client.nextId()
  let message = await reconciler.initiate()
  let first = true
  try {
    for (;;) {
      session.signal.throwIfAborted()
      state.counters.rounds++
      state.counters.bytesSent += message.byteLength
      const hex = encodeHex(message)
      const reply = first
        ? await client.negOpen(id, filter, hex, openWaitMs)
        : await client.negMessage(id, hex, messageWaitMs)
      const received = accept(client.url, reply, first)
      if (received === undefined) return reply.kind === 'message' ? undefined : reply.reason
      state.counters.bytesReceived += received.byteLength
      const { reply: next, have, need } = await stepOf(reconciler, received, client.url)
      if (have.length > 0 || need.length > 0) yield { have, need }
      if (next === undefined) return undefined
      message = next
      first = false
    }
  } finally {
    await client.negClose(id)
  }
}

/** @returns the message's bytes, or undefined when the relay refuses the size of the query */
function accept(url: string, reply: NegReply, first: boolean): Uint8Array | undefined {
  if (reply.kind === 'message') return fromHex(url, reply.hex)
  if (reply.kind === 'unsupported') {
    if (first) throw new NegentropyUnsupported(reply.reason)
    throw new SyncError(
      'peer/unreachable',
      `${url} stopped answering within a reconciliation: ${reply.reason}`,
    )
  }
  const prefix = reasonPrefix(reply.reason)
  if (reply.max !== undefined || (prefix === 'blocked' && /too (big|many|large)/i.test(reply.reason)))
    return undefined
  if (prefix === 'closed')
    throw new SyncError('peer/busy', `${url} ended the reconciliation: ${reply.reason}`)
  if (prefix === 'auth-required' || prefix === 'restricted') throw refusal(url, 'NEG-OPEN', reply.reason)
  throw new NegentropyUnsupported(reply.reason)
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
