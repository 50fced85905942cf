const day = 86_400

interface ConfigRange {
  readonly min: number
  readonly max: number
  /** Undefined: without the setting there is no such bound, or the node's own setting of that kind counts. */
  readonly fallback: number | undefined
}

const range = <F extends number | undefined = undefined>(min: number, max: number, fallback?: F) => ({
  min,
  max,
  fallback: fallback as F,
})

/**
 * What one relay may have different from the node's settings (spec events §4.2): smallest and largest value, and what it is
 * without either of them. Defaults that would only slow down a sync are not relay.rb's: see docs/protocol/events.md.
 */
export const configRanges = {
  /** Ids of one REQ. */
  batch_size: range(1, 5_000, 500),
  /** Links of the relay that are brought up to date at the same time. They share one connection. */
  max_concurrent_connections: range(1, 1_000, 1),
  /** Delay after a first failure; it doubles with each. */
  reconnect_delay_seconds: range(1, 3_600),
  /** Failures in a row before the slow lane, which is never a reason to give up. */
  max_reconnect_attempts: range(1, 1_000, 10),
  /** How far back history is wanted, from when the link was made. */
  backfill_since_hours: range(1, 876_000),
  /** Bytes of one message. Below 4096 bytes a message of negentropy has no room for an answer. */
  negentropy_frame_size: range(4_096, 500_000, 60_000),
  /** The first window. */
  negentropy_chunk_hours: range(1, 876_000, 168),
  /** A window of a page walk; without it a gap is walked as one. */
  polling_chunk_hours: range(1, 876_000),
  /** How far back a first look for new events goes. */
  polling_window_minutes: range(1, 525_600, 15),
  /** Silence within a page after which it is void. */
  polling_timeout_seconds: range(1, 3_600, 30),
  /** Events between two pauses of an upload. */
  upload_batch_size: range(1, 5_000, 500),
  /** The pause. */
  upload_delay_ms: range(0, 60_000, 0),
  /** The same as `overlap_window_seconds`, and counts before it. */
  resume_overlap_seconds: range(0, 30 * day),
  /** Live events stored in one transaction with the checkpoint, at most. */
  checkpoint_interval: range(1, 100_000, 500),
  /** A sync that was not heard of for so long is taken for dead. */
  stale_threshold_minutes: range(1, 10_080, 10),
  /** `recover` tries errors older than this again. */
  error_retry_after_minutes: range(1, 10_080, 30),
  /** Silence within a REQ by ids after which it failed. */
  fetch_timeout_seconds: range(1, 3_600, 10),
  /** Waiting for answers within one negentropy session, in all. */
  negentropy_timeout_seconds: range(1, day, 300),
  /** No OK at all for so long while some are due: they are tried again later. */
  publish_timeout_seconds: range(1, 3_600, 10),
  /** From dialling to an open WebSocket. */
  connect_timeout_seconds: range(1, 600),
  /** The largest `limit` in a filter of ours. */
  max_filter_limit: range(1, 100_000, 500),
  /** Live events received and not stored yet, before the relay is held back. */
  max_queue_events: range(1, 1_000_000, 5_000),
  /** Events without their OK. */
  upload_pipeline: range(1, 10_000, 256),
  /** After so long everything is compared again, covered or not. */
  full_reconcile_hours: range(1, 8_760, 24),
  /** Windows are not halved below this. */
  negentropy_min_window_seconds: range(1, day, 60),
} satisfies Readonly<Record<string, ConfigRange>>

export type ConfigKey = keyof typeof configRanges

/** The node's settings for all relays; a relay's `config` counts before them. */
export type RelayConfig = Readonly<Partial<Record<ConfigKey, number>>>

export function isConfigKey(key: string): key is ConfigKey {
  return Object.hasOwn(configRanges, key)
}

/** Why a value is none for its key; undefined: it is one. */
export function configIssue(key: ConfigKey, value: unknown): string | undefined {
  const { min, max } = configRanges[key]
  return isWhole(value, min, max) ? undefined : `must be a whole number from ${min} to ${max}`
}

export function isWhole(value: unknown, min: number, max: number): value is number {
  return (
    Number.isSafeInteger(value) &&
    (value as number) >= min &&
    (value as number) <= max &&
    !Object.is(value, -0)
  )
}
