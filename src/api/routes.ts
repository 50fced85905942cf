import type { Node } from '../node/node.ts'
import { apiKeyRoutes } from './resource/api-keys.ts'
import { auditRoutes } from './resource/audit-log.ts'
import type { Route } from './route.ts'

/** Every operation of the admin API, in the order of its document. */
export function adminRoutes(node: Node): readonly Route[] {
  return [...apiKeyRoutes(node.keys), ...auditRoutes(node.audit)]
}
