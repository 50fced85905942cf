import type { LinkId } from '../../kernel/link.ts'
import type { LinkUpdate } from '../../kernel/link-runner.ts'
import type { Scheduler } from '../../kernel/scheduler.ts'

/**
 * What happens to links, shaped by `show`. A link that moves while its last state has not been taken yet replaces it, so
 * there is at most one per link whoever is slow, and it is the newest. Ends with the signal.
 */
export async function* linkUpdates<Tx, T>(
  scheduler: Scheduler<Tx>,
  signal: AbortSignal,
  show: (update: LinkUpdate) => Promise<T | undefined>,
): AsyncGenerator<T, void> {
  const waiting = new Map<LinkId, LinkUpdate>()
  let wake = () => {}
  const onAbort = () => wake()
  signal.addEventListener('abort', onAbort, { once: true })
  using _listening = scheduler.onUpdate((update) => {
    waiting.set(update.link.id, update)
    wake()
  })
  try {
    while (!signal.aborted) {
      const next = waiting.values().next().value
      if (next === undefined) {
        await new Promise<void>((resolve) => {
          wake = resolve
          if (signal.aborted) resolve()
        })
        continue
      }
      waiting.delete(next.link.id)
      const shown = await show(next)
      if (shown !== undefined && !signal.aborted) yield shown
    }
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
