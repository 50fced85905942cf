/** The admin API refused a call, or could not be reached (status 0). */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  /** HTTP status; 0 when there was no answer. */
  readonly status: number
  /** Stable, for programs: `not-found`, `invalid`, `forbidden` … */
  readonly code: string
  /** Seconds the node asked to wait. */
  readonly retryAfter: number | undefined

  constructor(status: number, code: string, message: string, retryAfter?: number, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.status = status
    this.code = code
    this.retryAfter = retryAfter
  }
}

/** Reads the problem document of a failed call; whatever else stands between (a proxy) is told by its status. */
export async function errorFrom(response: Response): Promise<ApiError> {
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN)
  const retryAfter = Number.isFinite(seconds) ? seconds : undefined
  try {
    const { code, detail } = (await response.json()) as { code?: unknown; detail?: unknown }
    if (typeof code === 'string' && typeof detail === 'string')
      return new ApiError(response.status, code, detail, retryAfter)
  } catch {
    // Not from the node.
  }
  return new ApiError(
    response.status,
    'unexpected',
    `HTTP ${response.status} ${response.statusText}`,
    retryAfter,
  )
}
