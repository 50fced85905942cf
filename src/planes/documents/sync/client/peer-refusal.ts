import { DocumentError, type DocumentErrorCode } from '../../document-error.ts'
import type { SyncResponse, WireErrorCode } from '../wire/response.ts'

/** The responder does not know the session any more, or its time: greet it again. Never leaves the client. */
export const staleError = new Error('the session is stale')

const codes: Readonly<Record<Exclude<WireErrorCode, 'stale' | 'expired'>, DocumentErrorCode>> = {
  'bad-request': 'document/peer-protocol',
  version: 'document/peer-protocol',
  unauthentic: 'document/peer-refused',
  replayed: 'document/peer-refused',
  'not-found': 'document/peer-not-found',
  denied: 'document/peer-denied',
  busy: 'document/peer-refused',
  internal: 'document/peer-refused',
}

/** What an answer of another type than the one asked for means. */
export function refusalOf(response: SyncResponse, asked: string): Error {
  if (response.type !== 'error') {
    const message = `the peer broke the protocol: it answered ${response.type} to ${asked}`
    return new DocumentError('document/peer-protocol', message)
  }
  // Also when its clock was set: we count from the time it last told us.
  if (response.code === 'stale' || response.code === 'expired') return staleError
  return new DocumentError(codes[response.code], `the peer refused (${response.code}): ${response.message}`)
}
