import type { PushConflictResponse } from '../wire/error.ts'
import type { ReplacementReason } from '../wire/snapshot.ts'

/** Stable codes of the rows client, each documented in docs/reference/errors.md. */
export type RowsClientErrorCode =
  | 'rows/open-required'
  | 'rows/attach-required'
  | 'rows/transition-pending'
  | 'rows/closed'
  | 'rows/already-owned'
  | 'rows/operation-in-progress'
  | 'rows/lifecycle-unsupported'
  | 'rows/attached-to-another-user'
  | 'rows/replacing-for-another-user'
  | 'rows/dirty-rows'
  | 'rows/outbox-pending'
  | 'rows/rebuild-required'
  | 'rows/recovery-required'
  | 'rows/replacement-diverged'
  | 'rows/initialization-lost'
  | 'rows/push-conflict'
  | 'rows/push-rejected'
  | 'rows/invalid-resolution'
  | 'rows/conflicts-exhausted'
  | 'rows/server-refused'
  | 'rows/server-answer'
  | 'rows/unreachable'
  | 'rows/retries-exhausted'
  | 'rows/cannot-apply'
  | 'rows/database-busy'
  | 'rows/unsupported-table'
  | 'rows/other-schema'
  | 'rows/invalid-config'

/** Which row it is about, in the client's own words. */
export interface RowName {
  readonly table: string
  /** The text of its sync key; a BLOB key as dashed UUID. */
  readonly key: string
}

interface Details {
  readonly 'rows/open-required': { readonly operation: string }
  readonly 'rows/attach-required': { readonly operation: string }
  readonly 'rows/operation-in-progress': { readonly operation: string }
  readonly 'rows/attached-to-another-user': { readonly attachedUserId: string }
  readonly 'rows/replacing-for-another-user': { readonly targetUserId: string }
  readonly 'rows/dirty-rows': { readonly dirtyCount: number }
  readonly 'rows/outbox-pending': { readonly outboundCount: number }
  readonly 'rows/recovery-required': { readonly reason: ReplacementReason }
  readonly 'rows/replacement-diverged': { readonly local: string; readonly remote: string }
  readonly 'rows/push-conflict': { readonly status: number; readonly response: PushConflictResponse }
  readonly 'rows/push-rejected': {
    readonly status: number
    readonly serverCode: string
    /** The row the server blames; undefined where it blames none. */
    readonly row: RowName | undefined
    readonly reason: string | undefined
    readonly constraint: string | undefined
    readonly column: string | undefined
  }
  readonly 'rows/conflicts-exhausted': { readonly retryCount: number; readonly remaining: number }
  readonly 'rows/server-refused': {
    readonly status: number
    /** The code of the error envelope; undefined if there was none. */
    readonly serverCode: string | undefined
    /** The whole envelope: some codes carry more. */
    readonly body: unknown
    readonly retryAfterMs: number | undefined
  }
  readonly 'rows/retries-exhausted': { readonly operation: string; readonly attempts: number }
  readonly 'rows/unsupported-table': { readonly table: string }
  readonly 'rows/other-schema': { readonly stored: string; readonly configured: string }
}

export type RowsClientErrorDetails<Code extends RowsClientErrorCode> = Code extends keyof Details
  ? Details[Code]
  : undefined

/** What the rows client throws on purpose. The message says what happened, why, and what to do. */
export class RowsClientError<Code extends RowsClientErrorCode = RowsClientErrorCode> extends Error {
  override readonly name = 'RowsClientError'
  readonly code: Code
  readonly details: RowsClientErrorDetails<Code>

  constructor(
    code: Code,
    message: string,
    ...[details, cause]: undefined extends RowsClientErrorDetails<Code>
      ? [details?: undefined, cause?: unknown]
      : [details: RowsClientErrorDetails<Code>, cause?: unknown]
  ) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.details = details as RowsClientErrorDetails<Code>
  }
}

/** Tells which error it is, and types its details. */
export function isRowsClientError<Code extends RowsClientErrorCode>(
  error: unknown,
  ...codes: readonly Code[]
): error is RowsClientError<Code> {
  return error instanceof RowsClientError && (codes as readonly string[]).includes(error.code)
}

/** Open, attach or a pending transition is missing: no verdict about data or server. */
export function isLifecycleError(error: unknown): boolean {
  return isRowsClientError(error, 'rows/open-required', 'rows/attach-required', 'rows/transition-pending')
}
