import type { NodeStatus } from '../../node/control.ts'
import type { ServerControl } from '../../node/sync-control.ts'
import { type Route, route } from '../route.ts'
import { nodeStatus, syncHealth, syncStats } from '../schema/node-status.ts'
import { unwrap } from './control-failure.ts'

export interface StatusSource {
  status(): Promise<Omit<NodeStatus, 'relays' | 'git'>>
}

export function nodeStatusRoutes(node: StatusSource, sync: ServerControl): Route[] {
  const common = { method: 'get', tag: 'Node', scope: 'read' } as const
  return [
    route({
      ...common,
      id: 'getStatus',
      path: '/status',
      summary: 'The node: what it holds, where it listens, how its relays are.',
      answer: nodeStatus,
      handle: async () => {
        const { version, directory, identity, listening, events, rows, documents } = await node.status()
        const health = unwrap(await sync.syncHealth())
        const stats = unwrap(await sync.syncStats())
        return {
          version,
          directory,
          identity,
          listening: listening ?? null,
          events,
          health,
          stats,
          rows: rows ?? null,
          documents: documents ?? null,
        }
      },
    }),
    route({
      ...common,
      id: 'getStats',
      path: '/stats',
      summary: 'Sums over all relays.',
      answer: syncStats,
      handle: async () => unwrap(await sync.syncStats()),
    }),
    route({
      ...common,
      id: 'getHealth',
      path: '/health',
      summary: 'Whether something is wrong now, and with which relays.',
      answer: syncHealth,
      handle: async () => unwrap(await sync.syncHealth()),
    }),
  ]
}
