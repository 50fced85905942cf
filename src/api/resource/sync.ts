import { z } from 'zod'
import type { ServerControl } from '../../node/sync-control.ts'
import { type Route, route } from '../route.ts'
import { dispatchMode, dispatchReport } from '../schema/dispatch.ts'

const triggerBody = z.strictObject({
  mode: dispatchMode.default('realtime'),
  url: z.string().optional().describe('Only this relay.'),
})
const resetBody = z.strictObject({ relay: z.string().optional().describe('The id or URL; default: all.') })
const count = z.int().min(0)

export function syncRoutes(sync: ServerControl): Route[] {
  const common = { method: 'post', tag: 'Sync', scope: 'write' } as const
  return [
    route({
      ...common,
      id: 'triggerSync',
      path: '/sync/trigger',
      summary: 'Asks relays for a sync now. What is not dispatched is skipped with its reason.',
      body: triggerBody,
      status: 202,
      answer: dispatchReport,
      handle: ({ body: { mode, url } }) => sync.trigger(mode, url),
    }),
    route({
      ...common,
      id: 'recoverSync',
      path: '/sync/recover',
      summary: 'Frees what a dead process left running, and tries again what failed long enough ago.',
      answer: z.strictObject({ recovered_stale: count, retried_errors: count }),
      handle: () => sync.recover(),
    }),
    route({
      ...common,
      id: 'resetSync',
      path: '/sync/reset',
      summary: 'Forgets how far the sync of one relay got, or of all. Events stay.',
      body: resetBody,
      answer: z.strictObject({ reset: count.describe('Links.') }),
      handle: ({ body: { relay } }) => sync.reset(relay),
    }),
  ]
}
