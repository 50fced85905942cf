import { availableParallelism } from 'node:os'
import ipaddr from 'ipaddr.js'
import { z } from 'zod'
import { documents } from './documents.ts'
import { grasp } from './grasp.ts'
import { proactive } from './proactive.ts'
import { rows } from './rows.ts'
import { count, seconds, settingInfo, text } from './setting-info.ts'

const webSocketUrl = z.string().refine((value) => {
  const url = URL.canParse(value) ? new URL(value) : undefined
  return (url?.protocol === 'ws:' || url?.protocol === 'wss:') && url.hash === ''
})

const postgresUrl = z.string().refine((value) => {
  const url = URL.canParse(value) ? new URL(value) : undefined
  return (url?.protocol === 'postgres:' || url?.protocol === 'postgresql:') && url.hostname !== ''
})

const ruleAction = z.enum(['allow', 'deny'])
/** A filter of NIP-01; looked at closely by the node, which knows the limits. */
const filter = z.record(z.string(), z.unknown())

const writeRule = z.strictObject({
  action: ruleAction,
  match: filter.default({}),
  sources: z
    .array(z.enum(['client', 'sync', 'import']))
    .min(1)
    .optional(),
  peers: z.array(z.string().min(1).max(2_048)).min(1).max(1_000).optional(),
  olderThanSeconds: z.int().min(0).optional(),
  largerThanBytes: z.int().min(0).optional(),
  reason: z.string().min(1).max(200).optional(),
})

const policy = z.strictObject({
  readAccess: z.enum(['open', 'authenticated']).default('open').register(settingInfo, {
    description: 'Who may read here. `authenticated`: only clients that have said who they are (NIP-42).',
    allowed: 'open or authenticated',
  }),
  read: z
    .array(z.strictObject({ action: ruleAction, match: filter.default({}) }))
    .max(1_000)
    .default([])
    .register(settingInfo, {
      description:
        'What may be read, rule by rule; the first that applies decides, and where none does the request is answered. An `allow` applies to requests that ask for nothing outside its `match`, a `deny` to those that ask for anything in it.',
      allowed: 'a list of at most 1000 rules with an `action`, allow or deny, and a filter as `match`',
    }),
  writeAccess: z.enum(['open', 'authenticated']).default('open').register(settingInfo, {
    description:
      'Who may publish here. `authenticated`: only clients that have said who they are (NIP-42). Syncs and imports are not asked.',
    allowed: 'open or authenticated',
  }),
  write: z.array(writeRule).max(1_000).default([]).register(settingInfo, {
    description:
      'What may come in by relay, sync and import, rule by rule; the first that applies decides, and where none does the event may come in. A rule applies where all of its conditions hold: the filter `match`; `sources`, a list of client, sync and import; `peers`, a list of relays by id or URL; `olderThanSeconds`; `largerThanBytes`. With `deny`, `reason` is what the sender is told.',
    allowed:
      'a list of at most 1000 rules with an `action`, allow or deny, and any of match, sources, peers, olderThanSeconds, largerThanBytes and reason',
  }),
  protectedFilters: z.array(filter).max(100).default([]).register(settingInfo, {
    description:
      'What is read and written only by public keys that were granted `sync_read` or `sync_write` over it. Everything else needs no grant.',
    allowed: 'a list of at most 100 filters',
  }),
})

const log = z.strictObject({
  level: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info').register(settingInfo, {
    description: 'The least important log line that is written.',
    allowed: 'debug, info, warn, error or silent',
  }),
  format: z.enum(['auto', 'json', 'human']).default('auto').register(settingInfo, {
    description:
      'How log lines look: `json` for machines, `human` for people, `auto` for people when standard error is a terminal.',
    allowed: 'auto, json or human',
  }),
})

const verifier = z.strictObject({
  workers: z
    .int()
    .min(1)
    .max(256)
    .default(() => Math.min(8, availableParallelism()))
    .register(settingInfo, {
      description: 'Threads that check signatures.',
      allowed: 'a whole number from 1 to 256',
      defaultText: 'the processors of the machine, at most 8',
    }),
})

const sync = z.strictObject({
  concurrency: count(1, 1_000, 10, 'Links that are brought up to date at the same time; others wait.'),
  connectTimeoutSeconds: seconds(
    1,
    300,
    20,
    'How long connecting to a peer may take, name and TLS included.',
  ),
  idleSeconds: seconds(
    5,
    3_600,
    120,
    'Silence after which an attempt is given up and tried again. A live link that waits for news is not silent: its connection is checked by pings.',
  ),
  leaseSeconds: seconds(
    10,
    3_600,
    300,
    'How long a link stays taken by a process that no longer renews its lease: the time until another takes over.',
  ),
  retryInitialSeconds: seconds(
    1,
    3_600,
    1,
    'Upper bound of the random delay after a first failure. It doubles with each failure.',
  ),
  retryMaxSeconds: seconds(
    1,
    86_400,
    300,
    'Upper bound that doubling stops at. Only a hint of the peer itself makes a delay longer.',
  ),
  relays: z.record(z.string(), z.int().min(0)).default({}).register(settingInfo, {
    description:
      'What counts for every relay whose definition says nothing else in its `config`, by the names used there: `batch_size`, `negentropy_chunk_hours`, `upload_delay_ms` and so on.',
    allowed: 'names of settings of a relay with whole numbers',
  }),
})

const httpUrl = z.string().refine((value) => {
  const url = URL.canParse(value) ? new URL(value) : undefined
  return (url?.protocol === 'http:' || url?.protocol === 'https:') && url.hash === '' && url.search === ''
})

const admin = z.strictObject({
  enabled: z.boolean().default(true).register(settingInfo, {
    description: 'Whether there is an admin listener: REST, metrics, probes.',
    allowed: 'true or false',
  }),
  host: z.string().min(1).max(255).default('127.0.0.1').register(settingInfo, {
    description:
      'The address the admin listener is bound to. It speaks plain HTTP: for other machines put a proxy with TLS before it.',
    allowed: 'a host name or an IP address',
  }),
  port: count(0, 65_535, 7_780, 'The port of the admin listener; 0 takes a free one.'),
  publicUrls: z.array(httpUrl).max(32).default([]).register(settingInfo, {
    description:
      'Addresses under which others reach the admin listener, as behind a proxy. A request signed by NIP-98 is only accepted for one of them, or for the address it is bound to.',
    allowed: 'a list of at most 32 addresses that begin with http:// or https:// and have no ? or # part',
  }),
  pubkeys: z
    .array(z.string().regex(/^[0-9a-f]{64}$/))
    .max(100)
    .default([])
    .register(settingInfo, {
      description:
        'Public keys that may administer this node by requests they sign (NIP-98), at `/management` and everywhere a key is asked for. Nobody else may.',
      allowed: 'a list of at most 100 public keys of 64 lowercase hex digits',
    }),
  allowedOrigins: z.array(httpUrl).max(32).default([]).register(settingInfo, {
    description: 'Web pages from elsewhere that may call the admin API from a browser (CORS), by origin.',
    allowed: 'a list of at most 32 origins such as https://dashboard.example',
  }),
  metricsAccess: z.enum(['open', 'key']).default('open').register(settingInfo, {
    description:
      'Who may read `/metrics`: `open`, whoever reaches the listener; `key`, who has a key with the scope `read`.',
    allowed: 'open or key',
  }),
})

/** What it means is checked where schedules are read; this refuses what can be none. */
const scheduleText = /^(off|\d{1,9}[smhd]|([01]\d|2[0-3]):[0-5]\d|(\S+ +){4}\S+)$/

const recurring = (fallback: string, description: string) =>
  z.string().max(100).regex(scheduleText).default(fallback).register(settingInfo, {
    description,
    allowed: 'an interval such as 5m, a daily time such as 03:00, five cron fields (UTC), or off',
  })

const schedule = z.strictObject({
  realtime: recurring(
    '5m',
    'When relays that are polled are asked for new events. One that is live, or has a schedule of its own, is not touched.',
  ),
  backfill: recurring('0 * * * *', 'When what is missing of the wanted history is worked on again.'),
  upload: recurring('15m', 'When relays are offered what they lack.'),
  full: recurring('03:00', 'When everything wanted is compared again, covered or not.'),
  recovery: recurring(
    '10m',
    'When relays in error for longer than their retry time, and attempts that died without a word, are set free.',
  ),
  housekeeping: recurring(
    '12 * * * *',
    'When the progress of filters that were taken out a week ago is forgotten.',
  ),
})

/** Every key of the configuration, with its default. The reference page and the errors are made from this. */
export const configSchema = z.strictObject({
  data: z.string().min(1).max(4_096).default('./syncline-data').register(settingInfo, {
    description: 'The data directory. One process at a time owns it.',
    allowed: 'a path',
  }),
  databaseUrl: postgresUrl.optional().register(settingInfo, {
    description:
      'The PostgreSQL database that rows are served from. Without it a node that serves rows runs a PostgreSQL of its own in the data directory. The event store stays in SQLite.',
    allowed: 'an address that begins with postgres:// or postgresql:// and names a host',
    defaultText: 'none',
    secret: true,
  }),
  host: z.string().min(1).max(255).default('127.0.0.1').register(settingInfo, {
    description:
      'The address to listen on. The default serves this machine alone; `0.0.0.0` serves every network it is in.',
    allowed: 'a host name or an IP address',
  }),
  port: count(0, 65_535, 7_777, 'The port of the public listener; 0 takes a free one.'),
  publicUrls: z.array(webSocketUrl).max(32).default([]).register(settingInfo, {
    description:
      'Addresses under which others reach this relay. Authentication (NIP-42) is only accepted for one of them.',
    allowed: 'a list of at most 32 addresses that begin with ws:// or wss:// and have no # part',
  }),
  trustedProxies: z
    .array(
      z
        .string()
        .max(64)
        .refine((text) => ipaddr.isValid(text) || ipaddr.isValidCIDR(text)),
    )
    .max(100)
    .default([])
    .register(settingInfo, {
      description:
        'Proxies before the listeners, whose `X-Forwarded-For` is believed. Limits, blocks and logs go by the address of the client; without this all clients behind a proxy have its address.',
      allowed: 'a list of at most 100 IP addresses or networks such as 10.0.0.0/8',
    }),
  name: text(29, 'Syncline', 'The name in the relay information document (NIP-11).'),
  description: text(1_000, '', 'The description in the relay information document.'),
  contact: text(200, '', 'Who is responsible, in the relay information document: a mail address or a URI.'),
  adminPubkey: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional()
    .register(settingInfo, {
      description: "The administrator's public key, in the relay information document.",
      allowed: '64 lowercase hex digits',
      defaultText: 'none',
    }),
  restrictedKinds: z.array(z.int().min(0).max(65_535)).max(100).default([1059]).register(settingInfo, {
    description:
      'Kinds that only their author and the people named in their `p` tags may read, once authenticated. See decision 0009.',
    allowed: 'a list of at most 100 kinds from 0 to 65535; an empty list restricts nothing',
  }),
  writePolicyPlugin: z.string().min(1).max(4_096).optional().register(settingInfo, {
    description:
      'A program that decides which events come in, by relay, sync and import alike. It speaks the line protocol of strfry plugins and gets no arguments.',
    allowed: 'the path of an executable file',
    defaultText: 'none',
  }),
  writePolicyPluginFailure: z.enum(['pause', 'reject', 'accept']).default('pause').register(settingInfo, {
    description:
      'What becomes of an event while the plugin gives no verdict. `pause`: nothing is decided, and a sync tries again later; `reject`: it is refused and a sync goes on without it; `accept`: the plugin is passed over.',
    allowed: 'pause, reject or accept',
  }),
  limits: z.record(z.string(), z.int().min(0)).default({}).register(settingInfo, {
    description: 'Limits of the relay that differ from their defaults, by name.',
    allowed: 'names of limits with whole numbers from 0',
  }),
  syncPage: z.enum(['off', 'authenticated', 'open']).default('authenticated').register(settingInfo, {
    description:
      'Who may walk stored events by SYNC-PAGE: `authenticated`, public keys that were granted `sync_read` over what they ask for; `open`, whoever would be answered a REQ; `off`, nobody.',
    allowed: 'off, authenticated or open',
  }),
  policy: policy.prefault({}),
  log: log.prefault({}),
  verifier: verifier.prefault({}),
  sync: sync.prefault({}),
  proactive: proactive.prefault({}),
  grasp: grasp.prefault({}),
  gitDir: z.string().min(1).max(4_096).optional().register(settingInfo, {
    description:
      'A folder for the git repositories that are kept, as `<npub>/<identifier>.git`. With it, states and pull requests wait until their git data was fetched from the places the announcements name. Needs `proactive.domain`, and git 2.37 or later on this machine.',
    allowed: 'a path',
    defaultText: 'none: events only',
  }),
  gitMaxMegabytes: count(
    1,
    1_000_000,
    1_024,
    'How large one repository in `gitDir` may become, in megabytes. Half of it is kept for what its maintainers sign.',
  ),
  rows: rows.prefault({}),
  documents: documents.prefault({}),
  schedule: schedule.prefault({}),
  admin: admin.prefault({}),
})

export type Config = z.output<typeof configSchema>
