/**
 * Why a bulk call failed (spec events §3). A page that cannot be read is `sync_page_error`, a batch that something of
 * ours kept from being stored `import_failed`, a target that threw or answered with anything but a count `target_failed`.
 */
export type BulkErrorCode =
  | 'missing_context'
  | 'auth_required'
  | 'read_not_allowed'
  | 'sync_read_not_allowed'
  | 'invalid_filter'
  | 'invalid_filter_key'
  | 'invalid_ids'
  | 'invalid_authors'
  | 'invalid_kinds'
  | 'invalid_since'
  | 'invalid_until'
  | 'invalid_tag_filter'
  | 'too_many_tag_values'
  | 'limit_not_allowed'
  | 'search_not_allowed'
  | 'invalid_page_size'
  | 'invalid_order'
  | 'invalid_cursor'
  | 'authorize_event_failed'
  | 'sync_page_error'
  | 'invalid_source'
  | 'invalid_target'
  | 'target_failed'
  | 'progress_failed'
  | 'invalid_events'
  | 'trust_not_allowed'
  | 'import_failed'
  | 'aborted'

export interface BulkFailure {
  readonly ok: false
  readonly error: BulkErrorCode
  /** A sentence, or what was thrown. */
  readonly detail?: unknown
}

export type BulkResult<T> = { readonly ok: true; readonly value: T } | BulkFailure

export function failed(error: BulkErrorCode, detail?: unknown): BulkFailure {
  return detail === undefined ? { ok: false, error } : { ok: false, error, detail }
}
