import { isShallow } from '../json-scan.ts'
import type { Limits } from '../limits.ts'
import { type SyncPageRequest, syncPageCodec } from '../sync-page-frame.ts'

/** A client's frame (NIP-01, 42, 45, 77, and our SYNC-PAGE). Filters are not yet checked; `raw` is the sender's own text of an event. */
export type ClientFrame =
  | { readonly verb: 'EVENT' | 'AUTH'; readonly raw: string }
  | { readonly verb: 'REQ' | 'COUNT'; readonly id: string; readonly filters: readonly unknown[] }
  | { readonly verb: 'CLOSE' | 'NEG-CLOSE'; readonly id: string }
  | { readonly verb: 'NEG-OPEN'; readonly id: string; readonly filter: unknown; readonly message: Uint8Array }
  | { readonly verb: 'NEG-MSG'; readonly id: string; readonly message: Uint8Array }
  | { readonly verb: 'SYNC-PAGE'; readonly id: string; readonly request: SyncPageRequest }

/** Text that is no frame. `answer` is the complete answer to send: the clearest one the frame left possible. */
export interface BadFrame {
  readonly verb: 'bad'
  readonly answer: string
}

/** The verb and the place of the event, without parsing it: its text is stored and served as it came. */
const eventHead = /^\s*\[\s*"(EVENT|AUTH)"\s*,\s*/
const frameTail = /\s*\]\s*$/

/** Total: every text leads to a frame or to an answer. */
export function parseClientFrame(
  text: string,
  limits: Pick<Limits, 'maxJsonDepth' | 'maxSubscriptionId'>,
): ClientFrame | BadFrame {
  const head = eventHead.exec(text)
  if (head !== null) {
    const tail = frameTail.exec(text.slice(-64))
    if (tail === null) return bad('invalid: the frame is not a JSON array')
    const raw = text.slice(head[0].length, text.length - tail[0].length)
    return { verb: head[1] === 'AUTH' ? 'AUTH' : 'EVENT', raw }
  }
  if (!isShallow(text, limits.maxJsonDepth)) return bad('invalid: the frame is nested too deeply')
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return bad('invalid: the frame is not JSON')
  }
  if (!Array.isArray(value)) return bad('invalid: the frame is not a JSON array')
  const [verb, id, ...rest] = value as readonly unknown[]
  if (typeof verb !== 'string' || !isKnown(verb)) return bad('invalid: unknown kind of message')
  const longest = limits.maxSubscriptionId
  if (typeof id !== 'string' || id.length === 0 || id.length > longest)
    return bad(`invalid: a ${verb} needs a subscription id of 1 to ${longest} characters`)
  return framesByVerb[verb](verb, id, rest)
}

type Parser = (verb: string, id: string, rest: readonly unknown[]) => ClientFrame | BadFrame

const framesByVerb = {
  REQ: filtersFrame,
  COUNT: filtersFrame,
  CLOSE: (_verb, id) => ({ verb: 'CLOSE', id }),
  'NEG-OPEN': (_verb, id, [filter, hex, ...extra]) => {
    const message = extra.length === 0 ? bytesOf(hex) : undefined
    if (message === undefined) return negError(id, 'invalid: NEG-OPEN is [id, filter, hex message]')
    // One widespread client sends its filters as a list, like a REQ's.
    return {
      verb: 'NEG-OPEN',
      id,
      filter: Array.isArray(filter) && filter.length === 1 ? filter[0] : filter,
      message,
    }
  },
  'NEG-MSG': (_verb, id, [hex]) => {
    const message = bytesOf(hex)
    if (message === undefined) return negError(id, 'invalid: NEG-MSG is [id, hex message]')
    return { verb: 'NEG-MSG', id, message }
  },
  'NEG-CLOSE': (_verb, id) => ({ verb: 'NEG-CLOSE', id }),
  'SYNC-PAGE': (_verb, id, rest) => {
    const request = syncPageCodec.decodeRequest(rest)
    if (typeof request !== 'string') return { verb: 'SYNC-PAGE', id, request }
    return { verb: 'bad', answer: syncPageCodec.encodeError(id, `invalid: ${request}`) }
  },
} satisfies Record<string, Parser>

function isKnown(verb: string): verb is keyof typeof framesByVerb {
  return Object.hasOwn(framesByVerb, verb)
}

function filtersFrame(verb: string, id: string, filters: readonly unknown[]): ClientFrame | BadFrame {
  if (filters.length === 0)
    return { verb: 'bad', answer: closed(id, `invalid: a ${verb} needs at least one filter`) }
  return { verb: verb === 'COUNT' ? 'COUNT' : 'REQ', id, filters }
}

/** Undefined unless it is a string of whole bytes in hex. */
function bytesOf(hex: unknown): Uint8Array | undefined {
  if (typeof hex !== 'string' || hex.length % 2 !== 0 || hex.length === 0) return undefined
  const bytes = Buffer.from(hex, 'hex')
  // Buffer stops at the first character that is not hex.
  return bytes.length * 2 === hex.length ? bytes : undefined
}

/** What has no id to answer to is answered with a NOTICE. */
export const bad = (reason: string): BadFrame => ({ verb: 'bad', answer: noticeFrame(reason) })
const negError = (id: string, reason: string): BadFrame => ({ verb: 'bad', answer: negErr(id, reason) })

export function noticeFrame(reason: string): string {
  return JSON.stringify(['NOTICE', reason])
}

export function closed(id: string, reason: string): string {
  return JSON.stringify(['CLOSED', id, reason])
}

/** @param max the number of records that would be accepted (NIP-77) */
export function negErr(id: string, reason: string, max?: number): string {
  return JSON.stringify(max === undefined ? ['NEG-ERR', id, reason] : ['NEG-ERR', id, reason, max])
}

export function okFrame(id: string, accepted: boolean, reason: string): string {
  return JSON.stringify(['OK', id, accepted, reason])
}
