import type { CommittedPush, CreatePushResponse } from '../wire/push.ts'
import { isRowsClientError, RowsClientError } from './client-error.ts'
import { type Outbox, type PushChunk, readChunk } from './outbox.ts'
import type { SyncCore } from './sync-core.ts'

/** Characters of rows per request; well below what servers take as a body. */
const maxChunkChars = 2 * 1024 * 1024

/**
 * Brings the outbox to the server: creates a session, or hears that the push was committed before; uploads and commits.
 * One attempt, to be repeated whole.
 */
export async function uploadOutbox(
  core: SyncCore,
  outbox: Outbox,
  signal: AbortSignal,
): Promise<CommittedPush> {
  const created = await createSession(core, outbox, signal)
  if (created.status === 'already_committed') {
    const { status: _, ...bundle } = created
    return checkCommitted(outbox, bundle)
  }
  const pushId = created.push_id
  try {
    await uploadRows(core, outbox, pushId, signal)
    return checkCommitted(outbox, await core.api.commitPush(core.caller(signal), pushId))
  } catch (error) {
    // Without this it would occupy the server until it expires. A commit that was made all the same is not undone by it.
    abandon(core, pushId)
    throw error
  }
}

/**
 * Asks what the server knows about the outbox, without sending rows.
 *
 * @returns the bundle it was committed as; undefined if it was not
 */
export async function findCommitted(
  core: SyncCore,
  outbox: Outbox,
  signal: AbortSignal,
): Promise<CommittedPush | undefined> {
  const created = await core.retrying('push', signal, () => createSession(core, outbox, signal))
  if (created.status === 'already_committed') {
    const { status: _, ...bundle } = created
    return checkCommitted(outbox, bundle)
  }
  abandon(core, created.push_id)
  return undefined
}

async function createSession(
  core: SyncCore,
  outbox: Outbox,
  signal: AbortSignal,
): Promise<CreatePushResponse> {
  const caller = { sourceId: outbox.sourceId, signal }
  const request = {
    source_bundle_id: outbox.sourceBundleId,
    planned_row_count: outbox.rowCount,
    canonical_request_hash: outbox.requestHash,
  }
  const seed = outbox.initializationId === '' ? {} : { initialization_id: outbox.initializationId }
  let created: CreatePushResponse
  try {
    created = await core.api.createPush(caller, { ...request, ...seed })
  } catch (error) {
    if (outbox.initializationId === '' || !isSeedRefused(error)) throw error
    created = await createAfterSeed(core, outbox, request, signal, error)
  }
  if (created.status === 'already_committed') return created
  if (created.planned_row_count !== outbox.rowCount || created.next_expected_row_ordinal !== 0)
    throw wrong(
      `a session for ${created.planned_row_count} rows from ${created.next_expected_row_ordinal} on`,
    )
  return created
}

/** What a scope that is initialized says to a push that would seed it (§12 no. 1). */
function isSeedRefused(error: unknown): boolean {
  return (
    isRowsClientError(error, 'rows/server-refused') && error.details.serverCode === 'push_session_invalid'
  )
}

/** The answer to a seeding commit may have been lost: then the scope is initialized, by us. */
async function createAfterSeed(
  core: SyncCore,
  outbox: Outbox,
  request: { readonly source_bundle_id: number; readonly planned_row_count: number },
  signal: AbortSignal,
  refusal: unknown,
): Promise<CreatePushResponse> {
  const created = await core.api.createPush({ sourceId: outbox.sourceId, signal }, request)
  if (created.status === 'already_committed') return created
  // Somebody else seeded it, and his rows come first: attaching again sorts that out.
  abandon(core, created.push_id)
  throw new RowsClientError(
    'rows/initialization-lost',
    'another device gave the server its first data meanwhile; attach again to take that over',
    undefined,
    refusal,
  )
}

async function uploadRows(
  core: SyncCore,
  outbox: Outbox,
  pushId: string,
  signal: AbortSignal,
): Promise<void> {
  let { rowsPerPushChunk: maxRows } = await core.limits(signal)
  let chunk = readChunk(core.db, outbox, 0, maxRows, maxChunkChars)
  for (let start = 0; start < outbox.rowCount; ) {
    if (chunk.count === 0)
      throw new Error(`the outbox holds fewer rows than the ${outbox.rowCount} it counts`)
    const end = start + chunk.count
    const sent = core.api.uploadChunk({ sourceId: outbox.sourceId, signal }, pushId, start, chunk.rows)
    try {
      const [answer, next] = await Promise.all([sent, readAhead(core, outbox, end, maxRows)])
      if (answer.push_id !== pushId || answer.next_expected_row_ordinal !== end)
        throw wrong(`that it expects row ${answer.next_expected_row_ordinal} after ${end}`)
      if (next !== undefined) chunk = next
    } catch (error) {
      if (chunk.count === 1 || !isTooLarge(error)) throw error
      // A refused chunk leaves the session as it was.
      maxRows = Math.ceil(chunk.count / 2)
      chunk = readChunk(core.db, outbox, start, maxRows, maxChunkChars)
      continue
    }
    start = end
    core.report('uploading', start, outbox.rowCount)
  }
}

/** The chunk from `start` on, read while the one before it is under way; undefined if that is the last. */
async function readAhead(
  { db }: SyncCore,
  outbox: Outbox,
  start: number,
  maxRows: number,
): Promise<PushChunk | undefined> {
  if (start >= outbox.rowCount) return undefined
  // Reading blocks: the request has to leave first.
  await new Promise((resolve) => setTimeout(resolve, 0))
  return readChunk(db, outbox, start, maxRows, maxChunkChars)
}

function isTooLarge(error: unknown): boolean {
  return isRowsClientError(error, 'rows/server-refused') && error.details.status === 413
}

function checkCommitted(outbox: Outbox, bundle: CommittedPush): CommittedPush {
  if (bundle.source_id !== outbox.sourceId || bundle.source_bundle_id !== outbox.sourceBundleId)
    throw wrong(`the commit of ${bundle.source_id}/${bundle.source_bundle_id}`)
  return bundle
}

/** Best effort, behind the caller's back: what remains expires. */
function abandon(core: SyncCore, pushId: string): void {
  const signal = AbortSignal.timeout(10_000)
  core.api.deletePush(core.caller(signal), pushId).catch(() => {})
}

function wrong(what: string): RowsClientError<'rows/server-answer'> {
  return new RowsClientError(
    'rows/server-answer',
    `the server answered a push with ${what}; nothing was applied`,
  )
}
