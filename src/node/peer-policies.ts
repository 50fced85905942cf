import type { Peer } from '../kernel/peer.ts'
import type { ServerDefinition } from '../planes/events/definition/server-definition.ts'
import type { PluginFailurePolicy, PluginPool } from '../planes/events/plugin/plugin-pool.ts'
import type { Acl } from '../planes/events/policy/acl.ts'
import { leaveByGrant } from '../planes/events/policy/leave-by-grant.ts'
import type { PeerPolicies } from '../planes/events/sync/attempt-state.ts'
import { firstRefusal, type WritePolicy } from '../planes/events/write-policy.ts'

export interface PeerPolicyParts {
  readonly pool: PluginPool
  readonly onFailure: PluginFailurePolicy
  readonly acl: Acl
}

/**
 * What is asked about one relay's events beside the rules of the node: the programs its definition names, for as long as an
 * attempt runs, and whether what is protected may go there.
 *
 * @throws SyncError `config/invalid` when a program cannot be executed
 */
export async function openPeerPolicies(
  { metadata }: Pick<Peer, 'metadata'>,
  { pool, onFailure, acl }: PeerPolicyParts,
): Promise<PeerPolicies & AsyncDisposable> {
  const { plugins, auth_pubkey: pubkey } = (metadata.definition ?? {}) as Partial<ServerDefinition>
  await using opening = new AsyncDisposableStack()
  const open = async (path: string | null | undefined) =>
    path === null || path === undefined ? undefined : opening.use(await pool.open(path, onFailure))
  const down = await open(plugins?.down)
  const up = await open(plugins?.up)
  const opened = opening.move()
  return {
    down: down?.policy,
    up: all(leaveByGrant(acl, pubkey ?? undefined), up?.policy),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

/** Undefined where there is nothing to ask. */
function all(...policies: readonly (WritePolicy | undefined)[]): WritePolicy | undefined {
  const given = policies.filter((policy) => policy !== undefined)
  return given.length < 2 ? given[0] : firstRefusal(given)
}
