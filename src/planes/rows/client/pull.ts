import { BundleHasher } from '../wire/bundle-hash.ts'
import { canonicalJson } from '../wire/canonical-json.ts'
import { canonicalText } from '../wire/canonical-pattern.ts'
import type { Bundle, PullResponse } from '../wire/pull.ts'
import { applyIncoming, applyTransaction } from './apply.ts'
import type { TableChange } from './change-feed.ts'
import { isRowsClientError, RowsClientError } from './client-error.ts'
import { type IncomingRow, incomingRow, loadIncoming, prepareIncoming } from './incoming.ts'
import { type Restore, rebuildKeepingSource } from './rebuild.ts'
import type { SyncCore } from './sync-core.ts'
import { readAttachment, updateAttachment } from './sync-state.ts'

export type RemoteOutcome =
  | 'already_at_target'
  | 'applied_incremental'
  | 'applied_snapshot'
  | 'skipped_paused'

export interface Pulled {
  readonly outcome: RemoteOutcome
  readonly restore: Restore | undefined
}

/** Rows applied in one transaction, unless a single bundle has more: a bundle is never cut. */
const rowsPerTransaction = 5_000

/**
 * Brings the database to where the server stood when asked first (§8.10): bundle after bundle, each whole, with its
 * checkpoint. Where the server's history does not reach back to the checkpoint, a snapshot replaces it.
 */
export async function pullToStable(core: SyncCore, signal: AbortSignal): Promise<Pulled> {
  const { bundlesPerPull } = await core.limits(signal)
  const start = checkpointOf(core)
  let target: number | undefined
  for (;;) {
    const after = checkpointOf(core)
    let page: PullResponse
    try {
      page = await core.retrying('pull', signal, () =>
        core.api.pull(core.caller(signal), after, bundlesPerPull, target),
      )
    } catch (error) {
      if (!isHistoryGone(error)) throw error
      return { outcome: 'applied_snapshot', restore: await rebuildKeepingSource(core, signal) }
    }
    // A server that was put back to a backup is behind; one whose history begins later than asked for lacks something.
    const isBehind = target === undefined && page.stable_bundle_seq < after
    const hasGap = page.bundles.length > 0 && page.bundles[0]!.bundle_seq > after + 1
    if (isBehind || hasGap)
      return { outcome: 'applied_snapshot', restore: await rebuildKeepingSource(core, signal) }
    const bundles = checkPage(core, page, after, target)
    target = page.stable_bundle_seq
    applyPage(core, bundles)
    const reached = checkpointOf(core)
    core.report('pulling', reached - start, target - start)
    if (reached >= target)
      return { outcome: reached === start ? 'already_at_target' : 'applied_incremental', restore: undefined }
    if (page.bundles.length === 0) throw malformed('a page without bundles before its end')
  }
}

function checkpointOf(core: SyncCore): number {
  return readAttachment(core.db).lastBundleSeqSeen
}

function isHistoryGone(error: unknown): boolean {
  if (!isRowsClientError(error, 'rows/server-refused')) return false
  return error.details.serverCode === 'history_pruned' || error.details.serverCode === 'checkpoint_ahead'
}

/** A bundle with nothing left to check. */
interface CheckedBundle {
  readonly seq: number
  readonly rows: readonly IncomingRow[]
}

/** Everything about a page that can be checked before its first row is written. */
function checkPage(
  core: SyncCore,
  page: PullResponse,
  after: number,
  target: number | undefined,
): readonly CheckedBundle[] {
  const stable = page.stable_bundle_seq
  if (target !== undefined && stable !== target)
    throw malformed(`a ceiling that moved from ${target} to ${stable}`)
  let last = after
  return page.bundles.map((bundle) => {
    if (bundle.bundle_seq !== last + 1) throw malformed(`bundle ${bundle.bundle_seq} after bundle ${last}`)
    if (bundle.bundle_seq > stable) throw malformed(`bundle ${bundle.bundle_seq} above its ceiling ${stable}`)
    last = bundle.bundle_seq
    return checkBundle(core, bundle)
  })
}

function checkBundle({ catalog, settings }: SyncCore, bundle: Bundle): CheckedBundle {
  const name = `bundle ${bundle.bundle_seq}`
  if (bundle.row_count !== undefined && bundle.row_count !== bundle.rows.length)
    throw malformed(`${name} with ${bundle.rows.length} rows instead of ${bundle.row_count}`)
  const keys = new Set<string>()
  const hasher = new BundleHasher(settings.sha256)
  const rows = bundle.rows.map((row): IncomingRow => {
    if (row.row_version !== bundle.bundle_seq)
      throw malformed(`${name} with a row of version ${row.row_version}`)
    const incoming = incomingRow(catalog, row)
    keys.add(`${row.table} ${incoming.keyJson}`)
    const { canonicalPayload } = catalog.byName.get(row.table)!
    const canonical = incoming.payload === null ? 'null' : canonicalText(incoming.payload, canonicalPayload)
    hasher.addCanonical(row, canonicalJson(row.key), canonical)
    return incoming
  })
  if (keys.size !== rows.length) throw malformed(`${name} with two rows of one key`)
  if (bundle.bundle_hash !== undefined && hasher.finish().hex !== bundle.bundle_hash)
    throw malformed(`${name}, whose rows do not have its hash`)
  return { seq: bundle.bundle_seq, rows }
}

/**
 * Several small bundles share a transaction: their sum is written, since of each row only the last state counts. When that
 * fails they are taken one by one, so that those before the failing one stay.
 */
function applyPage(core: SyncCore, bundles: readonly CheckedBundle[]): void {
  for (let start = 0; start < bundles.length; ) {
    let end = start
    let rows = 0
    do rows += bundles[end++]!.rows.length
    while (end < bundles.length && rows + bundles[end]!.rows.length <= rowsPerTransaction)
    const group = bundles.slice(start, end)
    try {
      applyBundles(core, group)
    } catch (error) {
      if (group.length === 1) throw error
      for (const bundle of group) applyBundles(core, [bundle])
    }
    start = end
  }
}

function applyBundles(core: SyncCore, bundles: readonly CheckedBundle[]): void {
  const { db, catalog } = core
  const rows = bundles.length === 1 ? bundles[0]!.rows : lastStates(bundles)
  let changes: readonly TableChange[] = []
  applyTransaction(db, (mode) => {
    prepareIncoming(db)
    loadIncoming(db, rows)
    applyIncoming(db, catalog, mode)
    changes = core.changes.collect(db, catalog)
    const { lastBundleSeqSeen } = readAttachment(db)
    updateAttachment(db, { lastBundleSeqSeen: Math.max(lastBundleSeqSeen, bundles.at(-1)!.seq) })
  })
  core.changes.publish('pull', changes)
}

function lastStates(bundles: readonly CheckedBundle[]): readonly IncomingRow[] {
  const last = new Map<string, IncomingRow>()
  for (const { rows } of bundles)
    for (const row of rows) {
      const name = `${row.table} ${row.keyJson}`
      // Moved to the end, so that the order is that of the last change.
      last.delete(name)
      last.set(name, row)
    }
  return [...last.values()]
}

function malformed(what: string): RowsClientError<'rows/server-answer'> {
  return new RowsClientError(
    'rows/server-answer',
    `the server answered a pull with ${what}; it was not applied`,
  )
}
