import type { NostrEvent } from '../event.ts'
import type { Ingest, IngestOutcome, IngestResult } from '../ingest.ts'
import type { EventSource } from '../write-policy.ts'
import { type BulkResult, failed } from './bulk-result.ts'
import { maxPageSize } from './page-options.ts'
import { isRequestContext, type RequestContext } from './request-context.ts'

export interface BulkImportOptions {
  readonly context: RequestContext
  /**
   * `verified_upstream` takes signatures on trust, never ids: for copies between two stores of one process, and so for the
   * caller `local` alone. Default: every signature is checked.
   */
  readonly trust?: 'verified_upstream'
  /** Gives up before storing has begun, with `aborted`. */
  readonly signal?: AbortSignal | undefined
}

export interface ImportCounts {
  /** New here: stored, or passed on if ephemeral. */
  readonly accepted: number
  /** Already here, or older than what is. */
  readonly duplicates: number
  readonly rejected: number
}

export interface BulkImportResult extends ImportCounts {
  /** In the order of the input. */
  readonly results: readonly ImportedEvent[]
}

export interface ImportedEvent {
  /** As the event claims it; undefined when none could be made out. */
  readonly id: string | undefined
  readonly outcome: Exclude<IngestOutcome, 'failed'>
  /** The text of a relay's OK: empty, or `<prefix>: <message>`. */
  readonly message: string
}

const sources: Readonly<Record<RequestContext['caller'], EventSource>> = {
  local: 'import',
  websocket: 'client',
  http: 'client',
  sync: 'sync',
}

/** Publishes one batch in one transaction (spec events §3.6). `import_failed`: nothing is lost by sending it again. */
export async function importBatch<Tx>(
  ingest: Pick<Ingest<Tx>, 'accept'>,
  events: readonly (NostrEvent | string)[],
  options: Partial<BulkImportOptions> | undefined,
): Promise<BulkResult<BulkImportResult>> {
  const { context, trust, signal } = options ?? {}
  if (!isRequestContext(context)) return failed('missing_context', 'a call needs a context with a caller')
  if (!Array.isArray(events) || events.length > maxPageSize)
    return failed('invalid_events', `a batch is a list of at most ${maxPageSize} events`)
  if (trust !== undefined && (trust !== 'verified_upstream' || context.caller !== 'local'))
    return failed('trust_not_allowed', 'only a local copy may take signatures on trust')
  const { caller, authenticatedPubkeys: authenticated, remote = caller, peerId } = context
  const peer = caller === 'sync' && peerId !== undefined ? { id: peerId } : undefined
  const from = { source: sources[caller], remote, authenticated, peer, trusted: trust !== undefined }
  let results: readonly IngestResult[]
  try {
    results = events.length === 0 ? [] : await ingest.accept(events.map(textOf), from, signal)
  } catch (error) {
    return failed(signal?.aborted ? 'aborted' : 'import_failed', error)
  }
  return reportOf(results)
}

function reportOf(results: readonly IngestResult[]): BulkResult<BulkImportResult> {
  const counts = { accepted: 0, duplicates: 0, rejected: 0 }
  const imported: ImportedEvent[] = []
  for (const { id, outcome, reason } of results) {
    // Nothing is wrong with the event: counted as rejected, whoever copies would go on and leave it behind.
    if (outcome === 'failed') return failed('import_failed', reason)
    if (outcome === 'stored' || outcome === 'ephemeral') counts.accepted++
    else if (outcome === 'duplicate' || outcome === 'superseded') counts.duplicates++
    else counts.rejected++
    imported.push({ id, outcome, message: reason })
  }
  return { ok: true, value: { ...counts, results: imported } }
}

/** What cannot be written as JSON is no event, and is refused like any other text that is none. */
function textOf(event: NostrEvent | string): string {
  if (typeof event === 'string') return event
  try {
    return JSON.stringify(event) ?? ''
  } catch {
    return ''
  }
}
