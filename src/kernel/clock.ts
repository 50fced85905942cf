/**
 * Time and randomness as arguments, so that every wait and every jitter can be replayed in a test.
 *
 * `now` is wall time and may jump; `monotonic` never does. Timeouts and leases in one process use `monotonic`,
 * only what is shown to people or compared with an event's own time uses `now` (promise K13).
 */
export interface Clock {
  /** Wall time, milliseconds since 1970-01-01 UTC. */
  now(): number
  /** Milliseconds since an arbitrary start; never goes backwards. */
  monotonic(): number
  /** Resolves after `ms`; rejects with the signal's reason when it aborts first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

/** Uniform in [0, 1). */
export type Random = () => number

/** The clock of the machine. `sleep` leaves neither a timer nor a listener behind, however it ends. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const onAbort = () => {
        clearTimeout(timer)
        reject(signal?.reason)
      }
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      }, ms)
      signal?.addEventListener('abort', onAbort, { once: true })
    }),
}
