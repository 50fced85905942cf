import { type Actor, checkActor } from './actor.ts'
import type { Lifecycle } from './lifecycle.ts'
import { RowsError } from './rows-error.ts'
import type { ServiceContext } from './service-context.ts'
import type { StageOperation } from './stage-metrics.ts'

/** How operations are run: counted while they are in flight, measured, and one at a time for each user that writes. */
export class Operations {
  readonly #lifecycle: Lifecycle
  #context: ServiceContext | undefined

  constructor(lifecycle: Lifecycle) {
    this.#lifecycle = lifecycle
  }

  /** From now on operations can be run. */
  begin(context: ServiceContext): void {
    this.#context = context
  }

  /** Throws `service_unavailable` before `begin`. */
  get context(): ServiceContext {
    if (this.#context === undefined)
      throw new RowsError('service_unavailable', 'the service is starting: bootstrap has not finished', {
        retryAfterSeconds: 1,
      })
    return this.#context
  }

  run<T>(operation: (context: ServiceContext) => Promise<T>): Promise<T> {
    return this.#lifecycle.run(() => operation(this.context))
  }

  /** Measured as the stage `total`; the refusal of a service that is closing does not count as an error (§10). */
  measured<T>(
    operation: StageOperation,
    count: number,
    run: (context: ServiceContext) => Promise<T>,
  ): Promise<T> {
    return this.run((context) =>
      counted(context, () => context.stages.measure(operation, 'total', count, () => run(context))),
    )
  }

  /** After everything else that the user has under way. */
  mutate<T>(
    operation: StageOperation,
    actor: Actor,
    run: (context: ServiceContext, actor: Actor) => Promise<T>,
  ): Promise<T> {
    return this.measured(operation, 1, async (context) => {
      const who = checkActor(actor)
      return context.users.run(who.userId, () => run(context, who))
    })
  }
}

/** Counts refusals because of pruned history, outside of the transaction that they rolled back. */
async function counted<T>({ pool }: ServiceContext, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    if (error instanceof RowsError && error.code === 'history_pruned')
      await pool.query(`select nextval('sync.history_pruned_error_seq')`)
    throw error
  }
}
