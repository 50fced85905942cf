import { BundleHasher } from '../wire/bundle-hash.ts'
import type { CommittedRowsResponse } from '../wire/committed-rows.ts'
import type { CommittedPush } from '../wire/push.ts'
import { RowsClientError } from './client-error.ts'
import { rowList } from './incoming.ts'
import { hashAsSent, markCommitted, type Outbox } from './outbox.ts'
import type { SyncCore } from './sync-core.ts'
import { updateAttachment } from './sync-state.ts'
import { transact } from './transaction.ts'

/** Where the rows of a committed push are: in the push stage, or just as they were sent in the outbox. */
export type CommittedRows = 'staged' | 'as-sent'

/**
 * Gets the authoritative rows of a committed push: downloaded and verified, into the push stage. Where the bundle's hash proves
 * that the server stored exactly what was sent, there is nothing to download.
 */
export async function stageCommitted(
  core: SyncCore,
  outbox: Outbox,
  bundle: CommittedPush,
  signal: AbortSignal,
): Promise<CommittedRows> {
  if (isAsSent(core, outbox, bundle)) return 'as-sent'
  // From here on the outbox is known to be committed, also to the next process. Taken as sent it is replayed at once instead.
  transact(core.db, () => {
    markCommitted(core.db, bundle.bundle_seq, bundle.bundle_hash)
    updateAttachment(core.db, { initializationId: '' })
    core.db.exec('DELETE FROM _sync_push_stage')
  })
  const { rowsPerCommittedPage } = await core.limits(signal)
  const hasher = new BundleHasher(core.settings.sha256)
  for (let held = 0, more = true; more; ) {
    const after = held === 0 ? undefined : held - 1
    const page = await core.api.committedRows(
      core.caller(signal),
      bundle.bundle_seq,
      after,
      rowsPerCommittedPage,
    )
    checkPage(page, bundle, held)
    for (const row of page.rows) hasher.add(row)
    stageRows(core, page, held)
    held += page.rows.length
    more = page.has_more
    core.report('confirming', held, bundle.row_count)
    if (!more && held !== bundle.row_count)
      throw wrong(bundle, `it came with ${held} rows instead of ${bundle.row_count}`)
  }
  if (hasher.finish().hex !== bundle.bundle_hash) throw wrong(bundle, 'its rows do not have its hash')
  return 'staged'
}

/** Whether the server stored the rows just as they were sent, in their order: then they have this hash, and only then. */
function isAsSent({ db, catalog, settings }: SyncCore, outbox: Outbox, bundle: CommittedPush): boolean {
  if (bundle.row_count !== outbox.rowCount) return false
  const isExpected = outbox.asSent?.bundleSeq === bundle.bundle_seq
  const hash = isExpected
    ? outbox.asSent.hash
    : hashAsSent(db, catalog.tables, outbox.sourceBundleId, bundle.bundle_seq, settings.sha256)
  return hash === bundle.bundle_hash
}

function stageRows({ db, catalog }: SyncCore, page: CommittedRowsResponse, held: number): void {
  transact(db, () =>
    db.run(
      `INSERT INTO _sync_push_stage (bundle_seq, row_ordinal, schema_name, table_name, key_json, op, row_version, payload)
       SELECT ?, ? + key, ?, value ->> 0, value ->> 1, value ->> 2, value ->> 3, nullif(value -> 4, 'null') FROM json_each(?)`,
      page.bundle_seq,
      held,
      catalog.schema,
      rowList(catalog, page.rows),
    ),
  )
}

function checkPage(page: CommittedRowsResponse, bundle: CommittedPush, held: number): void {
  const names = ['bundle_seq', 'source_id', 'source_bundle_id', 'row_count', 'bundle_hash'] as const
  for (const name of names)
    if (page[name] !== bundle[name])
      throw wrong(bundle, `a page of it says ${name} ${page[name]} instead of ${bundle[name]}`)
  const next = page.rows.length === 0 ? Math.max(0, held - 1) : held + page.rows.length - 1
  if (page.next_row_ordinal !== next)
    throw wrong(bundle, `a page of it ends at ordinal ${page.next_row_ordinal} instead of ${next}`)
  if (page.has_more && page.rows.length === 0)
    throw wrong(bundle, 'a page of it is empty although there are more')
  if (held + page.rows.length > bundle.row_count)
    throw wrong(bundle, `it has more rows than ${bundle.row_count}`)
  if (page.rows.some((row) => row.row_version !== bundle.bundle_seq))
    throw wrong(bundle, 'a row of it carries another version')
}

function wrong(bundle: CommittedPush, why: string): RowsClientError<'rows/server-answer'> {
  return new RowsClientError(
    'rows/server-answer',
    `bundle ${bundle.bundle_seq} of the server cannot be right: ${why}; nothing of it was applied`,
  )
}
