import type { IncomingMessage } from 'node:http'
import { SyncError, type SyncErrorCode } from '../kernel/sync-error.ts'
import { tlsError } from './tls-error.ts'

/** Close frames that mean "I am done", as opposed to "something is wrong": normal, going away, no code given. */
const orderly: ReadonlySet<number> = new Set([1000, 1001, 1005])

interface Meaning {
  readonly code: SyncErrorCode
  readonly text: string
  readonly retryable?: boolean
}

/** RFC 6455 §7.4.1 and the IANA registry. What is missing is an application's own code (3000–4999). */
const closeCodes: Readonly<Record<number, Meaning>> = {
  1002: { code: 'peer/protocol', text: 'it found a mistake in the WebSocket protocol' },
  1003: { code: 'peer/protocol', text: 'it does not take this kind of message' },
  1006: { code: 'peer/unreachable', text: 'the connection broke without a closing handshake' },
  1007: { code: 'peer/protocol', text: 'it received text that is not UTF-8' },
  // Relays use 1008 for idle and crowded connections as well as for refusals: too weak a sign to stop for good.
  1008: {
    code: 'peer/rejected',
    text: 'its policy does not allow this connection; see its terms, or authenticate',
    retryable: true,
  },
  1009: { code: 'peer/protocol', text: 'a message was larger than it accepts; send smaller ones' },
  1010: { code: 'peer/protocol', text: 'it expected an extension' },
  1011: { code: 'peer/unreachable', text: 'it failed internally' },
  1012: { code: 'peer/unreachable', text: 'it is restarting' },
  1013: { code: 'peer/busy', text: 'it asks to be tried again later' },
  1014: { code: 'peer/unreachable', text: 'its gateway got no good answer' },
  3000: { code: 'peer/rejected', text: 'it asks for credentials', retryable: true },
  3003: { code: 'peer/rejected', text: 'it refuses our credentials', retryable: true },
  3008: { code: 'peer/unreachable', text: 'it timed out' },
}

/** @returns undefined when the peer closed in good order */
export function closeError(remote: string, code: number, reason: string): SyncError | undefined {
  if (orderly.has(code)) return undefined
  const meaning = closeCodes[code] ?? { code: 'peer/unreachable', text: 'for a reason of its own' }
  const said = reason === '' ? '' : `: "${reason}"`
  return new SyncError(
    meaning.code,
    `${remote} closed the connection (${code}): ${meaning.text}${said}`,
    meaning.retryable === undefined ? {} : { retryable: meaning.retryable },
  )
}

/** What an HTTP answer other than 101 means. `now` is wall time in ms, for a Retry-After that is a date. */
export function upgradeError(remote: string, response: IncomingMessage, now: number): SyncError {
  const status = response.statusCode ?? 0
  const where = `${remote} answered HTTP ${status}`
  if (status === 429 || status === 503) {
    const retryAfterMs = retryAfter(response.headers['retry-after'], now)
    const when = retryAfterMs === undefined ? '' : ` in ${Math.ceil(retryAfterMs / 1000)} s`
    return new SyncError('peer/busy', `${where}: it is busy; trying again${when}`, {
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    })
  }
  if (status === 401 || status === 403)
    return new SyncError(
      'peer/rejected',
      `${where}: it refuses this connection; check the credentials for it`,
    )
  if (status === 404 || status === 410)
    return new SyncError('peer/rejected', `${where}: there is nothing at this path; check the address`)
  if (status >= 300 && status < 400)
    return new SyncError(
      'peer/rejected',
      `${where}: it moved to ${quoted(response.headers.location)}; change the address if you trust the new one`,
    )
  if (status < 400 || status === 426)
    return new SyncError(
      'peer/rejected',
      `${where} instead of opening a WebSocket: there is no relay at this path; check the address`,
    )
  if (status === 408 || status === 425 || status >= 500)
    return new SyncError('peer/unreachable', `${where}: the server has trouble; it will be tried again`)
  return new SyncError('peer/rejected', `${where}: it does not take our request; check the address`, {
    retryable: true,
  })
}

/** What a failed connection or a broken stream means. `error` is what `ws`, TLS or the socket reported. */
export function connectionError(remote: string, error: unknown, maxPayload: number): SyncError {
  if (error instanceof SyncError) return error
  const certificate = tlsError(remote, error)
  if (certificate !== undefined) return certificate
  const code = codeOf(error)
  if (code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH')
    return new SyncError(
      'peer/protocol',
      `${remote} sent a message larger than ${maxPayload} bytes; the connection was closed`,
      { cause: error },
    )
  if (code.startsWith('WS_ERR_'))
    return new SyncError('peer/protocol', `${remote} broke the WebSocket protocol: ${textOf(error)}`, {
      cause: error,
    })
  const hint = hints[code]
  return new SyncError(
    'peer/unreachable',
    `no connection to ${remote}: ${textOf(error)}${hint === undefined ? '' : `; ${hint}`}`,
    { cause: error },
  )
}

const hints: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there; is the peer running?',
  ENOTFOUND: 'the name is not known; check the spelling and the DNS',
  EAI_AGAIN: 'the DNS did not answer; is this machine online?',
  ENETUNREACH: 'is this machine online?',
  EHOSTUNREACH: 'is this machine online?',
}

/** Retry-After in milliseconds: seconds, or an HTTP date (RFC 9110 §10.2.3). Capped at an hour: the peer is not our master. */
function retryAfter(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined
  const ms = /^\d{1,9}$/.test(value.trim()) ? Number(value) * 1000 : Date.parse(value) - now
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(0, ms), 3_600_000)
}

/** The addresses of a name are tried together and fail together: then the first one's code speaks for all. */
function codeOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return codeOf(error.errors[0])
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : ''
}

function textOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return textOf(error.errors[0])
  return error instanceof Error ? error.message : String(error)
}

function quoted(location: string | undefined): string {
  return location === undefined ? 'an address it did not name' : `"${location.slice(0, 200)}"`
}
