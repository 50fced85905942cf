import { z } from 'zod'
import type { ServerControl } from '../../node/sync-control.ts'
import { type Route, route } from '../route.ts'
import { limit } from '../schema/query.ts'
import { deadLetter } from '../schema/sync-state.ts'
import { unwrap } from './control-failure.ts'

const reviveBody = z.strictObject({
  event_ids: z.array(z.string()).min(1).max(1_000).optional().describe('Default: all.'),
})

/** Events a relay refused for good: they are seen, and can be tried again. */
export function deadLetterRoutes(sync: ServerControl): Route[] {
  const common = { path: '/relays/{id}/dead_letters', tag: 'Relays', errors: [404] } as const
  return [
    route({
      ...common,
      id: 'listDeadLetters',
      method: 'get',
      summary: 'Events that the relay refused for good, newest first.',
      scope: 'read',
      query: z.strictObject({ limit: limit(1_000, 100) }),
      answer: z.array(deadLetter),
      handle: async ({ params: { id = '' }, query }) => {
        unwrap(await sync.getRelay(id))
        return (await sync.deadLetters(id, query.limit)).map(({ key, link, attempts, reason }) => ({
          event_id: key,
          state_id: link,
          attempts,
          reason: reason ?? null,
        }))
      },
    }),
    route({
      ...common,
      id: 'reviveDeadLetters',
      method: 'post',
      path: '/relays/{id}/dead_letters/revive',
      summary: 'Offers them to the relay again.',
      scope: 'write',
      body: reviveBody,
      answer: z.strictObject({ revived: z.int().min(0) }),
      handle: async ({ params: { id = '' }, body }) => {
        unwrap(await sync.getRelay(id))
        return sync.reviveDeadLetters(id, body.event_ids)
      },
    }),
  ]
}
