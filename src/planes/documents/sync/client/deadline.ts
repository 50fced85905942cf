import type { Clock } from '../../../../kernel/clock.ts'

/** Runs `work` with a signal that aborts after `ms`, or when the outer one does. Leaves no timer behind. */
export async function withDeadline<T>(
  clock: Clock,
  ms: number,
  outer: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const timeout = new AbortController()
  const done = new AbortController()
  const signal = outer === undefined ? timeout.signal : AbortSignal.any([outer, timeout.signal])
  const late = () => timeout.abort(new Error(`no answer within ${ms} ms`))
  clock.sleep(ms, done.signal).then(late, () => {})
  try {
    return await work(signal)
  } finally {
    done.abort()
  }
}
