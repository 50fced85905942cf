import type { Direction } from '../kernel/link.ts'
import type { OutboxItem } from '../kernel/outbox.ts'
import type { Proof } from '../kernel/progress.ts'
import type { Bulk } from '../planes/events/bulk/bulk.ts'
import type {
  DefinitionErrorCode,
  DefinitionIssue,
  DefinitionProfile,
  ServerDefinition,
} from '../planes/events/definition/server-definition.ts'
import type { SavedLink } from './sync/server-directory.ts'

/**
 * Why a call of the control plane changed nothing:
 *
 * - a code of the definition that was refused
 * - `unknown_server` (asked about), `not_found` (to be changed): no server has this id or URL
 * - `invalid_server_id`, `invalid_manager`, `invalid_mode`, `invalid_range`: an argument is none
 * - `url_taken`: a relay made without an id is known by its URL, and there is one already
 * - `config_quarantined`: the stored record cannot be read; it is kept as it is, and only removing it makes room
 */
export type ControlErrorCode =
  | DefinitionErrorCode
  | 'unknown_server'
  | 'not_found'
  | 'invalid_manager'
  | 'invalid_range'
  | 'url_taken'
  | 'config_quarantined'

export interface ControlFailure {
  readonly ok: false
  readonly error: ControlErrorCode
  /** Every violation of a definition; `error` is the first one's code. */
  readonly details?: readonly DefinitionIssue[]
  /** The same as sentences a person can read: the `errors` of a 422 (spec events §4.4). */
  readonly messages: readonly string[]
}

export type Result<T> = { readonly ok: true; readonly value: T } | ControlFailure

export interface ControlOptions {
  /** Whose servers; default `default`. Managers of one node do not see each other's. */
  readonly manager?: string | undefined
  /** The same, as Parrhesia also calls it. */
  readonly name?: string | undefined
}

export type LinkStatus = 'idle' | 'syncing' | 'completed' | 'error'

/**
 * What a server is doing (spec events §2.13; the names are part of the interface). Times are `YYYY-MM-DDTHH:MM:SSZ`, counts
 * are sums over its links.
 */
export interface ServerRuntime {
  readonly server_id: string
  readonly state: 'running' | 'stopped'
  readonly 'connected?': boolean
  readonly last_connected_at: string | null
  readonly last_disconnected_at: string | null
  readonly last_sync_started_at: string | null
  readonly last_sync_completed_at: string | null
  readonly last_event_received_at: string | null
  readonly last_eose_at: string | null
  readonly last_remote_eose_at: string | null
  /** Failed ones in a row. */
  readonly reconnect_attempts: number
  /** Of a fault that is current. */
  readonly last_error: string | null
  readonly events_received: number
  readonly events_accepted: number
  readonly events_duplicate: number
  readonly events_rejected: number
  readonly query_runs: number
  readonly subscription_restarts: number
  readonly reconnects: number
  readonly cursor_created_at: number | null
  readonly cursor_event_id: string | null

  /** `stopped`, `backing_off`, `faulted`, `idle`, or the phase of its busiest link. */
  readonly phase: string
  readonly status: LinkStatus
  readonly events_uploaded: number
  readonly events_upload_failed: number
  readonly upload_seq: number
  readonly bytes_in: number
  readonly bytes_out: number
  readonly neg_rounds: number
  readonly backfill_progress_percent: number | null
  /** Now minus the upper end of what is covered. */
  readonly lag_seconds: number | null
  readonly next_retry_at: string | null
  readonly fault: Fault | null
  readonly last_rejection: {
    readonly event_id: string | null
    readonly code: string
    readonly at: string
  } | null
  readonly created_at: string | null
  readonly updated_at: string | null
}

export interface Fault {
  readonly code: string
  readonly message: string
  readonly since: string
  /** Not tried again before somebody acts, or a long time passed. */
  readonly permanent: boolean
}

export type Server = ServerDefinition & { readonly runtime: ServerRuntime }

/** Exactly these keys (spec events §2.16). */
export type ServerStats = Pick<
  ServerRuntime,
  | 'server_id'
  | 'state'
  | 'events_received'
  | 'events_accepted'
  | 'events_duplicate'
  | 'events_rejected'
  | 'query_runs'
  | 'subscription_restarts'
  | 'reconnects'
  | 'last_sync_started_at'
  | 'last_sync_completed_at'
  | 'last_remote_eose_at'
  | 'last_error'
  | 'cursor_created_at'
  | 'cursor_event_id'
> & { readonly connected: boolean }

/** Sums over all servers of a manager (spec events §2.16). */
export interface SyncStats {
  readonly servers_total: number
  readonly servers_enabled: number
  readonly servers_running: number
  readonly servers_connected: number
  readonly events_received: number
  readonly events_accepted: number
  readonly events_duplicate: number
  readonly events_rejected: number
  readonly query_runs: number
  readonly subscription_restarts: number
  readonly reconnects: number
}

export interface SyncHealth {
  /** `down`: the store cannot be written. */
  readonly status: 'ok' | 'degraded' | 'down'
  readonly servers_total: number
  readonly servers_connected: number
  /** By id. */
  readonly servers_failing: readonly { readonly id: string; readonly reason: string }[]
  /** Stored records that cannot be read, by id. */
  readonly config_quarantined: readonly { readonly id: string; readonly reason: string }[]
}

/** One link as relay.rb's SyncState (spec events §4.16, §4.17). */
export interface SyncState {
  readonly id: string
  readonly relay_id: string
  readonly relay_url: string
  readonly filter: object
  readonly filter_hash: string
  readonly direction: Direction
  /** Stays connected once it has caught up. */
  readonly live: boolean
  /** When it is looked at again by itself: `5m`, `03:00`, or five cron fields, UTC. */
  readonly schedule: string | null
  readonly status: LinkStatus
  readonly phase: string
  readonly error_message: string | null
  readonly events_downloaded: number
  readonly events_uploaded: number
  readonly last_download_event_id: string | null
  readonly last_download_timestamp: number | null
  readonly last_upload_event_id: string | null
  readonly last_upload_timestamp: number | null
  readonly last_synced_at: string | null
  readonly backfill_target: number | null
  readonly backfill_until: number | null
  readonly backfill_progress_percent: number | null
  readonly coverage: readonly (readonly [from: number, to: number])[]
  readonly gaps: readonly { readonly second: number; readonly reason: string }[]
  readonly strategy: string | null
  readonly upload_seq: number
  readonly outbox: { readonly pending: number; readonly dead: number }
  readonly next_run_at: string | null
  readonly next_retry_at: string | null
  readonly proof: Proof | null
  readonly created_at: string | null
  readonly updated_at: string | null
}

/** One attempt of a link; the newest 50 are kept. Without `finished_at` while it runs. */
export interface SyncRun {
  readonly id: number
  readonly relay_id: string
  readonly state_id: string
  /** `due`, `retry`, `asked`, or the word of who asked. */
  readonly trigger: string
  readonly started_at: string
  readonly finished_at: string | null
  readonly outcome: string | null
  readonly code: string | null
  readonly reason: string | null
  readonly strategy: string | null
  readonly notes: Readonly<Record<string, string>>
  readonly counters: Readonly<Record<string, number>>
}

export const dispatchModes = ['realtime', 'backfill', 'upload', 'full'] as const
export type DispatchMode = (typeof dispatchModes)[number]

export type SkipReason =
  | 'unknown_relay'
  | 'relay_disabled'
  | 'stopped'
  | 'backfill_disabled'
  | 'direction_mismatch'
  | 'already_syncing'
  /** `realtime` only: it is connected and gets events as they come. */
  | 'live'
  | 'backfill_complete'
  /** Of the recurring schedule only: it waits after failures, in its own time. */
  | 'backing_off'

/** What a trigger set going, per link, and what not, per relay (spec events §4.7). */
export interface DispatchReport {
  readonly mode: DispatchMode
  readonly dispatched: readonly { readonly id: string; readonly url: string; readonly run_id: number }[]
  readonly skipped: readonly {
    readonly id: string | null
    readonly url: string
    readonly reason: SkipReason
  }[]
}

export interface SyncNowOptions extends ControlOptions {
  /** Default: whatever brings it up to date. */
  readonly mode?: DispatchMode | undefined
  /** Seconds of `created_at`: only this part is looked at again, whatever was covered. */
  readonly since?: number | undefined
  readonly until?: number | undefined
  /** Answer when the runs ended, or are live. */
  readonly wait?: boolean | undefined
}

/** Version 3 of Parrhesia's file (spec events §2.11). */
export interface ExportedServers {
  readonly version: 3
  /** Names the store whose progress `links` tells. */
  readonly store: string
  readonly servers: Readonly<Record<string, ServerDefinition>>
  readonly runtime: Readonly<Record<string, ServerRuntime>>
  readonly profiles: Readonly<Record<string, DefinitionProfile>>
  readonly links: Readonly<Record<string, readonly SavedLink[]>>
}

export interface ImportServersOptions extends ControlOptions {
  /** How strict a map is taken; a body is always taken as `open`, and an export as it was. Default `strict`. */
  readonly profile?: DefinitionProfile | undefined
}

export interface ImportedServers {
  readonly imported: readonly Server[]
  /** By position in the file; `name` is the id or the URL, as far as there is one. */
  readonly refused: readonly { readonly at: number; readonly name: string; readonly message: string }[]
  /** How many came with their progress. */
  readonly restored: number
}

/** What a link counted, for metrics: read when it is asked for, never kept up to date event by event. */
export interface LinkMetrics {
  readonly peer: string
  readonly direction: Direction
  readonly strategy: string
  readonly connected: boolean
  readonly failing: boolean
  readonly lag_seconds: number | null
  readonly outbox: { readonly pending: number; readonly dead: number }
  /** By the events plane's names; they only grow, except by reset. */
  readonly counters: Readonly<Record<string, number>>
}

/** The part of the control plane that can also be called through the control socket. */
export interface ServerControl {
  /** Makes or replaces a server by Parrhesia's map, in the strict profile. An equal one changes nothing. */
  putServer(server: unknown, options?: ControlOptions): Promise<Result<Server>>
  /** `unknown_server` when there is none; a store that cannot be read throws. */
  getServer(id: string, options?: ControlOptions): Promise<Result<Server>>
  /** Sorted by id. */
  listServers(options?: ControlOptions): Promise<Result<readonly Server[]>>
  /** Also its checkpoints; events stay. */
  removeServer(id: string, options?: ControlOptions): Promise<Result<null>>
  startServer(id: string, options?: ControlOptions): Promise<Result<null>>
  /** Lasts, also over a restart. */
  stopServer(id: string, options?: ControlOptions): Promise<Result<null>>
  syncNow(id: string, options?: SyncNowOptions): Promise<Result<null>>
  serverStats(id: string, options?: ControlOptions): Promise<Result<ServerStats>>
  syncStats(options?: ControlOptions): Promise<Result<SyncStats>>
  syncHealth(options?: ControlOptions): Promise<Result<SyncHealth>>

  /** All servers with their state and progress, as text that `importServers` reads: `JSON.stringify` it. */
  exportServers(options?: ControlOptions): Promise<Result<ExportedServers>>
  /**
   * Makes or replaces the servers of a file: one definition or body, a list, Parrhesia's `sync_servers.json`, or an export.
   * One that is refused keeps no other out. Progress is only taken over into the store it was exported from.
   *
   * @throws SyncError `config/invalid` for a text that is no such file
   */
  importServers(text: string, options?: ImportServersOptions): Promise<Result<ImportedServers>>

  /** relay.rb's side: open profile, an id of ours, one relay per URL. `messages` are relay.rb's. */
  createRelay(body: unknown): Promise<Result<Server>>
  /** Changes what the body names. */
  updateRelay(idOrUrl: string, body: unknown): Promise<Result<Server>>
  getRelay(idOrUrl: string): Promise<Result<Server>>
  removeRelay(idOrUrl: string): Promise<Result<null>>
  /** Relays of one URL, or all. */
  trigger(mode: DispatchMode, url?: string): Promise<DispatchReport>
  recover(): Promise<{ readonly recovered_stale: number; readonly retried_errors: number }>
  /** Forgets coverage, cursors and counts; events, definitions and run history stay. Answers how many links. */
  reset(idOrUrl?: string): Promise<{ readonly reset: number }>
  states(idOrUrl?: string): Promise<readonly SyncState[]>
  /** Newest first. */
  runs(idOrUrl: string, limit?: number): Promise<readonly SyncRun[]>
  /** Events the relay refused for good, newest first. */
  deadLetters(idOrUrl: string, limit?: number): Promise<readonly OutboxItem[]>
  /** Offers them again, all or those given by event id; answers how many. */
  reviveDeadLetters(idOrUrl: string, ids?: readonly string[]): Promise<{ readonly revived: number }>
  metrics(): Promise<readonly LinkMetrics[]>
  /** Links as their state changes: per link always the newest, however slow the listener. Ends with the signal. */
  updates(signal: AbortSignal): AsyncIterable<SyncState>
}

/**
 * `node.sync`: Parrhesia's control plane with its bulk functions (spec events §2.1, §3), and relay.rb's dispatch (§4.7,
 * §4.15), over one model. What was wrong with a call is a result; a broken store throws SyncError.
 */
export interface SyncControl extends ServerControl, Bulk {}
