import type { Clock } from '../../kernel/clock.ts'

/** A reason of its own: without one a DOMException with its stack is made for every piece of work. */
const done = new Error('the work is done')

/** Waits for `work`, but no longer than `ms`: then `onTimeout` says what to throw, and the work is on its own. */
export async function withinTime<T>(
  work: Promise<T>,
  clock: Clock,
  ms: number,
  onTimeout: () => Error,
): Promise<T> {
  const settled = new AbortController()
  const expired = clock.sleep(ms, settled.signal).then(() => {
    throw onTimeout()
  })
  try {
    return await Promise.race([work, expired])
  } finally {
    settled.abort(done)
  }
}
