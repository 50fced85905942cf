import type { Config } from '../../config/schema.ts'
import type { Clock } from '../../kernel/clock.ts'
import type { Logger } from '../../kernel/logger.ts'
import { SyncError } from '../../kernel/sync-error.ts'
import type { OtherPaths } from '../../planes/events/relay/relay.ts'
import type { StageMetrics, StageTiming } from '../../planes/rows/server/index.ts'
import type {
  PruneReport,
  PruneRequest,
  RowsControl,
  RowsStatus,
  ScopeDetail,
  ScopePage,
  ScopeSummary,
} from './rows-control.ts'
import { openRowsDatabase, type RowsDatabase } from './rows-database.ts'
import type { RowsDefinition } from './rows-definition.ts'
import type { RowsServer } from './rows-server.ts'

export interface RowsNodeOptions {
  readonly config: Config
  readonly directory: string
  readonly clock: Clock
  readonly log: Logger
}

/** A push chunk is large, and a device's line may be slow. */
const requestTimeoutMs = 120_000
/** go-oversync's, where no schema file says otherwise. */
const defaultRetained = 10_000

/** The rows of a node: served where the configuration asks for it, and looked after by commands in any case. */
export class RowsNode implements RowsControl, AsyncDisposable {
  readonly #options: RowsNodeOptions
  readonly #stages = new Set<StageMetrics['observeStage']>()
  readonly #resources = new AsyncDisposableStack()
  #database: Promise<RowsDatabase> | undefined
  #definition: Promise<RowsDefinition> | undefined
  #server: RowsServer | undefined

  constructor(options: RowsNodeOptions) {
    this.#options = options
  }

  /**
   * Serves the tables the configuration names, until disposed; undefined where it names none. Nothing of it is loaded before.
   *
   * @throws SyncError `config/invalid`, `store/io`
   */
  async serve(): Promise<OtherPaths | undefined> {
    const { config, directory, clock, log } = this.#options
    if (config.rows.schema === undefined) return undefined
    const definition = await this.#readDefinition(config.rows.schema)
    const { RowsServer } = await import('./rows-server.ts')
    const metrics: StageMetrics = { observeStage: (timing) => this.#observe(timing) }
    const database = await this.#open()
    const server = await RowsServer.open({ config, definition, database, directory, clock, log, metrics })
    this.#server = this.#resources.use(server)
    return { handle: (request, response) => server.handle(request, response), requestTimeoutMs }
  }

  /** Undefined where no rows are served. Never rejects. */
  async status(): Promise<RowsStatus | undefined> {
    return this.#server?.status()
  }

  /** Hears of every stage of every operation, at once: it must be quick and must not throw. */
  onStage(listener: StageMetrics['observeStage']): Disposable {
    this.#stages.add(listener)
    return { [Symbol.dispose]: () => this.#stages.delete(listener) }
  }

  async scopes({ after, limit }: ScopePage): Promise<readonly ScopeSummary[]> {
    const { listScopes } = await import('../../planes/rows/server/scope-list.postgres.ts')
    const { pool } = await this.#open()
    return listScopes(pool, { after, limit: Math.min(Math.max(1, Math.trunc(limit)), 1_000) })
  }

  async scope(user: string): Promise<ScopeDetail> {
    const { showScope } = await import('../../planes/rows/server/scope-list.postgres.ts')
    const { pool } = await this.#open()
    const scope = await showScope(pool, user)
    if (scope === undefined)
      throw new SyncError(
        'config/invalid',
        `no device of a user named ${JSON.stringify(user)} ever connected`,
      )
    return scope
  }

  async prune({ keep, user }: PruneRequest): Promise<PruneReport> {
    const { pruneScopes } = await import('../../planes/rows/server/prune-scopes.postgres.ts')
    const { pool } = await this.#open()
    return pruneScopes(pool, { keep: keep ?? (await this.#retained()), user })
  }

  /** Refuses new requests, waits for those under way and ends the streams; commands go on. */
  async drain(): Promise<void> {
    await this.#server?.[Symbol.asyncDispose]()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources[Symbol.asyncDispose]()
  }

  #open(): Promise<RowsDatabase> {
    const { config, directory, clock, log } = this.#options
    // A node without rows must not get a database by being asked.
    if (config.databaseUrl === undefined && config.rows.schema === undefined)
      return Promise.reject(
        new SyncError(
          'config/invalid',
          'this node serves no rows: name their tables by --rows or rows.schema, or a database by databaseUrl (SYNCLINE_DATABASE_URL)',
        ),
      )
    const { databaseUrl } = config
    this.#database ??= openRowsDatabase({ databaseUrl, directory, clock, log, stopAdopted: true }).then(
      (database) => this.#resources.use(database),
    )
    // What could not be opened this time may be openable the next.
    this.#database.catch(() => {
      this.#database = undefined
    })
    return this.#database
  }

  #readDefinition(path: string): Promise<RowsDefinition> {
    this.#definition ??= import('./rows-definition.ts').then(({ readRowsDefinition }) =>
      readRowsDefinition(path),
    )
    return this.#definition
  }

  async #retained(): Promise<number> {
    const { schema } = this.#options.config.rows
    if (schema === undefined) return defaultRetained
    return (await this.#readDefinition(schema)).limits.retainedBundlesPerUser ?? defaultRetained
  }

  #observe(timing: StageTiming): void {
    for (const listener of this.#stages) listener(timing)
  }
}
