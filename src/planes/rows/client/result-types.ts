import type { ReplacementReason } from '../wire/snapshot.ts'
import type { RemoteOutcome } from './pull.ts'
import type { PushOutcome } from './push.ts'
import type { Restore } from './rebuild.ts'

export interface PendingSyncStatus {
  readonly hasPendingSyncData: boolean
  /** Dirty rows and outbox rows, and one if this database is to seed the scope. */
  readonly pendingRowCount: number
  readonly blocksDetach: boolean
}

/** What the rows here stand for: a seed to be sent, an empty scope, or the server's rows. */
export type Authority = 'pending_local_seed' | 'authoritative_empty' | 'authoritative_materialized'

export interface SyncStatus {
  readonly authority: Authority
  readonly pending: PendingSyncStatus
  readonly lastBundleSeqSeen: number
}

export type AttachOutcome =
  | 'resumed_attached_state'
  | 'used_remote_state'
  | 'seeded_from_local'
  | 'started_empty'

export type AttachResult =
  | {
      readonly status: 'connected'
      readonly outcome: AttachOutcome
      readonly syncStatus: SyncStatus
      readonly restore?: Restore | undefined
    }
  /** Another device is seeding the scope; nothing was stored here. */
  | { readonly status: 'retry_later'; readonly retryAfterMs: number }

export interface DetachResult {
  readonly outcome: 'detached' | 'blocked_unsynced_data'
  /** What blocks, when it does. */
  readonly pendingRowCount: number
}

export interface PushReport {
  readonly outcome: PushOutcome
  readonly status: SyncStatus
  /** Where the push made a rebuild necessary. */
  readonly restore?: Restore | undefined
}

export interface RemoteSyncReport {
  readonly outcome: RemoteOutcome
  readonly status: SyncStatus
  readonly restore?: Restore | undefined
}

export interface SyncReport {
  readonly pushOutcome: PushOutcome
  readonly remoteOutcome: RemoteOutcome
  readonly status: SyncStatus
  readonly restore?: Restore | undefined
}

export interface SyncThenDetachResult {
  readonly lastSync: SyncReport
  readonly detach: DetachResult
  readonly syncRounds: number
  readonly remainingPendingRowCount: number
}

export interface SourceInfo {
  /** Opaque. */
  readonly currentSourceId: string
  readonly rebuildRequired: boolean
  readonly sourceRecoveryRequired: boolean
  readonly sourceRecoveryReason?: ReplacementReason
}
