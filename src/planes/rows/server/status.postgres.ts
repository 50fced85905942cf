import type { Pool } from 'pg'
import type { Clock } from '../../../kernel/clock.ts'
import type { StatusResponse } from '../wire/status.ts'

/** The part of the status that is counted in the database (§9). */
export type StatusCounters = Pick<
  StatusResponse,
  | 'user_state_retention_floor_ahead_count'
  | 'latest_bundle_seq_max'
  | 'retained_bundle_floor_min'
  | 'retained_bundle_floor_max'
  | 'retained_bundle_window_min'
  | 'retained_bundle_window_max'
  | 'history_pruned_error_count'
  | 'accepted_push_replay_count'
  | 'rejected_registered_write_count'
  | 'committed_bundle_count'
  | 'committed_bundle_bytes'
>

const noCounters: StatusCounters = {
  user_state_retention_floor_ahead_count: 0,
  latest_bundle_seq_max: 0,
  retained_bundle_floor_min: 0,
  retained_bundle_floor_max: 0,
  retained_bundle_window_min: 0,
  retained_bundle_window_max: 0,
  history_pruned_error_count: 0,
  accepted_push_replay_count: 0,
  rejected_registered_write_count: 0,
  committed_bundle_count: 0,
  committed_bundle_bytes: 0,
}

const called = (sequence: string) =>
  `(select case when is_called then last_value else 0 end from sync.${sequence})::text`

/** One record per user is read, not the log: bundles have no gaps, so their number follows from floor and latest. */
const counters = `
select count(*) filter (where retained_bundle_floor > next_bundle_seq - 1)::text as ahead,
  coalesce(max(next_bundle_seq - 1), 0)::text as latest,
  coalesce(min(retained_bundle_floor), 0)::text as floor_min, coalesce(max(retained_bundle_floor), 0)::text as floor_max,
  coalesce(min(greatest(next_bundle_seq - 1 - retained_bundle_floor, 0)), 0)::text as window_min,
  coalesce(max(greatest(next_bundle_seq - 1 - retained_bundle_floor, 0)), 0)::text as window_max,
  coalesce(sum(greatest(next_bundle_seq - 1 - retained_bundle_floor, 0)), 0)::text as bundles,
  coalesce(sum(next_bundle_seq), 0) || '/' || coalesce(sum(retained_bundle_floor), 0) || '/' || count(*) as state,
  ${called('history_pruned_error_seq')} as pruned, ${called('accepted_push_replay_seq')} as replays,
  ${called('rejected_registered_write_seq')} as rejected
from sync.user_state`

/** Adding up the bytes reads the whole log, so that takes at most this share of the time. */
const shareOfScanning = 0.05

export class StatusReader {
  readonly #pool: Pool
  readonly #clock: Clock
  #bytes:
    | { readonly state: string; readonly value: number; readonly at: number; readonly tookMs: number }
    | undefined

  constructor(pool: Pool, clock: Clock) {
    this.#pool = pool
    this.#clock = clock
  }

  /** All 0 before the schema is there. */
  async read(): Promise<StatusCounters> {
    const there = await this.#pool.query<{ there: boolean }>(
      `select to_regclass('sync.user_state') is not null as there`,
    )
    if (!there.rows[0]!.there) return noCounters
    const { rows } = await this.#pool.query<Record<string, string>>(counters)
    const row = rows[0]!
    const count = (name: string) => Number(row[name])
    return {
      user_state_retention_floor_ahead_count: count('ahead'),
      latest_bundle_seq_max: count('latest'),
      retained_bundle_floor_min: count('floor_min'),
      retained_bundle_floor_max: count('floor_max'),
      retained_bundle_window_min: count('window_min'),
      retained_bundle_window_max: count('window_max'),
      history_pruned_error_count: count('pruned'),
      accepted_push_replay_count: count('replays'),
      rejected_registered_write_count: count('rejected'),
      committed_bundle_count: count('bundles'),
      committed_bundle_bytes: await this.#committedBytes(row.state!),
    }
  }

  /** What was added up last holds as long as no bundle came or went. */
  async #committedBytes(state: string): Promise<number> {
    const start = this.#clock.monotonic()
    const known = this.#bytes
    if (known !== undefined && (known.state === state || start - known.at < known.tookMs / shareOfScanning))
      return known.value
    const { rows } = await this.#pool.query<{ bytes: string }>(
      `select coalesce(sum(byte_count), 0)::text as bytes from sync.bundle_log`,
    )
    const at = this.#clock.monotonic()
    this.#bytes = { state, value: Number(rows[0]!.bytes), at, tookMs: Math.trunc((at - start) / 10) * 10 }
    return this.#bytes.value
  }
}
