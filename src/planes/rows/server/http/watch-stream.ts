import type { Clock } from '../../../../kernel/clock.ts'
import type { ChangeSubscription } from '../change-hub.ts'

const headers = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache',
  'x-accel-buffering': 'no',
}

/**
 * Events of a subscription as server-sent events (§2.12). The subscription ends with the stream, whoever ends that. A reader
 * that takes nothing for two heartbeats is let go: it would keep its place for ever.
 */
export function watchAnswer(
  subscription: ChangeSubscription,
  heartbeatMs: number,
  clock: Clock,
  signal: AbortSignal,
): Response {
  const ending = new AbortController()
  const end = () => {
    ending.abort()
    subscription[Symbol.dispose]()
    signal.removeEventListener('abort', end)
  }
  signal.addEventListener('abort', end, { once: true })
  if (signal.aborted) end()
  const utf8 = new TextEncoder()
  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        void sendEvents(controller).finally(() => {
          end()
          close(controller)
        })
        void sendHeartbeats(controller).catch(() => {})
      },
      cancel: end,
    },
    { highWaterMark: 16 },
  )
  return new Response(body, { headers })

  async function sendEvents(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    for (let event = await subscription.next(); event !== undefined; event = await subscription.next())
      controller.enqueue(utf8.encode(`event: bundle\ndata: ${JSON.stringify(event)}\n\n`))
  }

  async function sendHeartbeats(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    let full = 0
    while (!ending.signal.aborted) {
      await clock.sleep(heartbeatMs, ending.signal)
      full = (controller.desiredSize ?? 0) <= 0 ? full + 1 : 0
      if (full >= 2) return end()
      if (full === 0) controller.enqueue(utf8.encode(': heartbeat\n\n'))
    }
  }
}

function close(controller: ReadableStreamDefaultController<Uint8Array>): void {
  try {
    controller.close()
  } catch {
    // The reader was faster.
  }
}
