import type { ServerDefinition } from '../planes/events/definition/server-definition.ts'
import { allHistoryHours } from './relay-definition.ts'

interface Unsupported {
  readonly field: string
  /** What the node does, whatever the field says. */
  readonly instead: string
  readonly isNeutral: (definition: ServerDefinition) => boolean
  readonly without: (definition: ServerDefinition) => ServerDefinition
}

/** What a definition can say and this node cannot do. Each has one value that asks for nothing else than what it does. */
const unsupported: readonly Unsupported[] = [
  {
    field: 'auth_pubkey',
    instead: "a relay's key is not compared with its information document",
    isNeutral: ({ auth_pubkey }) => auth_pubkey === null,
    without: (definition) => ({ ...definition, auth_pubkey: null }),
  },
  {
    field: 'relay_info_mode',
    instead: 'the information document is fetched and nothing depends on it, as with "optional"',
    isNeutral: ({ relay_info_mode }) => relay_info_mode === 'optional',
    without: (definition) => ({ ...definition, relay_info_mode: 'optional' }),
  },
  {
    field: 'mode',
    instead: 'the way is found by asking the relay, and SYNC-PAGE is none of them',
    isNeutral: ({ mode }) => mode !== 'sync_page',
    without: (definition) => ({ ...definition, mode: 'auto' }),
  },
  {
    field: 'overlap_window_seconds',
    instead: 'the overlap is 300 seconds',
    isNeutral: ({ overlap_window_seconds }) => overlap_window_seconds === 300,
    without: (definition) => ({ ...definition, overlap_window_seconds: 300 }),
  },
  {
    field: 'auth.mode',
    instead: 'every challenge is answered, as with "on_challenge"',
    isNeutral: ({ auth }) => auth.mode === 'on_challenge',
    without: (definition) => ({ ...definition, auth: { ...definition.auth, mode: 'on_challenge' } }),
  },
  {
    field: 'backfill',
    instead: 'stored events are always synced',
    isNeutral: ({ backfill }) => backfill,
    without: (definition) => ({ ...definition, backfill: true }),
  },
  {
    field: 'config',
    instead: 'of the settings of a relay only event_kinds has an effect',
    isNeutral: ({ config: { event_kinds, backfill_since_hours: hours = allHistoryHours, ...others } }) =>
      hours === allHistoryHours && Object.keys(others).length === 0,
    without: (definition) => {
      const { event_kinds: kinds } = definition.config
      return { ...definition, config: kinds === undefined ? {} : { event_kinds: kinds } }
    },
  },
]

/** The fields {@link supportedDefinition} can do without. */
export const optionalFields: readonly string[] = unsupported.map(({ field }) => field)

export type SupportedResult =
  | { readonly ok: true; readonly value: ServerDefinition }
  | { readonly ok: false; readonly message: string }

/**
 * The definition with the fields in `without` at the value the node honours. Every other field that asks for what the node
 * does not do refuses it by name: to drop in silence what an operator relies on, a pinned certificate above all, would be
 * worse than not to sync.
 */
export function supportedDefinition(
  definition: ServerDefinition,
  without: readonly string[],
): SupportedResult {
  let supported = definition
  const refused: string[] = []
  for (const { field, instead, isNeutral, without: neutral } of unsupported) {
    if (isNeutral(supported)) continue
    if (without.includes(field)) supported = neutral(supported)
    else refused.push(`${field} cannot be honoured: ${instead}`)
  }
  if (refused.length === 0) return { ok: true, value: supported }
  const advice = 'take it out, or import with --without and its name'
  return { ok: false, message: `${refused.join('; ')} (${advice})` }
}
