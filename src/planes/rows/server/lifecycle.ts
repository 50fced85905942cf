import { RowsError } from './rows-error.ts'

export type LifecycleState = 'running' | 'shutting_down' | 'closed'

/** Counts what is in flight, so that closing can wait for it (§3.13). Status answers in every state. */
export class Lifecycle {
  #state: LifecycleState = 'running'
  #inFlight = 0
  readonly #closed = Promise.withResolvers<void>()
  readonly #ending = new AbortController()

  get state(): LifecycleState {
    return this.#state
  }

  get inFlight(): number {
    return this.#inFlight
  }

  /** Aborted when the last operation has finished after `close`: streams that wait for news end then. */
  get ended(): AbortSignal {
    return this.#ending.signal
  }

  /** Throws `service_unavailable` unless the service is running. */
  check(): void {
    if (this.#state !== 'running')
      throw new RowsError('service_unavailable', 'the service is shutting down; try again', {
        retryAfterSeconds: 1,
      })
  }

  async run<T>(operation: () => Promise<T>): Promise<T> {
    this.check()
    this.#inFlight++
    try {
      return await operation()
    } finally {
      this.#inFlight--
      this.#finish()
    }
  }

  /** Refuses what comes from now on and waits for what is in flight. An abort stops the waiting, not the draining. */
  async close(signal?: AbortSignal): Promise<void> {
    if (this.#state === 'running') this.#state = 'shutting_down'
    this.#finish()
    if (signal === undefined) return this.#closed.promise
    const aborted = Promise.withResolvers<never>()
    const onAbort = () =>
      aborted.reject(
        new RowsError(
          'drain_timeout',
          `${this.#inFlight} operations were still in flight when waiting for them ended`,
          {},
          signal.reason,
        ),
      )
    if (signal.aborted && this.#state !== 'closed') onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      await Promise.race([this.#closed.promise, aborted.promise])
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  #finish(): void {
    if (this.#state !== 'shutting_down' || this.#inFlight > 0) return
    this.#state = 'closed'
    this.#ending.abort()
    this.#closed.resolve()
  }
}
