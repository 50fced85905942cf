import type { Clock } from '../../../kernel/clock.ts'
import type { Logger } from '../../../kernel/logger.ts'

/** How long one stage of one operation took (§10). */
export interface StageTiming {
  readonly operation: StageOperation
  /** `total` is the whole operation. */
  readonly stage: string
  readonly durationMs: number
  /** What the stage dealt with: rows, bundles, 1. */
  readonly count: number
  /** 0 for the first attempt. */
  readonly attempt: number
  readonly error: boolean
}

export type StageOperation =
  | 'connect'
  | 'push_create'
  | 'push_chunk'
  | 'push_commit'
  | 'committed_rows'
  | 'pull'
  | 'snapshot_create'
  | 'snapshot_chunk'
  | 'server_write'

/** Called synchronously, so it must be quick and must not throw. */
export interface StageMetrics {
  observeStage(timing: StageTiming): void
}

/** Measures stages; does nothing at all where nobody listens. */
export class StageTimer {
  readonly #clock: Clock
  readonly #metrics: StageMetrics | undefined
  readonly #logger: Logger | undefined

  constructor(clock: Clock, metrics: StageMetrics | undefined, logger: Logger | undefined) {
    this.#clock = clock
    this.#metrics = metrics
    this.#logger = logger
  }

  /** `count` may be known only afterwards. A stage that fails is reported, and its error thrown. */
  async measure<T>(
    operation: StageOperation,
    stage: string,
    count: number | ((result: T) => number),
    run: () => Promise<T>,
  ): Promise<T> {
    if (this.#metrics === undefined && this.#logger === undefined) return run()
    const start = this.#clock.monotonic()
    let done: { readonly result: T } | undefined
    try {
      done = { result: await run() }
      return done.result
    } finally {
      const counted = typeof count === 'number' ? count : done === undefined ? 0 : count(done.result)
      const durationMs = this.#clock.monotonic() - start
      const timing = { operation, stage, durationMs, count: counted, attempt: 0, error: done === undefined }
      this.#metrics?.observeStage(timing)
      this.#logger?.debug('stage', timing)
    }
  }
}
