import type { NostrEvent } from '../event.ts'
import type { BulkErrorCode, BulkFailure } from './bulk-result.ts'
import type { Cursor } from './cursor.ts'
import type { PageReader } from './page-reader.ts'

/** A page of a stream could not be read. All before `cursor` was delivered: go on with `afterKey: cursor`. */
export class SyncPageError extends Error {
  override readonly name = 'SyncPageError'
  readonly code = 'sync_page_error'
  readonly reason: BulkErrorCode
  readonly cursor: Cursor | null

  constructor({ error, detail }: BulkFailure, cursor: Cursor | null) {
    super(`the next page could not be read: ${error}`, { cause: detail })
    this.reason = error
    this.cursor = cursor
  }
}

/**
 * The visible events of a walk. A page is read when the one before has been consumed, so that stopping early reads
 * nothing more.
 *
 * @throws SyncPageError
 */
export async function* eventStream<Tx>(
  reader: PageReader<Tx>,
  start: Cursor | null,
): AsyncGenerator<NostrEvent, void, undefined> {
  for (let after = start; ; ) {
    const page = await reader.read(after)
    if (!page.ok) throw new SyncPageError(page, after)
    yield* page.value.events
    if (page.value.complete) return
    after = page.value.nextCursor
  }
}
