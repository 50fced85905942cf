import { SyncError } from '../../../kernel/sync-error.ts'
import { decodeHex, encodeHex, minFrameLimit } from '../../../negentropy/index.ts'
import { everything, type Reconciler } from '../event-store.ts'
import type { Filter } from '../filter.ts'
import type { AttemptState } from './attempt-state.ts'
import type { Interval } from './coverage.ts'
import { type NegReply, refusal } from './relay-answer.ts'
import { reasonPrefix } from './relay-frame.ts'
import { windowFilter } from './window-filter.ts'

/** A relay that does not speak NIP-77 often says nothing at all. */
const probeWaitMs = 10_000
const messageWaitMs = 60_000
/** A stretch of time in which relays have few events, for asking whether they answer at all. */
const probeAgeSeconds = 10 * 86_400
/** Parrhesia takes filter and message of so many characters together (specs §5.16). */
const smallestPayload = 4_096
const maxDrops = 2

/** The relay does not speak NIP-77, or not to us: find the difference in another way. */
export class NegentropyUnsupported extends Error {
  override readonly name = 'NegentropyUnsupported'
}

/** Ids only the peer has, and ids only we have. */
export interface Difference {
  readonly need: readonly string[]
  readonly have: readonly string[]
}

export type WindowEnd =
  | { readonly kind: 'done' }
  /** The relay refuses the window for its size, or does not get it done in time. */
  | { readonly kind: 'too-big'; readonly reason: string }
  /** The relay has no room for a session now, whatever the window. */
  | { readonly kind: 'busy'; readonly reason: string }
  /** The relay let the session go while what it had revealed was being moved: done with that, it is opened anew. */
  | { readonly kind: 'interrupted'; readonly reason: string; readonly learned: boolean }
  /** No answer in time. */
  | { readonly kind: 'silent'; readonly reason: string }
  /** The relay refuses messages of this size; smaller ones come next. */
  | { readonly kind: 'frame'; readonly reason: string }

/**
 * Asks once, with next to nothing to compare, whether the relay speaks NIP-77: its word for it (NIP-11) is only a hint.
 *
 * @throws NegentropyUnsupported with what it answered
 */
export async function probe<Tx>(state: AttemptState<Tx>): Promise<void> {
  const { learned } = state
  if (learned.negentropy?.works === false) throw new NegentropyUnsupported(learned.negentropy.reason)
  if (learned.negentropy?.works === true) return
  const second = state.nowSeconds() - probeAgeSeconds
  const filter = windowFilter(state.filter, [second, second])
  if ((filter.since ?? 0) > (filter.until ?? second)) return
  await using reconciler = await openReconciler(state, filter)
  const reply = await probed(state, filter, encodeHex(await reconciler.initiate()))
  const constrained = reply.kind === 'error' && !isRefusal(reply.reason)
  if (reply.kind === 'message' || constrained) return state.learn({ negentropy: { works: true, reason: '' } })
  throw new NegentropyUnsupported(reply.reason)
}

/** The answer to the probe. A relay that hangs up on it once may have had its reasons; twice, and it is the probe. */
async function probed<Tx>(state: AttemptState<Tx>, filter: Filter, hex: string): Promise<NegReply> {
  const { client, learned } = state
  const drops = learned.negentropyDrops ?? 0
  if (drops >= maxDrops) throw new NegentropyUnsupported('it hangs up when it is asked by NEG-OPEN')
  const id = client.nextId()
  try {
    const reply = await client.negOpen(id, filter, hex, probeWaitMs)
    state.learn({ negentropyDrops: 0 })
    return reply
  } catch (error) {
    if (error instanceof SyncError && error.code === 'peer/unreachable') {
      state.learn({ negentropyDrops: drops + 1 })
      await state.advance((checkpoint) => checkpoint).catch(() => {})
    }
    throw error
  } finally {
    await client.negClose(id)
  }
}

/** An answer to a NEG-OPEN that says no to all of them, not to this one. */
function isRefusal(reason: string): boolean {
  const prefix = reasonPrefix(reason)
  if (prefix === 'auth-required' || prefix === 'restricted' || prefix === 'unsupported') return true
  return /disabled|unavailable|not (supported|enabled|allowed)|unsupported/i.test(reason)
}

/**
 * Compares one window. Yields what each message revealed.
 *
 * @throws NegentropyUnsupported where the relay takes back that it speaks NIP-77
 */
export async function* reconcileWindow<Tx>(
  state: AttemptState<Tx>,
  window: Interval,
): AsyncGenerator<Difference, WindowEnd> {
  const { client, session, settings } = state
  const filter = windowFilter(state.filter, window)
  await using reconciler = await openReconciler(state, filter)
  const id = client.nextId()
  let message = await reconciler.initiate()
  let learned = false
  let waitedMs = 0
  try {
    for (let first = true; ; first = false) {
      session.signal.throwIfAborted()
      state.counters.rounds++
      const asked = session.clock.monotonic()
      const left = Math.max(1_000, settings.negentropyTimeoutMs - waitedMs)
      const waitMs = Math.min(messageWaitMs, left)
      const hex = encodeHex(message)
      const reply = first
        ? await client.negOpen(id, filter, hex, waitMs)
        : await client.negMessage(id, hex, waitMs)
      waitedMs += session.clock.monotonic() - asked
      if (reply.kind !== 'message') return refused(state, reply, first, learned)
      const { reply: next, have, need } = await stepOf(reconciler, client.url, reply.hex)
      if (have.length > 0 || need.length > 0) {
        learned = true
        yield { have, need }
      }
      if (next === undefined) return { kind: 'done' }
      if (waitedMs >= settings.negentropyTimeoutMs) return { kind: 'too-big', reason: 'not done in time' }
      message = next
    }
  } finally {
    await client.negClose(id)
  }
}

/** Of the relay's words, those about how many sessions there are and not about what this one compares. */
const noRoom = /too many (\w+ ){0,2}(sessions|requests|subscriptions)/i

/** What anything but a message means for the window. Throws what ends the comparison as a whole. */
function refused<Tx>(
  state: AttemptState<Tx>,
  reply: Exclude<NegReply, { kind: 'message' }>,
  first: boolean,
  learned: boolean,
): WindowEnd {
  const { reason } = reply
  const { url } = state.client
  if (reply.kind === 'silent') return { kind: 'silent', reason }
  if (reply.kind === 'unsupported') {
    if (first) throw new NegentropyUnsupported(reason)
    throw new SyncError('peer/unreachable', `${url} stopped answering within a reconciliation: ${reason}`)
  }
  const prefix = reasonPrefix(reason)
  if (reply.max === undefined && /payload|frame size|message too/i.test(reason) && lowerFrame(state))
    return { kind: 'frame', reason }
  if (reply.max === undefined && prefix !== 'closed' && noRoom.test(reason)) return { kind: 'busy', reason }
  if (reply.max !== undefined || (prefix === 'blocked' && /too (big|many|large)/i.test(reason)))
    return { kind: 'too-big', reason }
  if (prefix === 'closed') return { kind: 'interrupted', reason, learned }
  if (prefix === 'rate-limited') throw refusal(url, 'NEG-OPEN', reason)
  throw new NegentropyUnsupported(reason)
}

/** False: they are as small as they can be. */
function lowerFrame<Tx>(state: AttemptState<Tx>): boolean {
  const characters = JSON.stringify(windowFilter(state.filter, [0, state.scanStart])).length + 128
  const frameLimit = Math.floor((smallestPayload - characters) / 2)
  if (frameLimit < minFrameLimit || frameLimit >= frameLimitOf(state, state.filter)) return false
  state.learn({ frameLimit })
  return true
}

async function stepOf(reconciler: Reconciler, url: string, hex: string) {
  try {
    return await reconciler.step(decodeHex(hex))
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    const message = `${url} sent a broken negentropy message: ${reason}`
    throw new SyncError('peer/protocol', message, { cause: error, fault: 'negentropy_broken' })
  }
}

function frameLimitOf<Tx>(state: AttemptState<Tx>, filter: Filter): number {
  const { info, settings, learned } = state
  const cap = info.maxMessageLength
  // Hex doubles a message, and the filter goes with the first one.
  const fits =
    cap === undefined ? settings.negentropyFrameSize : (cap - JSON.stringify(filter).length - 128) / 2
  return Math.min(
    settings.negentropyFrameSize,
    Math.floor(fits),
    learned.frameLimit ?? Number.MAX_SAFE_INTEGER,
  )
}

function openReconciler<Tx>(state: AttemptState<Tx>, filter: Filter): Promise<Reconciler> {
  const frameLimit = frameLimitOf(state, filter)
  if (frameLimit < minFrameLimit)
    throw new NegentropyUnsupported(`messages of ${frameLimit} bytes are too small for it`)
  return state.store.reconciler({ role: 'initiator', filter, visibility: everything, frameLimit })
}

/** One round over `filter`: equal sets are answered with nothing to add. Undefined: the relay did not answer. */
export async function isEqualSet<Tx>(state: AttemptState<Tx>, filter: Filter): Promise<boolean | undefined> {
  const { client } = state
  const id = client.nextId()
  await using reconciler = await openReconciler(state, filter)
  const hex = encodeHex(await reconciler.initiate())
  try {
    const reply = await client.negOpen(id, filter, hex, probeWaitMs)
    if (reply.kind !== 'message') return undefined
    const { reply: next, have, need } = await stepOf(reconciler, client.url, reply.hex)
    return next === undefined && have.length === 0 && need.length === 0
  } finally {
    await client.negClose(id)
  }
}
