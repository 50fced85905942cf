import { SyncError } from '../kernel/sync-error.ts'
import { DocumentError, type DocumentErrorCode } from '../planes/documents/document-error.ts'

export interface HttpErrorOptions {
  /** A stable word for programs; default: the status. */
  readonly code?: string | undefined
  /** Several sentences, one per thing that is wrong; for a 422. */
  readonly messages?: readonly string[] | undefined
  readonly retryAfterSeconds?: number | undefined
}

/** A request that is answered with an error status. The message is for the person behind the client. */
export class HttpError extends Error {
  override readonly name = 'HttpError'
  readonly status: number
  readonly code: string
  readonly messages: readonly string[]
  readonly retryAfterSeconds: number | undefined

  constructor(status: number, message: string, { code, messages, retryAfterSeconds }: HttpErrorOptions = {}) {
    super(message)
    this.status = status
    this.code = code ?? (codes[status] as string)
    this.messages = messages ?? [message]
    this.retryAfterSeconds = retryAfterSeconds
  }
}

const codes: Readonly<Record<number, string>> = {
  400: 'malformed',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not-found',
  409: 'conflict',
  413: 'too-large',
  415: 'unsupported-media-type',
  422: 'invalid',
  429: 'too-many-requests',
  500: 'internal/bug',
  503: 'unavailable',
}

const titles: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  409: 'Conflict',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  422: 'Unprocessable Content',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
}

export const notFound = () => new HttpError(404, 'Resource not found')
export const unauthorized = () => new HttpError(401, 'Invalid or missing API key')
export const invalid = (messages: readonly string[], code?: string) =>
  new HttpError(422, messages.join('; '), { messages, code })

/** What of documents is not a matter of what was asked for; all else is a 422. */
const documentStatus: Readonly<Partial<Record<DocumentErrorCode, number>>> = {
  'document/unknown-database': 404,
  'document/not-found': 404,
  'document/unknown-peer': 404,
  'document/no-key': 403,
  'document/permission-denied': 403,
  'document/access-request': 409,
  'document/access-pending': 409,
  'document/transport': 409,
  'document/sync-incomplete': 503,
  'document/unreachable': 503,
  'document/peer-protocol': 503,
  'document/peer-refused': 503,
  'document/peer-not-found': 409,
  'document/peer-denied': 409,
}

/** What a thrown value means over HTTP; what nobody expected says nothing about the inside. */
export function toHttpError(error: unknown): HttpError {
  if (error instanceof HttpError) return error
  if (error instanceof DocumentError) {
    const status = documentStatus[error.code] ?? 422
    return new HttpError(status, error.message, { code: error.code })
  }
  if (!(error instanceof SyncError)) return new HttpError(500, 'the node failed; its log says how')
  const { code, message } = error
  if (code === 'config/invalid' || code === 'data/invalid') return new HttpError(422, message, { code })
  if (error.retryable) {
    const retryAfterSeconds = Math.ceil((error.retryAfterMs ?? 1_000) / 1_000)
    return new HttpError(503, message, { code, retryAfterSeconds })
  }
  return new HttpError(500, message, { code })
}

/**
 * The answer to a failed request. 401, 404 and 422 have relay.rb's bodies, because its clients read them; every other
 * error, and these three for who accepts `application/problem+json`, is a problem document (RFC 9457). Decision 0013.
 */
export function errorResponse(error: HttpError, accept: string | undefined): Response {
  const { status, message, code, messages, retryAfterSeconds } = error
  const headers = new Headers({ 'cache-control': 'no-store' })
  if (retryAfterSeconds !== undefined) headers.set('retry-after', String(retryAfterSeconds))
  if (status === 401) headers.set('www-authenticate', 'Bearer')
  const problem = accept?.includes('application/problem+json') === true
  if (!problem && (status === 401 || status === 404)) return json({ error: message }, status, headers)
  if (!problem && status === 422) return json({ errors: messages }, status, headers)
  headers.set('content-type', 'application/problem+json')
  const body = { type: 'about:blank', title: titles[status] ?? 'Error', status, detail: message, code }
  return json(body, status, headers)
}

function json(body: unknown, status: number, headers: Headers): Response {
  if (!headers.has('content-type')) headers.set('content-type', 'application/json')
  return new Response(JSON.stringify(body), { status, headers })
}
