import type { NodeControl } from '../node/control.ts'
import type { Server, SyncState } from '../node/sync-control.ts'
import { settled, settledRelay } from './settled.ts'

/** A relay as every command with --json tells it: its definition, its runtime, and the state of each of its links. */
export type RelayView = Server & { readonly states: readonly SyncState[] }

/** One relay, by URL or id, or all of them. */
export async function relayViews(node: NodeControl, which?: string): Promise<readonly RelayView[]> {
  const servers =
    which === undefined ? settled(await node.sync.listServers()) : [await namedRelay(node, which)]
  const byRelay = Map.groupBy(await node.sync.states(which), ({ relay_id }) => relay_id)
  return servers.map((server) => ({ ...server, states: byRelay.get(server.id) ?? [] }))
}

export async function namedRelay(node: NodeControl, which: string): Promise<Server> {
  return settledRelay(which, await node.sync.getRelay(which))
}
