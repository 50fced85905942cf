import type { IncomingMessage, ServerResponse } from 'node:http'

export interface HttpAnswers {
  /** The NIP-11 document as JSON text. */
  document(): string
  /** For a person who opened the address in a browser. */
  landing(): string
}

export const anyOrigin = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Allow-Headers': 'Accept, Content-Type, Authorization',
  'Access-Control-Allow-Methods': 'GET, HEAD, POST, OPTIONS',
} as const

/** Text is text: whatever an operator writes into the name of a relay never becomes HTML. */
const inert = {
  'X-Content-Type-Options': 'nosniff',
  'Content-Security-Policy': "default-src 'none'",
} as const

/**
 * Answers plain HTTP requests on the relay's path: NIP-11 for `Accept: application/nostr+json`, a plain text page for
 * others, OPTIONS for any origin. False: not ours (another path, another method); nothing was written.
 */
export function answerHttp(
  request: IncomingMessage,
  response: ServerResponse,
  answers: HttpAnswers,
): boolean {
  const path = request.url?.split('?', 1)[0]
  if (path !== '/') return false
  switch (request.method) {
    case 'OPTIONS':
      response.writeHead(204, { ...anyOrigin, 'Access-Control-Max-Age': '86400' }).end()
      return true
    case 'GET':
    case 'HEAD': {
      const wantsDocument = request.headers.accept?.includes('application/nostr+json') === true
      const type = wantsDocument ? 'application/nostr+json' : 'text/plain; charset=utf-8'
      const body = Buffer.from(wantsDocument ? answers.document() : answers.landing())
      response.writeHead(200, {
        ...anyOrigin,
        ...inert,
        'Content-Type': type,
        'Content-Length': body.length,
        Vary: 'Accept',
      })
      response.end(request.method === 'HEAD' ? undefined : body)
      return true
    }
    default:
      return false
  }
}
