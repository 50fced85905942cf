import { z } from 'zod'
import type { ServerControl, SyncState } from '../../node/sync-control.ts'
import { type Route, route } from '../route.ts'
import { direction } from '../schema/relay.ts'
import { linkStatus } from '../schema/server-runtime.ts'
import { syncState } from '../schema/sync-state.ts'

const query = z.strictObject({
  status: linkStatus.optional(),
  direction: direction.optional(),
  relay: z.string().optional().describe('The id or URL of a relay.'),
})

export function syncStateRoutes(sync: ServerControl): Route[] {
  return [
    route({
      id: 'listSyncStates',
      method: 'get',
      path: '/sync_states',
      summary: 'How far every link is, or those that match.',
      tag: 'Sync',
      scope: 'read',
      query,
      answer: z.array(syncState),
      handle: async ({ query: { status, direction: way, relay } }) =>
        (await sync.states(relay))
          .filter((state) => status === undefined || state.status === status)
          .filter((state) => way === undefined || state.direction === way)
          .map(shownState),
    }),
  ]
}

/** A filter is an object of whatever keys NIP-01 has. */
export function shownState({ filter, ...state }: SyncState) {
  return { ...state, filter: filter as Readonly<Record<string, unknown>> }
}
