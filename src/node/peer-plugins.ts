import type { Peer } from '../kernel/peer.ts'
import type { ServerDefinition } from '../planes/events/definition/server-definition.ts'
import type { PluginFailurePolicy, PluginPool } from '../planes/events/plugin/plugin-pool.ts'
import type { PeerPolicies } from '../planes/events/sync/attempt-state.ts'

/**
 * The programs a relay's definition names, for as long as an attempt runs.
 *
 * @throws SyncError `config/invalid` when one cannot be executed
 */
export async function openPeerPlugins(
  { metadata }: Pick<Peer, 'metadata'>,
  pool: PluginPool,
  onFailure: PluginFailurePolicy,
): Promise<PeerPolicies & AsyncDisposable> {
  const { plugins } = (metadata.definition ?? {}) as Partial<ServerDefinition>
  await using opening = new AsyncDisposableStack()
  const open = async (path: string | null | undefined) =>
    path === null || path === undefined ? undefined : opening.use(await pool.open(path, onFailure))
  const down = await open(plugins?.down)
  const up = await open(plugins?.up)
  const opened = opening.move()
  return { down: down?.policy, up: up?.policy, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}
