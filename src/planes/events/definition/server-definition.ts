import type { Direction } from '../../../kernel/link.ts'
import type { Filter } from '../filter.ts'

/**
 * `strict` for definitions that put trust on record: TLS settings and the relay's key have to be given. `open` takes both
 * from the URL and the certificate authorities (spec events §2.5).
 */
export type DefinitionProfile = 'strict' | 'open'

export type SyncMode = 'req_stream' | 'poll' | 'negentropy' | 'sync_page' | 'auto'
export type RelayInfoMode = 'required' | 'optional' | 'disabled'
export type AuthMode = 'on_challenge' | 'on_required' | 'disabled'
/** The field of the information document that must hold `auth_pubkey`; `self` falls back to `pubkey` where there is none. */
export type IdentityField = 'self' | 'pubkey' | 'either'
export type UploadExpiring = 'auto' | 'always' | 'never'

/** A sync server as an operator wants it, in its one normal form (spec events §2.10); valid input of its own check. */
export interface ServerDefinition {
  readonly id: string
  /** As configured: the spelling that goes over the wire. */
  readonly url: string
  readonly 'enabled?': boolean
  /** 64 lowercase hex; null only in the open profile. */
  readonly auth_pubkey: string | null
  /** Canonical, none twice, at least one. */
  readonly filters: readonly Filter[]
  readonly mode: SyncMode
  readonly overlap_window_seconds: number
  readonly relay_info_mode: RelayInfoMode
  readonly identity_field: IdentityField
  /** `identity` is the role of ours that signs; a node has one. */
  readonly auth: { readonly type: 'nip42'; readonly mode: AuthMode; readonly identity: 'relay' }
  readonly tls: TlsDefinition
  /** Opaque, returned unchanged. */
  readonly metadata: Readonly<Record<string, unknown>>
  readonly direction: Direction
  /** What goes up, where that is not what comes down; null: `filters`. */
  readonly upload_filters: readonly Filter[] | null
  readonly backfill: boolean
  readonly negentropy: boolean
  /**
   * When it is asked again instead of staying connected: an interval, a daily time, or five cron fields (UTC). Null: it
   * stays connected, or with `mode: "poll"` is asked by the node's recurring schedule.
   */
  readonly schedule: string | null
  /** Programs that decide about events of this server, by absolute path (spec events §7.4). */
  readonly plugins: { readonly down: string | null; readonly up: string | null }
  /** Take events with a `-` tag from it, whoever their author is: for servers of one owner (spec events §6.8). */
  readonly accept_protected_from_peers: boolean
  /** Offer events that expire: `auto` where the relay says it knows expiration (spec events §6.6). */
  readonly upload_expiring: UploadExpiring
  /** For metrics and plugins; `name` is what people are shown. */
  readonly labels: Readonly<Record<string, string>>
  readonly notes: string | null
  /** Only what differs from the node's settings: whole numbers, and `event_kinds` as a list of them (spec events §4.2). */
  readonly config: Readonly<Record<string, number | readonly number[]>>
}

export interface TlsDefinition {
  readonly mode: 'required' | 'disabled'
  readonly hostname: string
  readonly ca_certfile: string | null
  readonly client_certfile: string | null
  readonly client_keyfile: string | null
  /** Base64 of the SHA-256 over a certificate's SubjectPublicKeyInfo. */
  readonly pins: readonly { readonly type: 'spki_sha256'; readonly value: string }[]
  readonly require_pins: boolean
  readonly min_version: 'TLSv1.2' | 'TLSv1.3'
}

/** Why a filter of a definition is refused (spec events §2.4). */
export type FilterErrorCode =
  | 'invalid_filter'
  | 'invalid_filter_key'
  | 'invalid_ids'
  | 'invalid_authors'
  | 'invalid_kinds'
  | 'invalid_since'
  | 'invalid_until'
  | 'invalid_tag_filter'
  | 'too_many_tag_values'
  | 'limit_not_allowed'
  | 'search_not_allowed'
  | 'empty_time_range'

/** Why a definition is refused (spec events §2.2–§2.5). */
export type DefinitionErrorCode =
  | 'invalid_server'
  | 'unknown_field'
  | 'invalid_server_id'
  | 'invalid_url'
  | 'invalid_enabled_flag'
  | 'invalid_auth_pubkey'
  | 'invalid_filters'
  | 'empty_filters'
  | 'too_many_filters'
  | FilterErrorCode
  | 'invalid_mode'
  | 'invalid_overlap_window_seconds'
  | 'invalid_relay_info_mode'
  | 'invalid_auth'
  | 'invalid_auth_type'
  | 'invalid_auth_mode'
  | 'invalid_auth_identity'
  | 'invalid_identity_field'
  | 'invalid_tls'
  | 'invalid_tls_mode'
  | 'invalid_tls_hostname'
  | 'invalid_tls_pins'
  | 'invalid_tls_pin'
  | 'invalid_tls_ca_certfile'
  | 'invalid_tls_client_certfile'
  | 'invalid_tls_client_keyfile'
  | 'invalid_metadata'
  | 'invalid_direction'
  | 'invalid_backfill'
  | 'invalid_negentropy'
  | 'invalid_notes'
  | 'invalid_config'
  | 'invalid_upload_filters'
  | 'invalid_schedule'
  | 'invalid_plugins'
  | 'invalid_accept_protected_from_peers'
  | 'invalid_upload_expiring'
  | 'invalid_labels'

export interface DefinitionIssue {
  /** Names the field, like `tls.pins[0].value`; empty for the definition as a whole. */
  readonly path: string
  readonly code: DefinitionErrorCode
  /** Says what to write instead, without naming the field again. */
  readonly message: string
}

export type DefinitionResult =
  | { readonly ok: true; readonly value: ServerDefinition }
  | {
      readonly ok: false
      /** The first violation in the order of spec events §2.3. */
      readonly error: DefinitionErrorCode
      readonly details: readonly DefinitionIssue[]
    }
