import type { Clock } from '../../../kernel/clock.ts'
import { errorResponseSchema } from '../wire/error.ts'
import { parseJson } from '../wire/json-text.ts'
import type { JsonValue } from '../wire/json-value.ts'
import { sourceIdHeader } from '../wire/protocol.ts'
import { RowsClientError } from './client-error.ts'

export interface HttpLineOptions {
  /** Without a slash at its end. */
  readonly baseUrl: string
  /** The bearer token, asked for with every request. */
  readonly token: () => string | Promise<string>
  readonly fetch: typeof fetch
  readonly clock: Clock
  readonly timeoutMs: number
  /** An answer beyond this is refused unread. */
  readonly maxResponseBytes: number
}

export interface Call {
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** With its query. */
  readonly path: string
  readonly sourceId: string
  readonly signal: AbortSignal
  /** JSON text. */
  readonly body?: string | undefined
}

/** What validates an answer: a zod schema. */
interface Parser<T> {
  safeParse(
    value: unknown,
  ): { readonly success: true; readonly data: T } | { readonly success: false; readonly error: Error }
}

/** Requests to one server, with who we are, a deadline and a bound on what comes back. */
export class HttpLine {
  readonly #options: HttpLineOptions

  constructor(options: HttpLineOptions) {
    this.#options = options
  }

  /**
   * @throws RowsClientError `rows/unreachable`, `rows/server-refused`, `rows/server-answer`; the signal's reason; what `token`
   *   throws
   */
  async request<T>(call: Call, answer: Parser<T>): Promise<T> {
    const token = await this.#options.token()
    const { status, text } = await this.#within(call.signal, async (signal) => {
      const response = await this.#send(call, token, signal)
      return { status: response.status, text: await this.#read(response) }
    })
    if (status === 204 && text === '') return parsed(call, answer, undefined)
    return parsed(call, answer, json(call, text))
  }

  /** An answer that goes on: the caller reads and ends it. The deadline covers its beginning only. */
  async stream(call: Call): Promise<Response> {
    const token = await this.#options.token()
    const started = new AbortController()
    const { clock, timeoutMs } = this.#options
    const late = new AbortController()
    clock.sleep(timeoutMs, started.signal).then(
      () => late.abort(new Error(`no answer within ${timeoutMs} ms`)),
      () => {},
    )
    try {
      return await this.#send(call, token, AbortSignal.any([call.signal, late.signal]))
    } catch (error) {
      throw this.#failure(call.signal, error)
    } finally {
      started.abort()
    }
  }

  async #send(
    { method, path, sourceId, body, signal: callSignal }: Call,
    token: string,
    signal: AbortSignal,
  ): Promise<Response> {
    const { baseUrl } = this.#options
    const headers: Record<string, string> = {
      Authorization: `Bearer ${token}`,
      [sourceIdHeader]: sourceId,
    }
    if (body !== undefined) headers['Content-Type'] = 'application/json'
    let response: Response
    try {
      response = await this.#options.fetch(baseUrl + path, {
        method,
        headers,
        signal,
        ...(body === undefined ? {} : { body }),
      })
    } catch (error) {
      throw this.#failure(callSignal, error)
    }
    if (response.ok) return response
    throw refusal(method, path, response, await this.#read(response).catch(() => ''))
  }

  /** Runs `work` with a deadline, and takes the deadline's timer down whatever happens. */
  async #within<T>(signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { clock, timeoutMs } = this.#options
    const done = new AbortController()
    const late = new AbortController()
    clock.sleep(timeoutMs, done.signal).then(
      () => late.abort(new Error(`no answer within ${timeoutMs} ms`)),
      () => {},
    )
    try {
      return await work(AbortSignal.any([signal, late.signal]))
    } catch (error) {
      throw this.#failure(signal, error)
    } finally {
      done.abort()
    }
  }

  async #read(response: Response): Promise<string> {
    if (response.body === null) return ''
    const { maxResponseBytes } = this.#options
    const decoder = new TextDecoder()
    let bytes = 0
    let text = ''
    // Not every browser can iterate a stream.
    const reader = response.body.getReader()
    for (;;) {
      const { done, value: chunk } = await reader.read()
      if (done) return text + decoder.decode()
      bytes += chunk.byteLength
      if (bytes > maxResponseBytes) {
        await reader.cancel()
        throw new RowsClientError(
          'rows/server-answer',
          `the server's answer is larger than ${maxResponseBytes} bytes and was not read; ask for fewer rows at a time, or raise maxResponseBytes`,
        )
      }
      text += decoder.decode(chunk, { stream: true })
    }
  }

  #failure(signal: AbortSignal, error: unknown): unknown {
    if (signal.aborted) return signal.reason
    if (error instanceof RowsClientError) return error
    const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : ''
    return new RowsClientError(
      'rows/unreachable',
      `${this.#options.baseUrl} does not answer (${error instanceof Error ? error.message : String(error)}${cause})`,
      undefined,
      error,
    )
  }
}

function json(call: Call, text: string): JsonValue {
  try {
    return parseJson(text)
  } catch (error) {
    throw malformed(call, 'is no JSON', error)
  }
}

function parsed<T>(call: Call, answer: Parser<T>, value: unknown): T {
  const result = answer.safeParse(value)
  if (result.success) return result.data
  throw malformed(call, `does not follow the protocol: ${result.error.message.slice(0, 500)}`, result.error)
}

function malformed(
  { method, path }: Call,
  why: string,
  cause: unknown,
): RowsClientError<'rows/server-answer'> {
  return new RowsClientError(
    'rows/server-answer',
    `the answer to ${method} ${path} ${why}; nothing of it was applied`,
    undefined,
    cause,
  )
}

function refusal(
  method: string,
  path: string,
  response: Response,
  text: string,
): RowsClientError<'rows/server-refused'> {
  let body: unknown
  try {
    body = parseJson(text)
  } catch {
    // Something in between answers with pages of its own.
  }
  const envelope = errorResponseSchema.safeParse(body)
  const serverCode = envelope.success ? envelope.data.error : undefined
  const said = envelope.success ? `${serverCode}: ${envelope.data.message}` : `HTTP ${response.status}`
  return new RowsClientError(
    'rows/server-refused',
    `the server refused ${method} ${path.split('?')[0]} (${said})`,
    {
      status: response.status,
      serverCode,
      body: envelope.success ? body : undefined,
      retryAfterMs: retryAfter(response.headers.get('Retry-After')),
    },
  )
}

/** Whole seconds; the form with a date depends on two clocks agreeing and is not used by any server of ours. */
function retryAfter(value: string | null): number | undefined {
  if (value === null || !/^\d{1,6}$/.test(value.trim())) return undefined
  return Number(value) * 1_000
}
