import type { QueryResult, QueryResultRow } from 'pg'
import type { CommittedPush } from '../wire/push.ts'
import { beginBundle, checkContext, finishBundle } from './bundle.postgres.ts'
import { RowsError } from './rows-error.ts'
import { initializeScope, requireInitialized, transactInScope } from './scope.postgres.ts'
import type { ServiceContext } from './service-context.ts'
import { activateSource, lockSource, refuseOutOfOrder, refuseRetired } from './source.postgres.ts'
import type { Queryable } from './transaction.postgres.ts'

/** Within a bundle of the server's own: statements of its transaction, and nothing that could end it. */
export interface BundleTransaction {
  query<R extends QueryResultRow>(text: string, values?: readonly unknown[]): Promise<QueryResult<R>>
}

/** The writer and its number; the number counts from 1 without a gap, per writer. */
export interface BundleSource {
  readonly sourceId: string
  readonly sourceBundleId: number
}

export interface ServerWrite {
  readonly userId: string
  readonly sourceId: string
  /** Undefined: the source's next. */
  readonly sourceBundleId: number | undefined
  /** Whether a scope that nobody initialized is, by this write. */
  readonly initialize: boolean
}

export interface ServerWriteResult {
  readonly initialized: boolean
  /** Undefined if nothing was captured. */
  readonly bundle: CommittedPush | undefined
}

/**
 * Runs `write` in a transaction of its own and makes a bundle of what it did to registered tables (§3.7). It is run once:
 * a failure of any kind rolls everything back and is thrown. With `mustCapture` a write without effect is a failure too.
 */
export async function writeOnServer(
  context: ServiceContext,
  { userId, sourceId, sourceBundleId, initialize }: ServerWrite,
  mustCapture: boolean,
  write: (tx: BundleTransaction) => Promise<void>,
): Promise<ServerWriteResult> {
  return transactInScope(context.pool, {}, userId, async (tx, scope) => {
    const initialized = initialize && scope.state.kind === 'uninitialized'
    if (initialized) await initializeScope(tx, scope.userPk, sourceId)
    else requireInitialized(scope)
    const source = await lockSource(tx, scope.userPk, sourceId)
    refuseRetired(source)
    const id = sourceBundleId ?? source.committed + 1
    refuseOutOfOrder(source, id)
    const writer = { userId, userPk: scope.userPk, sourceId, sourceBundleId: id }
    await beginBundle(tx, writer)
    await write(statementsOf(tx))
    await checkContext(tx, writer)
    await tx.query('set constraints all immediate')
    const bundle = await finishBundle(tx, context, writer)
    if (bundle !== undefined) await activateSource(tx, scope, sourceId, id)
    else if (mustCapture)
      throw new RowsError('scope_write_no_captured_changes', 'the write changed no row of a registered table')
    return { initialized, bundle }
  })
}

function statementsOf(tx: Queryable): BundleTransaction {
  return { query: (text, values) => tx.query(text, values) }
}
