import type { AccessControl } from '../node/access-control.ts'
import type { AuditLog } from '../node/audit-log.ts'
import type { IdentityControl } from '../node/identity.ts'
import type { Result, ServerControl } from '../node/sync-control.ts'
import type { ManagementMethods } from '../planes/events/relay/management-methods.ts'

export interface ManagedNode {
  readonly sync: ServerControl
  readonly acl: AccessControl
  readonly identityControl: IdentityControl
  readonly audit: Pick<AuditLog, 'add' | 'list'>
  /** Those of NIP-86: what is banned and what the relay says of itself. */
  readonly relayMethods: ManagementMethods
  status(): Promise<{ readonly events: { readonly count: number } }>
}

type Params = Readonly<Record<string, unknown>>

export interface ManagementRequest {
  readonly method: string
  /** Named, or for the methods of NIP-86 in order. */
  readonly params: Params | readonly unknown[]
}

/** What a method answers: a value, or the error code of Parrhesia with its HTTP status. */
export type ManagementResult =
  | { readonly ok: true; readonly result: unknown }
  | { readonly ok: false; readonly error: string; readonly status: 400 | 404; readonly details?: unknown }

type ManagementMethod = (node: ManagedNode, params: Params) => Promise<ManagementResult>

const done = (result: unknown): ManagementResult => ({ ok: true, result: result ?? null })

function answered(result: Result<unknown>): ManagementResult {
  if (result.ok) return done(result.value)
  const { error, details, messages } = result
  if (error === 'not_found' || error === 'unknown_server')
    return { ok: false, error: 'not-found', status: 404 }
  return { ok: false, error, status: 400, details: details ?? messages }
}

/** The id of a server; a wrong one is refused by the control plane, with its code. */
const idOf = ({ id }: Params): string => id as string

/** Parrhesia's management methods by name (spec events §2.17), and what each does here. */
const ownMethods: Readonly<Record<string, ManagementMethod>> = {
  sync_put_server: async ({ sync }, params) => answered(await sync.putServer(params)),
  sync_remove_server: async ({ sync }, params) => answered(await sync.removeServer(idOf(params))),
  sync_get_server: async ({ sync }, params) => answered(await sync.getServer(idOf(params))),
  sync_list_servers: async ({ sync }) => answered(await sync.listServers()),
  sync_start_server: async ({ sync }, params) => answered(await sync.startServer(idOf(params))),
  sync_stop_server: async ({ sync }, params) => answered(await sync.stopServer(idOf(params))),
  sync_sync_now: async ({ sync }, { id: _, ...options }) =>
    answered(await sync.syncNow(_ as string, options)),
  sync_server_stats: async ({ sync }, params) => answered(await sync.serverStats(idOf(params))),
  sync_stats: async ({ sync }) => answered(await sync.syncStats()),
  sync_health: async ({ sync }) => answered(await sync.syncHealth()),
  acl_grant: async ({ acl }, params) => done(await acl.grant(params)),
  acl_revoke: async ({ acl }, params) =>
    (await acl.revoke(params)) ? done(null) : { ok: false, error: 'not-found', status: 404 },
  acl_list: async ({ acl }, params) => done(await acl.list(params)),
  identity_get: async ({ identityControl }) => done(await identityControl.show()),
  // A node has had an identity since its first start: to ensure one is to say which.
  identity_ensure: async ({ identityControl }) => done(await identityControl.show()),
  identity_import: async ({ identityControl }, { secret_key }) =>
    done(await identityControl.import(typeof secret_key === 'string' ? secret_key : '')),
  identity_rotate: async ({ identityControl }) => done(await identityControl.rotate()),
  stats: async (node) => {
    const { events } = await node.status()
    const sync = await node.sync.syncStats()
    return sync.ok ? done({ events: events.count, sync: sync.value }) : answered(sync)
  },
  health: async ({ sync }) => answered(await sync.syncHealth()),
  list_audit_logs: async ({ audit }, { limit, before }) => {
    const most = limit ?? 100
    if (!isCount(most, 1_000) || (before !== undefined && !isCount(before, Number.MAX_SAFE_INTEGER)))
      return { ok: false, error: 'invalid-payload', status: 400 }
    const records = await audit.list(most, before)
    return done(records.map(({ at, ...record }) => ({ ...record, at: new Date(at).toISOString() })))
  },
  supportedmethods: async ({ relayMethods }) =>
    done([...new Set([...Object.keys(ownMethods), ...relayMethods.keys()])].sort()),
}

/** Runs one method. What it throws on purpose is about its parameters. */
export async function callMethod(
  node: ManagedNode,
  { method, params }: ManagementRequest,
): Promise<ManagementResult> {
  if (Object.hasOwn(ownMethods, method)) {
    if (Array.isArray(params)) return { ok: false, error: 'invalid-payload', status: 400 }
    return ownMethods[method]!(node, params as Params)
  }
  const known = node.relayMethods.get(method)
  if (known === undefined) return { ok: false, error: 'unsupported-method', status: 400 }
  const checked = known.params.safeParse(Array.isArray(params) ? params : Object.values(params))
  if (checked.success) return done(await known.run(checked.data))
  const details = checked.error.issues.map(({ message }) => message)
  return { ok: false, error: 'invalid-params', status: 400, details }
}

function isCount(value: unknown, most: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= most
}
