import { z } from 'zod'
import { mayDo } from '../../node/api-key.ts'
import type { Server, ServerControl } from '../../node/sync-control.ts'
import { configRanges, type RelayConfig } from '../../planes/events/definition/relay-config.ts'
import type { Caller } from '../caller.ts'
import { HttpError, notFound } from '../http-error.ts'
import { type Route, route } from '../route.ts'
import { dispatchMode, dispatchReport } from '../schema/dispatch.ts'
import { flag, limit } from '../schema/query.ts'
import { direction, relay, relayEnvelope, relayEnvelopeDocument } from '../schema/relay.ts'
import { syncRun, syncState } from '../schema/sync-state.ts'
import { unwrap } from './control-failure.ts'
import { shownState } from './sync-states.ts'

const tag = 'Relays'
const relaysQuery = z.strictObject({ enabled: flag.optional(), direction: direction.optional() })
const emptyBody = z.strictObject({ mode: dispatchMode })

/**
 * The relays of a node. `{id}` is the id, or the URL percent-encoded.
 *
 * @param nodeConfig what holds for every relay that says nothing else
 */
export function relayRoutes(sync: ServerControl, nodeConfig: () => RelayConfig): Route[] {
  return [...records(sync, (server) => shown(server, nodeConfig())), ...actions(sync), ...histories(sync)]
}

function records(sync: ServerControl, shown: (server: Server) => Shown): Route[] {
  const body = { body: relayEnvelope, bodyDocument: relayEnvelopeDocument }
  return [
    route({
      id: 'listRelays',
      method: 'get',
      path: '/relays',
      summary: 'All relays, or those that match.',
      tag,
      scope: 'read',
      query: relaysQuery,
      answer: z.array(relay),
      handle: async ({ query }) =>
        unwrap(await sync.listServers())
          .map((server) => shown(server))
          .filter((one) => query.enabled === undefined || one.enabled === query.enabled)
          .filter((one) => query.direction === undefined || one.direction === query.direction),
    }),
    route({
      id: 'getRelay',
      method: 'get',
      path: '/relays/{id}',
      summary: 'One relay.',
      tag,
      scope: 'read',
      answer: relay,
      errors: [404],
      handle: async ({ params }) => shown(unwrap(await sync.getRelay(params.id ?? ''))),
    }),
    route({
      id: 'createRelay',
      method: 'post',
      path: '/relays',
      summary: 'Keeps in step with a further relay.',
      tag,
      scope: 'write',
      ...body,
      status: 201,
      answer: relay,
      handle: async ({ body: { upstream_relay }, caller }) => {
        assertMayName(upstream_relay, caller)
        return shown(unwrap(await sync.createRelay(upstream_relay)))
      },
    }),
    ...(['patch', 'put'] as const).map((method) =>
      route({
        id: method === 'patch' ? 'updateRelay' : 'putRelay',
        method,
        path: '/relays/{id}',
        summary: 'Changes what the body names. Disabling ends its connections before the answer.',
        tag,
        scope: 'write',
        ...body,
        answer: relay,
        errors: [404, 409],
        handle: async ({ params: { id = '' }, body: { upstream_relay }, caller }) => {
          assertMayName(upstream_relay, caller)
          return shown(unwrap(await sync.updateRelay(id, upstream_relay)))
        },
      }),
    ),
    route({
      id: 'deleteRelay',
      method: 'delete',
      path: '/relays/{id}',
      summary: 'Ends its connections and forgets it and how far its sync got. Events stay.',
      tag,
      scope: 'write',
      errors: [404],
      handle: async ({ params }) => void unwrap(await sync.removeRelay(params.id ?? '')),
    }),
  ]
}

/** A plugin is a program this machine runs: to name one is more than to change a relay. */
function assertMayName({ plugins }: Readonly<Record<string, unknown>>, { scopes }: Caller): void {
  if (plugins !== undefined && plugins !== null && !mayDo(scopes, 'admin'))
    throw new HttpError(403, 'to name plugins needs a key with the scope admin')
}

function actions(sync: ServerControl): Route[] {
  const idOf = async (given: string | undefined) => unwrap(await sync.getRelay(given ?? '')).id
  const common = { method: 'post', tag, scope: 'write', errors: [404] } as const
  return [
    route({
      ...common,
      id: 'syncRelay',
      path: '/relays/{id}/sync',
      summary: 'Asks for a sync now, in one of four modes.',
      body: emptyBody,
      status: 202,
      answer: dispatchReport,
      handle: async ({ params, body: { mode } }) =>
        sync.trigger(mode, unwrap(await sync.getRelay(params.id ?? '')).url),
    }),
    route({
      ...common,
      id: 'startRelay',
      path: '/relays/{id}/start',
      summary: 'Starts it, and forgets its failures.',
      handle: async ({ params }) => void unwrap(await sync.startServer(await idOf(params.id))),
    }),
    route({
      ...common,
      id: 'stopRelay',
      path: '/relays/{id}/stop',
      summary: 'Stops it until it is started, also over a restart of the node.',
      handle: async ({ params }) => void unwrap(await sync.stopServer(await idOf(params.id))),
    }),
    route({
      ...common,
      id: 'resetRelay',
      path: '/relays/{id}/reset',
      summary: 'Forgets how far its sync got. Events stay.',
      answer: z.strictObject({ reset: z.int().describe('Links.') }),
      handle: async ({ params }) => sync.reset(await idOf(params.id)),
    }),
  ]
}

function histories(sync: ServerControl): Route[] {
  const common = { method: 'get', tag, scope: 'read', errors: [404] } as const
  return [
    route({
      ...common,
      id: 'listRelayStates',
      path: '/relays/{id}/state',
      summary: 'How far each of its links is.',
      answer: z.array(syncState),
      handle: async ({ params: { id = '' } }) => {
        if (!(await sync.getRelay(id)).ok) throw notFound()
        return (await sync.states(id)).map(shownState)
      },
    }),
    route({
      ...common,
      id: 'listRelayRuns',
      path: '/relays/{id}/runs',
      summary: 'Its latest attempts, newest first.',
      query: z.strictObject({ limit: limit(1_000, 50) }),
      answer: z.array(syncRun),
      handle: async ({ params: { id = '' }, query }) => {
        if (!(await sync.getRelay(id)).ok) throw notFound()
        return sync.runs(id, query.limit)
      },
    }),
  ]
}

type Shown = ReturnType<typeof shown>
type Config = Readonly<Record<string, number | readonly number[] | null>>
/** Filters are objects of whatever keys NIP-01 has. */
type FilterObjects = readonly Readonly<Record<string, unknown>>[]

/** A server as relay.rb's clients know it, with what it has beyond that. */
function shown(
  { 'enabled?': enabled, runtime, config, filters, upload_filters, ...server }: Server,
  nodeConfig: RelayConfig,
) {
  const defaults = Object.entries(configRanges).map(([key, { fallback }]) => [key, fallback ?? null])
  return {
    ...server,
    filters: filters as FilterObjects,
    upload_filters: upload_filters as FilterObjects | null,
    enabled,
    config: { ...Object.fromEntries(defaults), ...nodeConfig, ...config } as Config,
    created_at: milliseconds(runtime.created_at),
    updated_at: milliseconds(runtime.updated_at),
    runtime,
  }
}

const milliseconds = (at: string | null) => (at === null ? null : new Date(at).toISOString())
