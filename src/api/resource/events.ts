import type { ServerControl, SyncState } from '../../node/sync-control.ts'
import { HttpError } from '../http-error.ts'
import { type Route, streamRoute } from '../route.ts'
import { syncState } from '../schema/sync-state.ts'
import { shownState } from './sync-states.ts'

/** Listeners at a time: each holds a connection for as long as it likes. */
const maxListeners = 32
/** So that proxies do not take a quiet stream for a dead one. */
const heartbeatMs = 15_000

/**
 * The state of every link as it changes. A listener that reconnects gets the newest state of each link first, which is
 * all that a missed event could have told it: nothing has to be kept for it, however long it was away.
 */
export function eventRoutes(sync: Pick<ServerControl, 'states' | 'updates'>): Route[] {
  let listeners = 0
  return [
    streamRoute({
      id: 'streamEvents',
      path: '/events',
      summary: 'Every link’s state now, then each change, as server-sent events named `state`.',
      tag: 'Sync',
      scope: 'read',
      answer: syncState,
      handle: async ({ signal }) => {
        if (listeners >= maxListeners)
          throw new HttpError(503, `${maxListeners} listeners are connected already`, {
            retryAfterSeconds: 30,
          })
        listeners++
        const left = () => listeners--
        return eventStream(withSnapshot(sync, signal), signal, left)
      },
    }),
  ]
}

async function* withSnapshot(
  sync: Pick<ServerControl, 'states' | 'updates'>,
  signal: AbortSignal,
): AsyncGenerator<SyncState> {
  // Listening begins before the snapshot is read, or what happens in between would be missed.
  const updates = sync.updates(signal)[Symbol.asyncIterator]()
  const first = updates.next()
  first.catch(() => {})
  for (const state of await sync.states()) yield state
  for (let next = await first; next.done !== true; next = await updates.next()) yield next.value
}

/** Writes at the pace of the reader: what it does not take stays where the newest state of each link replaces it. */
function eventStream(states: AsyncGenerator<SyncState>, signal: AbortSignal, left: () => void): Response {
  const encoder = new TextEncoder()
  let heartbeat: NodeJS.Timeout | undefined
  let id = 0
  let open = true
  const end = () => {
    if (!open) return
    open = false
    clearInterval(heartbeat)
    signal.removeEventListener('abort', end)
    left()
  }
  const body = new ReadableStream<Uint8Array>(
    {
      start: (controller) => {
        signal.addEventListener('abort', end, { once: true })
        controller.enqueue(encoder.encode(`retry: 3000\n\n`))
        heartbeat = setInterval(() => {
          if (open && (controller.desiredSize ?? 0) > 0) controller.enqueue(encoder.encode(': \n\n'))
        }, heartbeatMs)
      },
      pull: async (controller) => {
        const next = await states.next().catch(() => ({ done: true as const, value: undefined }))
        if (next.done === true || !open) {
          end()
          controller.close()
          return
        }
        const data = JSON.stringify(shownState(next.value))
        controller.enqueue(encoder.encode(`id: ${++id}\nevent: state\ndata: ${data}\n\n`))
      },
      cancel: () => {
        end()
        void states.return(undefined).catch(() => {})
      },
    },
    { highWaterMark: 4 },
  )
  const headers = {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  }
  return new Response(body, { headers })
}
