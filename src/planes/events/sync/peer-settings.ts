import type { Peer } from '../../../kernel/peer.ts'
import type { RetryPolicy } from '../../../kernel/retry.ts'
import { type ConfigKey, configRanges, type RelayConfig } from '../definition/relay-config.ts'
import type {
  AuthMode,
  IdentityField,
  RelayInfoMode,
  ServerDefinition,
  SyncMode,
  UploadExpiring,
} from '../definition/server-definition.ts'

/** What the engine does differently from relay to relay. */
export interface PeerSettings {
  /** Undefined for a relay without a definition: as `auto`, without SYNC-PAGE. */
  readonly mode: SyncMode | undefined
  readonly infoMode: RelayInfoMode
  readonly authMode: AuthMode
  /** The key the relay is expected to have. */
  readonly pubkey: string | undefined
  readonly identityField: IdentityField
  /** A relay of our own: protected events travel both ways. */
  readonly acceptProtected: boolean
  /** Ways to find stored events, the best first. A page walk always works and comes last. */
  readonly strategies: readonly Strategy[]
  /** False: only what is new from when the link was made. */
  readonly backfill: boolean
  /** How far back history is wanted from when the link was made; undefined: all of it. */
  readonly historySeconds: number | undefined
  readonly overlapSeconds: number
  readonly pollingWindowSeconds: number
  /** A window of a page walk; undefined: the whole gap. */
  readonly pollingChunkSeconds: number | undefined
  readonly pollingTimeoutMs: number
  readonly batchSize: number
  readonly fetchTimeoutMs: number
  readonly maxFilterLimit: number
  readonly negentropyFrameSize: number
  readonly negentropyChunkSeconds: number
  readonly negentropyTimeoutMs: number
  readonly negentropyMinWindowSeconds: number
  readonly checkpointInterval: number
  readonly maxQueueEvents: number
  readonly uploadBatchSize: number
  readonly uploadDelayMs: number
  readonly uploadPipeline: number
  readonly uploadExpiring: UploadExpiring
  readonly publishTimeoutMs: number
  /** Undefined: the transport's own. */
  readonly connectTimeoutMs: number | undefined
  readonly fullReconcileMs: number
  /** Links that come up to date at once. */
  readonly concurrency: number
}

export type Strategy = 'negentropy' | 'sync_page' | 'req'

/** What a profile asks a relay about, by ids, addresses and authors, is little for all of time: one window of seconds. */
const allOfTime = Number.MAX_SAFE_INTEGER

/** The settings of a relay of which nothing was said. */
export function peerSettings(peer: Pick<Peer, 'metadata'>, node: RelayConfig = {}): PeerSettings {
  const definition = definitionOf(peer)
  const given = (key: ConfigKey) => overrideOf(definition, key) ?? node[key]
  const number = (key: KeyWithDefault) => given(key) ?? configRanges[key].fallback
  const seconds = (key: KeyWithDefault) => number(key) * 1_000
  const chunkHours = given('polling_chunk_hours')
  const connectSeconds = given('connect_timeout_seconds')
  return {
    mode: definition?.mode,
    infoMode: definition?.relay_info_mode ?? 'optional',
    authMode: definition?.auth.mode ?? 'on_challenge',
    pubkey: definition?.auth_pubkey ?? undefined,
    identityField: definition?.identity_field ?? 'self',
    acceptProtected: definition?.accept_protected_from_peers ?? false,
    strategies: strategiesOf(definition),
    backfill: definition?.backfill ?? true,
    historySeconds: historyOf(peer, given('backfill_since_hours')),
    overlapSeconds: given('resume_overlap_seconds') ?? definition?.overlap_window_seconds ?? 300,
    pollingWindowSeconds: number('polling_window_minutes') * 60,
    pollingChunkSeconds: chunkHours === undefined ? undefined : chunkHours * 3_600,
    pollingTimeoutMs: seconds('polling_timeout_seconds'),
    batchSize: number('batch_size'),
    fetchTimeoutMs: seconds('fetch_timeout_seconds'),
    maxFilterLimit: number('max_filter_limit'),
    negentropyFrameSize: number('negentropy_frame_size'),
    negentropyChunkSeconds:
      'mirrored' in peer.metadata ? allOfTime : number('negentropy_chunk_hours') * 3_600,
    negentropyTimeoutMs: seconds('negentropy_timeout_seconds'),
    negentropyMinWindowSeconds: number('negentropy_min_window_seconds'),
    checkpointInterval: number('checkpoint_interval'),
    maxQueueEvents: number('max_queue_events'),
    uploadBatchSize: number('upload_batch_size'),
    uploadDelayMs: number('upload_delay_ms'),
    uploadPipeline: number('upload_pipeline'),
    uploadExpiring: definition?.upload_expiring ?? 'auto',
    publishTimeoutMs: seconds('publish_timeout_seconds'),
    connectTimeoutMs: connectSeconds === undefined ? undefined : connectSeconds * 1_000,
    fullReconcileMs: number('full_reconcile_hours') * 3_600_000,
    concurrency: number('max_concurrent_connections'),
  }
}

/** How failures of the relay are spaced: `base` with what the node and the relay set about it (spec events §2.20, §4.2). */
export function peerRetry(peer: Pick<Peer, 'metadata'>, node: RelayConfig, base: RetryPolicy): RetryPolicy {
  const definition = definitionOf(peer)
  const delay = overrideOf(definition, 'reconnect_delay_seconds') ?? node.reconnect_delay_seconds
  const initialMs = delay === undefined ? base.initialMs : delay * 1_000
  const after =
    overrideOf(definition, 'max_reconnect_attempts') ??
    node.max_reconnect_attempts ??
    configRanges.max_reconnect_attempts.fallback
  return { ...base, initialMs, maxMs: Math.max(base.maxMs, initialMs), slow: { ...base.slow, after } }
}

type KeyWithDefault = {
  [Key in ConfigKey]: (typeof configRanges)[Key]['fallback'] extends number ? Key : never
}[ConfigKey]

/** Relays made through the REST interface follow relay.rb where Parrhesia's definitions do not (spec events §2.19). */
const restHistoryHours = 43_800

function historyOf({ metadata }: Pick<Peer, 'metadata'>, hours: number | undefined): number | undefined {
  const wanted = hours ?? (metadata.profile === 'open' ? restHistoryHours : undefined)
  return wanted === undefined ? undefined : wanted * 3_600
}

function definitionOf({ metadata }: Pick<Peer, 'metadata'>): ServerDefinition | undefined {
  return metadata.definition as ServerDefinition | undefined
}

function overrideOf(definition: ServerDefinition | undefined, key: ConfigKey): number | undefined {
  return definition?.config[key] as number | undefined
}

/** A relay whose key was given is trusted with keyset pages: they prove nothing about what it leaves out (spec §1.4). */
function strategiesOf(definition: ServerDefinition | undefined): readonly Strategy[] {
  if (definition === undefined) return ['negentropy', 'req']
  const { mode, negentropy, auth_pubkey: pubkey } = definition
  const trusted: readonly Strategy[] = pubkey === null ? [] : ['sync_page']
  switch (mode) {
    case 'auto':
      return [...trusted, 'negentropy', 'req']
    case 'negentropy':
      return ['negentropy', ...trusted, 'req']
    case 'sync_page':
      return negentropy ? ['sync_page', 'negentropy', 'req'] : ['sync_page', 'req']
    case 'req_stream':
    case 'poll':
      return negentropy ? ['negentropy', ...trusted, 'req'] : ['req']
  }
}
