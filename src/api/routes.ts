import type { Node } from '../node/node.ts'
import { apiKeyRoutes } from './resource/api-keys.ts'
import { auditRoutes } from './resource/audit-log.ts'
import { deadLetterRoutes } from './resource/dead-letters.ts'
import { documentAccessRoutes } from './resource/document-access.ts'
import { documentPeerRoutes } from './resource/document-peers.ts'
import { documentRoutes } from './resource/documents.ts'
import { eventRoutes } from './resource/events.ts'
import { nodeStatusRoutes } from './resource/node-status.ts'
import { relayRoutes } from './resource/relays.ts'
import { syncRoutes } from './resource/sync.ts'
import { syncStateRoutes } from './resource/sync-states.ts'
import type { Route } from './route.ts'

export type RoutedNode = Pick<Node, 'keys' | 'audit' | 'sync' | 'status' | 'relayConfig' | 'documents'>

/** Every operation of the admin API, in the order of its document. */
export function adminRoutes(node: RoutedNode): readonly Route[] {
  return [
    ...relayRoutes(node.sync, () => node.relayConfig),
    ...deadLetterRoutes(node.sync),
    ...syncStateRoutes(node.sync),
    ...syncRoutes(node.sync),
    ...eventRoutes(node.sync),
    ...documentPeerRoutes(node.documents),
    ...documentRoutes(node.documents),
    ...documentAccessRoutes(node.documents),
    ...nodeStatusRoutes(node, node.sync),
    ...apiKeyRoutes(node.keys),
    ...auditRoutes(node.audit),
  ]
}
