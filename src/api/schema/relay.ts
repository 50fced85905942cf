import { z } from 'zod'
import { component, time } from './component.ts'
import { serverRuntime } from './server-runtime.ts'

export const direction = z.enum(['down', 'up', 'both'])
const filter = z.record(z.string(), z.unknown()).describe('A NIP-01 filter without `limit` and `search`.')
const mode = z.enum(['req_stream', 'poll', 'negentropy', 'sync_page', 'auto'])
const infoMode = z.enum(['required', 'optional', 'disabled'])
const pubkey = z.string().regex(/^[0-9a-f]{64}$/)

const auth = z.strictObject({
  type: z.literal('nip42'),
  mode: z.enum(['on_challenge', 'on_required', 'disabled']),
  identity: z.string().describe('The role of ours that signs.'),
})

const tls = z.strictObject({
  mode: z.enum(['required', 'disabled']),
  hostname: z.string(),
  ca_certfile: z.string().nullable(),
  client_certfile: z.string().nullable(),
  client_keyfile: z.string().nullable(),
  pins: z.array(z.strictObject({ type: z.literal('spki_sha256'), value: z.string() })),
  require_pins: z.boolean(),
  min_version: z.enum(['TLSv1.2', 'TLSv1.3']),
})

const identityField = z.enum(['self', 'pubkey', 'either'])
const uploadExpiring = z.enum(['auto', 'always', 'never'])
const labels = z.record(z.string(), z.string())

const plugins = z
  .strictObject({ down: z.string().nullable(), up: z.string().nullable() })
  .describe('Programs that decide about its events, by absolute path. To name one needs the scope `admin`.')

const configValue = z.union([z.number(), z.array(z.int())])

export const relay = component(
  'Relay',
  "A relay this node keeps in step with: relay.rb's fields, then Parrhesia's.",
  z.strictObject({
    id: z.string(),
    url: z.string(),
    enabled: z.boolean(),
    backfill: z.boolean(),
    negentropy: z.boolean(),
    direction,
    notes: z.string().nullable(),
    config: z
      .record(z.string(), configValue.nullable())
      .describe('Settings of this relay with the defaults filled in; null: no such bound.'),
    created_at: time.nullable(),
    updated_at: time.nullable(),
    filters: z.array(filter).min(1),
    mode,
    overlap_window_seconds: z.int().min(0),
    relay_info_mode: infoMode,
    identity_field: identityField,
    auth_pubkey: pubkey.nullable(),
    auth,
    tls,
    metadata: z.record(z.string(), z.unknown()),
    upload_filters: z.array(filter).nullable().describe('What goes up; null: `filters`.'),
    schedule: z.string().nullable(),
    plugins,
    accept_protected_from_peers: z.boolean(),
    upload_expiring: uploadExpiring,
    labels,
    runtime: serverRuntime,
  }),
)

/** What a body may hold. The node itself checks it, with relay.rb's messages; this describes it. */
export const relayAttributes = component(
  'RelayAttributes',
  'What a relay is to be; everything but `url` has a default, and a change names only what it changes.',
  z
    .strictObject({
      url: z.string().describe('ws:// or wss://'),
      enabled: z.boolean().describe('Default true.'),
      backfill: z.boolean().describe('Whether stored events are synced; default true.'),
      negentropy: z.boolean().describe('Whether NIP-77 is the way to find them; default false.'),
      direction: direction.describe('Default down.'),
      notes: z.string().nullable(),
      config: z.record(z.string(), configValue).describe('Only what differs from the defaults.'),
      filters: z.array(filter).min(1).max(16).describe('Default: everything.'),
      mode: mode.describe('Default req_stream.'),
      overlap_window_seconds: z.int().min(0).describe('Default 300.'),
      relay_info_mode: infoMode.describe('Default optional.'),
      auth_pubkey: pubkey.nullable().describe('The key its information document must show.'),
      auth: auth.partial(),
      tls: tls.partial(),
      metadata: z.record(z.string(), z.unknown()).describe('Yours; returned unchanged.'),
      identity_field: identityField.describe('Where that key stands; default self.'),
      upload_filters: z.array(filter).min(1).max(16).nullable().describe('Default: as `filters`.'),
      schedule: z
        .string()
        .nullable()
        .describe('An interval, a daily time or five cron fields (UTC) instead of staying connected.'),
      plugins: plugins.partial(),
      accept_protected_from_peers: z.boolean().describe('Default false.'),
      upload_expiring: uploadExpiring.describe('Default auto.'),
      labels: labels.describe('For metrics and plugins; `name` is what people are shown.'),
    })
    .partial(),
)

/** relay.rb's envelope; what is inside goes to the node as it came. */
export const relayEnvelope = z.object({ upstream_relay: z.record(z.string(), z.unknown()) })

export const relayEnvelopeDocument = component(
  'RelayEnvelope',
  "relay.rb's envelope.",
  z.object({ upstream_relay: relayAttributes }),
)
