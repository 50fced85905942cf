import type { FieldReader } from './field-reader.ts'
import { isFields } from './field-reader.ts'
import type { ServerDefinition } from './server-definition.ts'

const day = 86_400

/** What one relay may have different from the node's settings (spec events §4.2): smallest and largest value. */
const ranges: Readonly<Record<string, readonly [min: number, max: number]>> = {
  batch_size: [1, 5_000],
  max_concurrent_connections: [1, 1_000],
  reconnect_delay_seconds: [1, 3_600],
  max_reconnect_attempts: [1, 1_000],
  backfill_since_hours: [1, 876_000],
  // Below 4096 bytes a message of negentropy has no room for an answer.
  negentropy_frame_size: [4_096, 500_000],
  negentropy_chunk_hours: [1, 876_000],
  polling_chunk_hours: [1, 876_000],
  polling_window_minutes: [1, 525_600],
  polling_timeout_seconds: [1, 3_600],
  upload_batch_size: [1, 5_000],
  upload_delay_ms: [0, 60_000],
  resume_overlap_seconds: [0, 30 * day],
  checkpoint_interval: [1, 100_000],
  stale_threshold_minutes: [1, 10_080],
  error_retry_after_minutes: [1, 10_080],
  max_filter_limit: [1, 100_000],
  fetch_timeout_seconds: [1, 3_600],
  negentropy_timeout_seconds: [1, day],
  publish_timeout_seconds: [1, 3_600],
  connect_timeout_seconds: [1, 600],
  max_queue_events: [1, 1_000_000],
  upload_pipeline: [1, 10_000],
  full_reconcile_hours: [1, 8_760],
  negentropy_min_window_seconds: [1, day],
}

/** The overrides of one relay; keys keep the order in which they were given. */
export function readConfig(server: FieldReader): ServerDefinition['config'] {
  const given = server.given('config') ?? {}
  const config = server.inner('config', 'invalid_config')
  if (!isFields(given)) return {}
  const entries: [string, number | readonly number[]][] = []
  for (const [key, value] of Object.entries(given)) {
    if (key === 'event_kinds') {
      if (isKindList(value)) entries.push([key, [...new Set(value)].sort((a, b) => a - b)])
      else config.refuse(key, 'invalid_config', 'must be a list of kinds, whole numbers from 0 to 65535')
      continue
    }
    const range = Object.hasOwn(ranges, key) ? ranges[key] : undefined
    if (range === undefined) config.refuse(key, 'unknown_field', 'is not a known setting')
    else if (isWhole(value, ...range)) entries.push([key, value])
    else config.refuse(key, 'invalid_config', `must be a whole number from ${range[0]} to ${range[1]}`)
  }
  return Object.fromEntries(entries)
}

function isKindList(value: unknown): value is number[] {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.length <= 1_000 &&
    value.every((kind) => isWhole(kind, 0, 65_535))
  )
}

export function isWhole(value: unknown, min: number, max: number): value is number {
  return (
    Number.isSafeInteger(value) &&
    (value as number) >= min &&
    (value as number) <= max &&
    !Object.is(value, -0)
  )
}
