import { type Logger, silentLogger } from '../../../kernel/logger.ts'
import type { CommittedPush } from '../wire/push.ts'
import { RowsError } from './rows-error.ts'
import type { BundleTransaction } from './server-write.postgres.ts'
import type { SyncService } from './sync-service.ts'

export interface ScopeManagerConfig {
  readonly logger?: Logger
}

export interface ScopeWriteOptions {
  /** Who writes; it shares its name space with the sources of the scope's clients, so use no name of theirs. */
  readonly writerId: string
}

export interface ScopeWriteResult {
  /** Nobody had used the scope before; no device can seed it any longer. */
  readonly autoInitialized: boolean
  readonly bundle: CommittedPush
}

/** Lets the application's own server write rows of a user, as one more writer of the scope (§3.7). */
export class ScopeManager {
  readonly #service: SyncService
  readonly #logger: Logger

  constructor(service: SyncService, { logger = silentLogger }: ScopeManagerConfig = {}) {
    if (service === undefined) throw new RowsError('scope_write_invalid', 'a scope manager needs a service')
    this.#service = service
    this.#logger = logger
  }

  /**
   * Runs `write` once, in a transaction whose effects become the writer's next bundle. Statements must name the scope
   * (`where _sync_scope_id = …`): touching a row of another scope fails the whole. Throws `scope_write_invalid`,
   * `scope_initializing`, `source_retired`, `scope_write_no_captured_changes`, or whatever `write` throws; all of it is
   * rolled back then.
   */
  async execWrite(
    scopeId: string,
    { writerId }: ScopeWriteOptions,
    write: (tx: BundleTransaction) => Promise<void>,
  ): Promise<ScopeWriteResult> {
    const [userId, sourceId] = [scopeId.trim(), writerId.trim()]
    if (userId === '') throw new RowsError('scope_write_invalid', 'the scope id is blank')
    if (sourceId === '') throw new RowsError('scope_write_invalid', 'the writer id is blank')
    if (typeof write !== 'function') throw new RowsError('scope_write_invalid', 'there is nothing to run')
    const result = await this.#service.writeAs(
      { userId, sourceId, sourceBundleId: undefined, initialize: true },
      true,
      write,
    )
    const bundle = result.bundle!
    this.#logger.debug('server write', { bundleSeq: bundle.bundle_seq, rows: bundle.row_count })
    return { autoInitialized: result.initialized, bundle }
  }
}
